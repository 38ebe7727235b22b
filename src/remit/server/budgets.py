"""Budgets: the envelopes of tenants, with what is left of them (P12)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from remit.engine.envelopes import Envelope
from remit.server.auth import READ, TheApp, Who
from remit.server.costs import operates
from remit.server.schemas import Cursor, Limit, operation, reply

router = APIRouter(prefix="/api/v1/budgets", tags=["costs"])


class Budgets(Struct, frozen=True):
    """A page of envelopes: the tenant's, if it has one; for who runs the deployment those of all tenants by name."""

    items: list[Envelope]
    cursor: str | None = None


COMPONENTS = (Budgets,)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="listBudgets",
    summary="The budgets of tenants",
    **operation(READ, {200: (Budgets, "Each with its limit, and what is reserved, used and left.")}),
)
async def list_budgets(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """A run's own budget is shown with the run; this is what all runs of a tenant may spend together."""
    if operates(app, who):
        page = await app.envelopes.list(limit=limit, cursor=cursor)
        return reply(Budgets(*page))
    own = await app.envelopes.get(who.tenant_id)
    return reply(Budgets([] if own is None else [own]))
