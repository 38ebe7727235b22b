"""Scorecards: pass rate, trend and history of tables and owners (V11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.engine.scorecards import DAYS, MOST_DAYS, Scorecard
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/scorecards", tags=["validations"])

COMPONENTS = (Scorecard,)
"""Types that OpenAPI names."""

Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="Over how many days up to now.")]


@router.get(
    "",
    operation_id="showScorecard",
    summary="The scorecard",
    **operation(READ, {200: (Scorecard, "Every active table and every owner.")}),
)
async def show(app: TheApp, who: Who, days: Days = DAYS) -> Response:
    """A line for each active table and each owner."""
    return reply(await app.scorecards.all(who.tenant_id, days=days))


@router.get(
    "/tables/{table_id}",
    operation_id="showTableScorecard",
    summary="A table's scorecard",
    **operation(READ, {200: (Scorecard, "The table's line.")}, refusals=(404,)),
)
async def show_table(table_id: str, app: TheApp, who: Who, days: Days = DAYS) -> Response:
    """The table's pass rate, how it moved, and which rules are failing."""
    return reply(await app.scorecards.table(who.tenant_id, table_id, days=days))


@router.get(
    "/owners/{owner}",
    operation_id="showOwnerScorecard",
    summary="An owner's scorecard",
    **operation(
        READ, {200: (Scorecard, "The owner's line and those of the owner's tables.")}, refusals=(404,)
    ),
)
async def show_owner(owner: str, app: TheApp, who: Who, days: Days = DAYS) -> Response:
    """The owner's tables together, and each by itself."""
    return reply(await app.scorecards.owner(who.tenant_id, owner, days=days))
