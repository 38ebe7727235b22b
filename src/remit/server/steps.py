"""One run, read: in short, its steps, its timeline, the runs below it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.engine.families import FamilyPage
from remit.engine.step_details import StepDetail
from remit.engine.stepping import StepPage
from remit.engine.summaries import RunSummary
from remit.engine.timelines import RunTimeline
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import ApprovalPage, Cursor, Limit, operation, reply

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

COMPONENTS = (RunSummary, StepPage, StepDetail, RunTimeline, FamilyPage)
"""Types that OpenAPI names."""

_RUN = {"run_id": "$response.body#/run_id"}
LINKS = {
    "run": {"operationId": "showRun", "parameters": _RUN},
    "steps": {"operationId": "listSteps", "parameters": _RUN},
    "timeline": {"operationId": "runTimeline", "parameters": _RUN},
    "events": {"operationId": "runEvents", "parameters": _RUN},
}

After = Annotated[int, Query(ge=-1, le=2**53, description="Steps that begin after this event.")]
Many = Annotated[int, Query(ge=1, le=1000, description="How many steps at most.")]
StepKind = Annotated[
    str,
    Query(
        pattern="^(|model|tool|delegate|gate|state)$", description="Only steps of this kind; empty for all."
    ),
]
Seq = Annotated[
    int | None, Query(ge=0, le=2**53, description="The event it begins with, which saves looking for it.")
]


@router.get(
    "/{run_id}/summary",
    operation_id="runSummary",
    summary="A run in short",
    **operation(READ, {200: (RunSummary, "The run without its steps.")}, refusals=(404,), links=LINKS),
)
async def summary(run_id: str, app: TheApp, who: Who) -> Response:
    """What a run is and how it stands, from its record and two of its events, however long it is."""
    return reply(await app.reading.summaries.show(run_id, who.tenant_id))


@router.get(
    "/{run_id}/steps",
    operation_id="listSteps",
    summary="A run's steps",
    **operation(
        READ, {200: (StepPage, "A page of steps, in the order in which they began.")}, refusals=(404,)
    ),
)
async def steps(
    run_id: str, app: TheApp, who: Who, after: After = -1, limit: Many = 100, kind: StepKind = ""
) -> Response:
    """Steps in short, read from the events of that stretch. A page of one kind may be short, and have a cursor all the same."""
    page = await app.reading.stepping.page(run_id, who.tenant_id, after=after, limit=limit, kind=kind)
    return reply(page)


@router.get(
    "/{run_id}/steps/{step}",
    operation_id="showStep",
    summary="One step of a run",
    **operation(READ, {200: (StepDetail, "Everything about the step.")}, refusals=(404,), links=LINKS),
)
async def step(run_id: str, step: str, app: TheApp, who: Who, seq: Seq = None) -> Response:
    """What went in and came out, the decision and its reasons, the approval, the attempts, the events."""
    return reply(await app.reading.details.show(run_id, who.tenant_id, step, seq=seq))


@router.get(
    "/{run_id}/timeline",
    operation_id="runTimeline",
    summary="All of a run's steps at a glance",
    **operation(
        READ,
        {200: (RunTimeline, "The timeline; ask again while it is not `complete`.")},
        refusals=(404,),
        links=LINKS,
    ),
)
async def timeline(
    run_id: str,
    app: TheApp,
    who: Who,
    buckets: Annotated[int, Query(ge=1, le=500, description="Parts for an overview of the time.")] = 120,
) -> Response:
    """Lanes, groups, gaps, and the way to what failed. One request reads on for less than a second, and says how far it came."""
    return reply(await app.reading.timelines.show(run_id, who.tenant_id, buckets=buckets))


@router.get(
    "/{run_id}/family",
    operation_id="runFamily",
    summary="The runs below a run",
    **operation(READ, {200: (FamilyPage, "The runs that it handed tasks to.")}, refusals=(404,)),
)
async def family(run_id: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The runs directly below, and with the first page what each agent of the whole family cost."""
    return reply(await app.reading.families.show(run_id, who.tenant_id, limit=limit, cursor=cursor))


@router.get(
    "/{run_id}/approvals",
    operation_id="runApprovals",
    summary="The approvals of a run",
    **operation(READ, {200: (ApprovalPage, "The newest 200, oldest first.")}, refusals=(404,)),
)
async def approvals(run_id: str, app: TheApp, who: Who) -> Response:
    """What people were asked by a run; its newest 200 approvals."""
    await app.reading.stepping.head(run_id, who.tenant_id)
    return reply(ApprovalPage(await app.reading.summaries.approvals(run_id)))
