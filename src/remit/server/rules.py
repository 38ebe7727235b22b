"""Rules: which events start what. They are written as definitions of the kind `rule`; here they are seen and tried (F3)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.core.cloudevent import from_json
from remit.core.errors import InputError
from remit.engine.bus import trying
from remit.engine.bus.trying import RulePage, RuleView, Trial
from remit.server.auth import READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])


class TryRules(Struct, frozen=True, forbid_unknown_fields=True):
    """An event (a CloudEvent in JSON), tried against all rules, the one named, or one that is not written yet (`rule`)."""

    event: dict[str, Any]
    name: Annotated[str, Meta(max_length=300)] = ""
    rule: dict[str, Any] | None = None


class RuleTrials(Struct, frozen=True):
    """What each rule would do with the event."""

    items: list[Trial]


COMPONENTS = (RuleView, RulePage, TryRules, Trial, RuleTrials)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="listRules",
    summary="Who gets the tenant's events",
    **operation(READ, {200: (RulePage, "A page of rules, and of agents that subscribe, by name.")}),
)
async def list_rules(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Rules, agents that subscribe, and code that does."""
    return reply(await trying.rules(app.bus.subscriptions, who.tenant_id, limit=limit, cursor=cursor))


@router.post(
    "/test",
    operation_id="testRules",
    summary="What rules would do with an event",
    **operation(
        READ,
        {200: (RuleTrials, "Each rule, and what its target would be given.")},
        body=TryRules,
        refusals=(404,),
    ),
)
async def try_(request: Request, app: TheApp, who: Who) -> Response:
    """Nothing is published or started."""
    asked = await read(request, TryRules, who)
    event = from_json(asked.event)
    if asked.rule is not None and asked.name:
        raise InputError("a trial is of a rule that is there or of one that is not, not of both", code="E667")
    if asked.rule is not None:
        return reply(RuleTrials([trying.tried_body(asked.rule, event)]))
    return reply(RuleTrials(await trying.tried(app.bus.subscriptions, who.tenant_id, event, asked.name)))


@router.get(
    "/{name}",
    operation_id="showRule",
    summary="A rule",
    **operation(READ, {200: (RuleView, "The rule.")}, refusals=(404,)),
)
async def show(name: str, app: TheApp, who: Who) -> Response:
    """A rule by its name, or `agent:NAME` for an agent that subscribes."""
    return reply(await trying.rule(app.bus.subscriptions, who.tenant_id, name))
