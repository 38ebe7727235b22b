"""Runs: submit, list, look at, follow, cancel, resume, verify and export."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import InputError
from remit.core.task import Task
from remit.core.view import RunStatus, RunView
from remit.engine.audit import Anchor, VerifyReport
from remit.server.auth import AUDIT, READ, RUN, TheApp, Who
from remit.server.schemas import Cursor, EventPage, Limit, RunPage, operation, read, reply
from remit.server.sse import MEDIA_TYPE, stream

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


class Submitted(Struct, frozen=True):
    """The run of the task; `Location` says where it is."""

    run_id: str
    task_id: str
    status: RunStatus


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, for the journal."""

    reason: str = ""


class Exported(Struct, frozen=True):
    """A run's audit: everything needed to prove it elsewhere, with `remit verify FILE`."""

    format: str


_RUN = {"run_id": "$response.body#/run_id"}
LINKS = {
    "run": {"operationId": "showRun", "parameters": _RUN},
    "events": {"operationId": "runEvents", "parameters": _RUN},
    "cancel": {"operationId": "cancelRun", "parameters": _RUN},
    "verify": {"operationId": "verifyRun", "parameters": _RUN},
}

Status = Annotated[
    str, Query(pattern="^(|running|waiting|success|failure)$", description="Only runs in this state.")
]
Name = Annotated[str, Query(max_length=200)]
Since = Annotated[
    int | None,
    Query(ge=0, le=2**53, description="Only runs that began at this time (Unix milliseconds) or later."),
]
Until = Annotated[
    int | None,
    Query(ge=0, le=2**53, description="Only runs that began at this time (Unix milliseconds) or earlier."),
]
Top = Annotated[bool, Query(description="Only runs that no other run started.")]
After = Annotated[int, Query(ge=-1, le=2**53, description="Events after this seq.")]
LastEventId = Annotated[str | None, Header(description="Resume an event stream after this seq.")]


@router.post(
    "",
    operation_id="submitRun",
    summary="Submit a task",
    **operation(
        RUN,
        {202: (Submitted, "Accepted; it goes on by itself.")},
        body=Task,
        refusals=(404, 409, 429),
        links=LINKS,
    ),
)
async def submit(request: Request, app: TheApp, who: Who) -> Response:
    """Start a run. The same task again gives the same run."""
    asked = await read(request, Task, who)
    task = replace(asked, tenant_id=who.tenant_id, actor_context=who.actor)
    return await standing(app, who, await app.runs.submit(task))


@router.get(
    "",
    operation_id="listRuns",
    summary="The tenant's runs",
    **operation(READ, {200: (RunPage, "A page of runs, newest first.")}),
)
async def list_runs(
    app: TheApp,
    who: Who,
    status: Status = "",
    agent: Name = "",
    workflow: Name = "",
    session_id: Name = "",
    since: Since = None,
    until: Until = None,
    top: Top = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Runs, newest first. All filters may be given together; then a page may be short, and still have a cursor."""
    page = await app.runs.list(
        who.tenant_id,
        status=status,
        agent=agent,
        workflow=workflow,
        session_id=session_id,
        since=since,
        until=until,
        top=top,
        limit=limit,
        cursor=cursor,
    )
    return reply(page)


@router.get(
    "/{run_id}",
    operation_id="showRun",
    summary="A run",
    **operation(READ, {200: (RunView, "The run as it stands.")}, refusals=(404,), links=LINKS),
)
async def show(run_id: str, app: TheApp, who: Who) -> Response:
    """Everything about a run: steps, approvals, usage, budget, result."""
    return reply(await app.runs.view(run_id, who.tenant_id))


@router.get(
    "/{run_id}/events",
    operation_id="runEvents",
    summary="A run's events, as a page or live",
    **operation(
        READ,
        {
            200: (EventPage, "A page, or with `Accept: text/event-stream` every event until the run ends."),
            204: (None, "The run has ended and nothing follows: stop reconnecting."),
        },
        refusals=(404,),
        media={
            200: {
                MEDIA_TYPE: {
                    "schema": {
                        "type": "string",
                        "description": "One `EventView` for each `data`; `id` is its seq.",
                    }
                }
            }
        },
    ),
)
async def events(
    run_id: str,
    request: Request,
    app: TheApp,
    who: Who,
    after: After = -1,
    limit: Limit = 100,
    deltas: Annotated[bool, Query(description="Stream model output too, while it is made.")] = False,
    last_event_id: LastEventId = None,
) -> Response:
    """One page of events after `after`; or a stream of them, which `Last-Event-ID` resumes."""
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        found = await app.runs.events(run_id, who.tenant_id, after=after, limit=limit)
        return reply(EventPage(found, str(found[-1].seq) if found else None))
    seen = _seq(last_event_id) if last_event_id else after
    head = await app.reading.stepping.head(run_id, who.tenant_id)
    if head.status == "ended" and seen >= head.seq:
        return Response(status_code=204)
    live = app.runs.deltas(run_id) if deltas else None
    body = stream(app.runs.follow(run_id, who.tenant_id, after=seen), live, request.app.state.closing)
    return StreamingResponse(
        body, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


@router.post(
    "/{run_id}/cancel",
    operation_id="cancelRun",
    summary="Cancel a run",
    **operation(
        RUN,
        {202: (Submitted, "It ends at its next step, and so do its children.")},
        body=Reason,
        body_required=False,
        refusals=(404, 409),
        links=LINKS,
    ),
)
async def cancel(run_id: str, request: Request, app: TheApp, who: Who) -> Response:
    """Ask the run to end. An effect already under way is not undone."""
    asked = await read(request, Reason, who)
    await app.runs.cancel(run_id, who.tenant_id, who.actor, asked.reason)
    return await standing(app, who, run_id)


@router.post(
    "/{run_id}/resume",
    operation_id="resumeRun",
    summary="Wake a run now",
    **operation(RUN, {202: (Submitted, "A worker looks at it again.")}, refusals=(404, 409), links=LINKS),
)
async def resume(run_id: str, app: TheApp, who: Who) -> Response:
    """Wake a waiting run before its time. It goes on only if what it waits for has come."""
    await app.runs.resume(run_id, who.tenant_id, who.actor)
    return await standing(app, who, run_id)


@router.get(
    "/{run_id}/verify",
    operation_id="verifyRun",
    summary="Prove a run's journal",
    **operation(
        READ, {200: (VerifyReport, "What was found; `ok` false locates the damage.")}, refusals=(404,)
    ),
)
async def verify(
    run_id: str,
    app: TheApp,
    who: Who,
    size: Annotated[
        int | None, Query(ge=0, le=2**53, description="With `head`: the size noted elsewhere.")
    ] = None,
    head: Annotated[str, Query(max_length=64, description="The chain hash noted elsewhere at `size`.")] = "",
) -> Response:
    """Check every event against the hash chain; with `size` and `head` also against a head kept elsewhere."""
    if (size is None) != (not head):
        raise InputError(
            "`size` and `head` go together", code="E102", help="give both, as an earlier verify said them"
        )
    anchor = None if size is None else Anchor(size, head)
    return reply(await app.audit.verify(run_id, who.tenant_id, anchor=anchor))


@router.get(
    "/{run_id}/export",
    operation_id="exportRun",
    summary="Export a run's audit",
    **operation(AUDIT, {200: (Exported, "The audit file.")}, refusals=(404,)),
)
async def export(run_id: str, app: TheApp, who: Who) -> Response:
    """The run as a file that proves itself elsewhere."""
    made: dict[str, Any] = await app.audit.export(run_id, who.tenant_id)
    return reply(made, headers={"Content-Disposition": 'attachment; filename="run-audit.json"'})


async def standing(app: TheApp, who: Who, run_id: str) -> Response:
    """The answer to whoever submitted or steered a run: how it stands now."""
    view = await app.reading.summaries.show(run_id, who.tenant_id)
    location = {"Location": f"/api/v1/runs/{run_id}"}
    return reply(Submitted(run_id, view.task.task_id, view.status), 202, location)


def _seq(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InputError(
            "`Last-Event-ID` is no seq", code="E102", help="send the `id` of the last event you saw"
        )
    return int(text)
