"""Schedules: what is started when (V8). Rules of tables make their own; their ids hold a `/`, written as `%2F` or as it is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.engine.resolving import must_exist
from remit.engine.schedules import CatchUp, ScheduleEntry, SchedulePage, ScheduleSpec
from remit.server.auth import EDIT, READ, RUN, TheApp, Who
from remit.server.runs import LINKS as RUN_LINKS
from remit.server.runs import Submitted, standing
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/schedules", tags=["schedules"])


class ScheduleBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What is started, and when: `daily at 06:30 Europe/Berlin`, `every 15 minutes`, `30 6 * * 1-5`.

    `catch_up` says what happens with times that passed while nobody worked: start the `latest`, `all` or `none`.
    """

    expression: Annotated[str, Meta(min_length=1, max_length=200)]
    agent: Annotated[str, Meta(min_length=1, max_length=200)]
    input: Any = None
    objective: Annotated[str, Meta(max_length=10_000)] = ""
    policy_profile: str = "default"
    catch_up: CatchUp = "latest"


COMPONENTS = (ScheduleEntry, SchedulePage, ScheduleBody)
"""Types that OpenAPI names."""

_SCHEDULE = {"schedule_id": "$response.body#/schedule_id"}
LINKS = {
    "schedule": {"operationId": "showSchedule", "parameters": _SCHEDULE},
    "pause": {"operationId": "pauseSchedule", "parameters": _SCHEDULE},
    "fire": {"operationId": "fireSchedule", "parameters": _SCHEDULE},
}


Prefix = Annotated[
    str, Query(max_length=300, description="Only schedules whose id begins so, e.g. `validation/orders/`.")
]


@router.get(
    "",
    operation_id="listSchedules",
    summary="The tenant's schedules",
    **operation(READ, {200: (SchedulePage, "A page of schedules by id.")}),
)
async def list_schedules(
    app: TheApp, who: Who, prefix: Prefix = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Schedules by id, paused ones too."""
    return reply(await app.schedules.list(who.tenant_id, prefix=prefix, limit=limit, cursor=cursor))


@router.post(
    "/{schedule_id:path}/pause",
    operation_id="pauseSchedule",
    summary="Pause a schedule",
    **operation(EDIT, {200: (ScheduleEntry, "The schedule, paused.")}, refusals=(404, 409), links=LINKS),
)
async def pause(schedule_id: str, app: TheApp, who: Who) -> Response:
    """Nothing is started until it is resumed."""
    return reply(await app.schedules.pause(who.tenant_id, schedule_id))


@router.post(
    "/{schedule_id:path}/resume",
    operation_id="resumeSchedule",
    summary="Resume a schedule",
    **operation(EDIT, {200: (ScheduleEntry, "The schedule, enabled.")}, refusals=(404, 409), links=LINKS),
)
async def resume(schedule_id: str, app: TheApp, who: Who) -> Response:
    """It goes on with the next time from now."""
    return reply(await app.schedules.resume(who.tenant_id, schedule_id))


@router.post(
    "/{schedule_id:path}/fire",
    operation_id="fireSchedule",
    summary="Start a schedule now",
    **operation(
        RUN,
        {202: (Submitted, "Accepted; it goes on by itself.")},
        refusals=(404, 409, 429),
        links=RUN_LINKS,
    ),
)
async def fire(schedule_id: str, app: TheApp, who: Who) -> Response:
    """One run more, beside the schedule's own times, as whoever asks for it."""
    run_id = await app.scheduler.fire(who.tenant_id, schedule_id, who.actor)
    return await standing(app, who, run_id)


@router.get(
    "/{schedule_id:path}",
    operation_id="showSchedule",
    summary="A schedule",
    **operation(READ, {200: (ScheduleEntry, "The schedule.")}, refusals=(404,), links=LINKS),
)
async def show(schedule_id: str, app: TheApp, who: Who) -> Response:
    """When it is due next, and what came of the last time."""
    return reply(await app.schedules.get(who.tenant_id, schedule_id))


@router.put(
    "/{schedule_id}",
    operation_id="putSchedule",
    summary="Add or change a schedule",
    **operation(
        (EDIT, RUN),
        {200: (ScheduleEntry, "The schedule as it is now.")},
        body=ScheduleBody,
        refusals=(409,),
        links=LINKS,
    ),
)
async def put(schedule_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Who adds it must be allowed to start runs, and by policy the agent."""
    asked = await read(request, ScheduleBody, who)
    spec = ScheduleSpec(**{name: getattr(asked, name) for name in asked.__struct_fields__})
    await must_exist(app.registry, app.catalogue, who.tenant_id, spec.agent)
    return reply(await app.schedules.put(who.tenant_id, schedule_id, spec, actor=who.actor))


@router.delete(
    "/{schedule_id:path}",
    operation_id="removeSchedule",
    summary="Forget a schedule",
    **operation(EDIT, {204: (None, "It is forgotten.")}, refusals=(404,)),
)
async def remove(schedule_id: str, app: TheApp, who: Who) -> Response:
    """One that rules made is paused instead: it goes when no rule has it."""
    await app.schedules.remove(who.tenant_id, schedule_id)
    return Response(status_code=204)
