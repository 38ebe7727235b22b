"""Activities: workers ask for tasks, and answer with callbacks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.engine.workflows.callbacks import POLL_S, ActivityTask
from remit.server.auth import RUN, TheApp, Who
from remit.server.schemas import operation, read, reply

router = APIRouter(prefix="/api/v1/activities", tags=["callbacks"])

LONGEST_S = 60.0


class TakeTask(Struct, frozen=True, forbid_unknown_fields=True):
    """How long to wait for a task, in seconds up to 60, and who takes it (the key's actor unless it is given)."""

    wait_s: Annotated[float, Meta(ge=0, le=LONGEST_S)] = 0.0
    worker: Annotated[str, Meta(max_length=200)] = ""


COMPONENTS = (TakeTask, ActivityTask)


@router.post(
    "/{activity:path}/take",
    operation_id="takeTask",
    summary="Take a task of an activity",
    **operation(
        RUN,
        {
            200: (ActivityTask, "The oldest task, for this worker alone. Answer with its token."),
            204: (None, "None came in time; ask again."),
        },
        body=TakeTask,
        body_required=False,
        refusals=(404,),
    ),
)
async def take(activity: str, request: Request, app: TheApp, who: Who) -> Response:
    """The oldest task of an activity, as soon as there is one."""
    asked = await read(request, TakeTask, who)
    worker = asked.worker or who.actor.actor_id
    closing: asyncio.Event = request.app.state.closing
    until = app.clock.monotonic() + asked.wait_s
    # A task given to somebody who has hung up would be lost until its heartbeat is missed.
    while not await request.is_disconnected():
        found = await app.callbacks.take(activity, who.tenant_id, worker)
        if found is not None:
            return reply(found)
        if closing.is_set() or app.clock.monotonic() >= until:
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), POLL_S)
    return Response(status_code=204)
