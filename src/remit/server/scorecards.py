"""Scorecards: pass rate, trend and history of tables and owners (V11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.engine.scorecards import DAYS, MOST_DAYS, Scorecard, ScorePage
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, reply
from remit.server.tables import Owner, Prefix

router = APIRouter(prefix="/api/v1/scorecards", tags=["validations"])

COMPONENTS = (Scorecard, ScorePage)
"""Types that OpenAPI names."""

Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="Over how many days up to now.")]


@router.get(
    "",
    operation_id="showScorecard",
    summary="The scorecard",
    **operation(READ, {200: (Scorecard, "A page of tables, and the owners where that is all of them.")}),
)
async def show(
    app: TheApp, who: Who, days: Days = DAYS, limit: Limit = 200, cursor: Cursor = None
) -> Response:
    """A line for each active table and, where they all stand on one page, for each owner."""
    return reply(await app.scorecards.page(who.tenant_id, days=days, limit=limit, cursor=cursor))


@router.get(
    "/tables",
    operation_id="listTableScores",
    summary="The scores of tables",
    **operation(READ, {200: (ScorePage, "A page of active tables by id.")}),
)
async def list_tables(
    app: TheApp,
    who: Who,
    owner: Owner = "",
    prefix: Prefix = "",
    days: Days = DAYS,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Of one owner or all; a page may hold fewer than `limit`, since inactive tables are left out."""
    return reply(
        await app.scorecards.tables(
            who.tenant_id, owner=owner, prefix=prefix, days=days, limit=limit, cursor=cursor
        )
    )


@router.get(
    "/owners",
    operation_id="listOwnerScores",
    summary="The scores of owners",
    **operation(READ, {200: (ScorePage, "A page of owners by name.")}),
)
async def list_owners(
    app: TheApp, who: Who, days: Days = DAYS, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Each with all its active tables; `complete` is false where there are more tables than are looked through."""
    return reply(await app.scorecards.owners(who.tenant_id, days=days, limit=limit, cursor=cursor))


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
