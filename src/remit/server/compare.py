"""Two runs side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.engine.comparing import Compared
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import Cursor, operation, reply

router = APIRouter(prefix="/api/v1", tags=["runs"])

COMPONENTS = (Compared,)
"""Types that OpenAPI names."""

RunId = Annotated[str, Query(min_length=1, max_length=200)]


@router.get(
    "/compare",
    operation_id="compareRuns",
    summary="Compare two runs",
    **operation(READ, {200: (Compared, "The next steps of both, aligned.")}, refusals=(404,)),
)
async def compare(app: TheApp, who: Who, left: RunId, right: RunId, cursor: Cursor = None) -> Response:
    """Steps that stand for each other and what differs, and steps that only one run has; at most 200 of each a page."""
    return reply(await app.reading.comparing.page(left, right, who.tenant_id, cursor=cursor))
