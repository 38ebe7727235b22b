"""Rules as people see them, and what they would do with an event."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.core.cloudevent import CloudEvent, to_json
from remit.core.codec import convert
from remit.core.errors import NotFoundError
from remit.core.pattern import compiled
from remit.core.rule import InputSpec, Redelivery, RuleBody, given
from remit.engine.bus.records import Subscribed
from remit.engine.bus.rules import RULE
from remit.engine.bus.subscriptions import Subscriptions


class RuleView(Struct, frozen=True):
    """Who gets which events. `kind`: `rule`, `agent` for one that subscribes itself, `handler` for code in some process.

    A rule is named `rule:NAME`, an agent `agent:NAME`; `outlet:NAME` sends events out of Remit.
    """

    name: str
    kind: str
    target: str
    patterns: tuple[dict[str, Any], ...]
    enabled: bool
    retry: Redelivery
    dead_letter: bool
    ordered: bool
    author: str


class RulePage(Struct, frozen=True):
    """A page of rules by name; `cursor` of the next page, or null at the end."""

    items: list[RuleView]
    cursor: str | None = None


class Trial(Struct, frozen=True):
    """What a rule would do with an event: whether it matches, and what its target would be given."""

    name: str
    target: str
    matches: bool
    input: Any = None


Trials = list[Trial]


async def rules(
    subscriptions: Subscriptions, tenant_id: str, *, limit: int = 50, cursor: str | None = None
) -> RulePage:
    """Whoever gets a tenant's events, by name."""
    found = [
        s for s in await subscriptions.list(tenant_id) if s.subscription.patterns and s.name > (cursor or "")
    ]
    shown = [_view(s) for s in found[:limit]]
    return RulePage(shown, shown[-1].name if len(found) > limit else None)


async def rule(subscriptions: Subscriptions, tenant_id: str, name: str) -> RuleView:
    """One of them; `NAME` alone is `rule:NAME`. Raises NotFoundError."""
    return _view(await _found(subscriptions, tenant_id, name))


async def tried(subscriptions: Subscriptions, tenant_id: str, event: CloudEvent, name: str = "") -> Trials:
    """What a tenant's rules would do with an event; with `name` only that one. Raises NotFoundError."""
    some = [await _found(subscriptions, tenant_id, name)] if name else await subscriptions.list(tenant_id)
    return [_trial(s, event) for s in some if s.subscription.patterns]


def tried_body(body: Any, event: CloudEvent) -> Trial:
    """What a rule that is not written yet would do. Raises InputError E662."""
    made = convert(body, RuleBody)
    matches = compiled(made.pattern).matches(to_json(event))
    return Trial("", made.target, matches, given(made.input, "", event) if matches else None)


def _trial(subscribed: Subscribed, event: CloudEvent) -> Trial:
    shape = to_json(event)
    matches = subscribed.enabled and any(
        compiled(pattern).matches(shape) for pattern in subscribed.subscription.patterns
    )
    found = None
    if matches and subscribed.target:
        short = subscribed.name.partition(":")[2]
        found = given(convert(subscribed.spec.get("input", {}), InputSpec), short, event)
    return Trial(subscribed.name, subscribed.target, matches, found)


async def _found(subscriptions: Subscriptions, tenant_id: str, name: str) -> Subscribed:
    for known in (name, f"{RULE}:{name}"):
        found = await subscriptions.find(tenant_id, known)
        if found is not None and found.subscription.patterns:
            return found
    raise NotFoundError(f"there is no rule `{name[:150]}`", help="`remit rules list` shows them")


def _view(subscribed: Subscribed) -> RuleView:
    subscription, spec = subscribed.subscription, subscribed.spec
    return RuleView(
        name=subscribed.name,
        kind=subscribed.kind,
        target=subscribed.target,
        patterns=subscription.patterns,
        enabled=subscribed.enabled,
        retry=subscription.retry,
        dead_letter=subscription.dead_letter,
        ordered=bool(spec.get("ordered")),
        author=str(spec.get("author", "")),
    )
