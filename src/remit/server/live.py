"""What changes in a tenant: as a stream that lists follow, or asked for from time to time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from remit.bootstrap import App
from remit.core.codec import encode
from remit.core.errors import RemitError
from remit.engine.live import ApprovalRow, LiveChanges
from remit.server.auth import READ, TheApp, Who
from remit.server.details import details
from remit.server.schemas import operation, reply
from remit.server.sse import HEARTBEAT_S, MEDIA_TYPE

router = APIRouter(prefix="/api/v1/live", tags=["console"])

COMPONENTS = (LiveChanges, ApprovalRow)
"""Types that OpenAPI names."""

LASTS_S = 600.0
"""Seconds after which a stream ends. Its client comes back with its key, which may have been revoked meanwhile."""

_MARK = Query(ge=0, le=2**53, description="The `mark` of the answer before; without it only a mark is given.")
_STREAM = (
    "With `Accept: text/event-stream` batches, at most four a second: `runs` and `approvals` (a list of rows that changed, as they "
    "stand now), and `again` when more changed than fits, so that lists must be read anew. `id` resumes."
)


@router.get(
    "",
    operation_id="followLive",
    summary="Runs and approvals as they change",
    **operation(
        READ,
        {200: (LiveChanges, "What changed since `after`, or a stream of it.")},
        media={200: {MEDIA_TYPE: {"schema": {"type": "string", "description": _STREAM}}}},
    ),
)
async def live(
    request: Request,
    app: TheApp,
    who: Who,
    after: Annotated[int | None, _MARK] = None,
    last_event_id: Annotated[
        str | None, Header(pattern="^[0-9]{1,15}$", description="Resume an event stream after this mark.")
    ] = None,
) -> Response:
    """The rows that changed, newest state of each. All streams of a tenant share one look at the records."""
    mark = int(last_event_id) if last_event_id else after
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        return reply(await app.live.since(who.tenant_id, mark))
    body = _stream(app, who.tenant_id, mark, request.app.state.closing)
    return StreamingResponse(
        body, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _stream(app: App, tenant_id: str, mark: int | None, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """First what was missed since `mark`, then what changes, until the server closes or `LASTS_S` have passed."""
    until = app.clock.monotonic() + LASTS_S
    stopped = asyncio.create_task(closing.wait())
    coming: asyncio.Task[LiveChanges] | None = None
    yield b"retry: 2000\n\n"
    try:
        with app.live.listen(tenant_id) as listener:
            yield _frames(await app.live.since(tenant_id, mark))
            while not closing.is_set() and app.clock.monotonic() < until:
                coming = coming or asyncio.create_task(listener.next())
                await asyncio.wait(
                    {coming, stopped}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
                )
                if coming.done():
                    yield _frames(coming.result())
                    coming = None
                else:
                    yield b": still here\n\n"
    except RemitError as error:
        yield b"event: error\ndata: %s\n\n" % encode(details(error))
    finally:
        stopped.cancel()
        if coming is not None:
            coming.cancel()


def _frames(changes: LiveChanges) -> bytes:
    """The events of one batch. Only the last has the id: whoever lost the connection in between is told all of it once more."""
    events = [
        (b"again", changes.incomplete, ()),
        (b"runs", bool(changes.runs), changes.runs),
        (b"approvals", bool(changes.approvals), changes.approvals),
    ]
    told = [b"event: %s\ndata: %s\n" % (name, encode(rows)) for name, is_told, rows in events if is_told]
    return b"\n".join(told or [b"event: mark\ndata: []\n"]) + b"id: %d\n\n" % changes.mark
