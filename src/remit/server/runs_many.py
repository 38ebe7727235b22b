"""Many runs at once: the last few of each agent, and what is asked of many together."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from remit.engine.many_runs import MOST, RunOutcome, RunOutcomes
from remit.engine.run_lists import RunStrip, RunStrips, StripRun
from remit.server.agents import TaskId
from remit.server.auth import READ, RUN, TheApp, Who
from remit.server.schemas import operation, read, reply

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

RunId = Annotated[str, Meta(min_length=1, max_length=128)]
RunIds = Annotated[tuple[RunId, ...], Meta(min_length=1, max_length=MOST)]


class CancelRuns(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs are to end, and why, for their journals."""

    run_ids: RunIds
    reason: Annotated[str, Meta(max_length=2000)] = ""


class RetryRuns(Struct, frozen=True, forbid_unknown_fields=True):
    """Which failed runs are to be done again. Give a `retry_id` to make sending this twice harmless."""

    run_ids: RunIds
    retry_id: TaskId | UnsetType = UNSET


COMPONENTS = (CancelRuns, RetryRuns, RunOutcome, RunOutcomes, StripRun, RunStrip, RunStrips)
"""Types that OpenAPI names."""

Names = Annotated[
    str,
    Query(
        max_length=10_000, description="Names of agents or workflows with commas between them, at most 50."
    ),
]


@router.get(
    "/strips",
    operation_id="runStrips",
    summary="The last runs of agents and workflows",
    **operation(READ, {200: (RunStrips, "A strip for each name: at most twenty runs, newest first.")}),
)
async def strips(app: TheApp, who: Who, names: Names) -> Response:
    """How the last runs of each name went."""
    asked = dict.fromkeys(name.strip() for name in names.split(","))
    return reply(await app.runs.strips(who.tenant_id, [name for name in asked if name]))


@router.post(
    "/cancel",
    operation_id="cancelRuns",
    summary="Cancel many runs",
    **operation(
        RUN,
        {200: (RunOutcomes, "What became of each; those `done` end at their next step.")},
        body=CancelRuns,
    ),
)
async def cancel(request: Request, app: TheApp, who: Who) -> Response:
    """Ask each of the runs to end. One that is refused says nothing about the others."""
    asked = await read(request, CancelRuns, who)
    return reply(await app.many_runs.cancel(asked.run_ids, who.tenant_id, who.actor, asked.reason))


@router.post(
    "/retry",
    operation_id="retryRuns",
    summary="Do again what failed of many runs",
    **operation(RUN, {200: (RunOutcomes, "What became of each, and the new runs.")}, body=RetryRuns),
)
async def retry(request: Request, app: TheApp, who: Who) -> Response:
    """A new run for each that failed: a workflow goes on from what failed, an agent does its task again."""
    asked = await read(request, RetryRuns, who)
    again = "" if asked.retry_id is UNSET else asked.retry_id
    return reply(await app.many_runs.retry(asked.run_ids, who.tenant_id, who.actor, retry_id=again))
