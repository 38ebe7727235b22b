"""Costs: what runs have cost, by agent, model, workflow, tenant and day, from the roll-up that is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from remit.bootstrap import App
from remit.core.errors import DeniedError
from remit.engine.cost_reports import CostReport
from remit.engine.keys import Identity
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/costs", tags=["costs"])

COMPONENTS = (CostReport,)
"""Types that OpenAPI names."""

ADMIN = "admin"

By = Annotated[
    Literal["agent", "model", "workflow", "day", "tenant"],
    Query(description="What a line is of. `tenant` is for admins of the tenant that runs the deployment."),
]
Since = Annotated[
    str, Query(max_length=40, description="First day, YYYY-MM-DD; empty: 30 days up to `until`.")
]
Until = Annotated[str, Query(max_length=40, description="Last day, YYYY-MM-DD; empty: today.")]
Zone = Annotated[str, Query(max_length=60, description="Whose days: a time zone such as `Europe/Berlin`.")]


@router.get(
    "",
    operation_id="showCosts",
    summary="What runs have cost",
    **operation(READ, {200: (CostReport, "A line each, and the total.")}),
)
async def show(
    app: TheApp, who: Who, by: By = "agent", since: Since = "", until: Until = "", zone: Zone = "UTC"
) -> Response:
    """Runs count on the day they ended, with what they themselves used; the lines of workflows have what these called, too."""
    if by == "tenant" and not operates(app, who):
        raise DeniedError(
            "only admins of the tenant that runs the deployment may see other tenants",
            code="E1025",
            help="the deployment names that tenant by `REMIT_OPERATOR_TENANT`",
        )
    return reply(await app.cost_reports.report(who.tenant_id, by, since=since, until=until, zone=zone))


def operates(app: App, who: Identity) -> bool:
    """Whether somebody runs the deployment, and so may see every tenant's costs and budgets."""
    named = app.settings.operator_tenant
    return bool(named) and who.tenant_id == named and ADMIN in who.actor.roles
