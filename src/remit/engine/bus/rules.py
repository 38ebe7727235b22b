"""Rules as definitions, and what agents subscribe to: both stand as subscriptions, written with the definition itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.core import rule as rl
from remit.core.agent import AgentSpec
from remit.core.codec import convert, plain
from remit.core.definition import Definition
from remit.core.errors import InputError
from remit.core.pattern import of_types
from remit.core.rule import RuleBody
from remit.engine.bus.records import Subscribed
from remit.engine.bus.subscriptions import Subscriptions
from remit.engine.kinds import AgentBody
from remit.engine.versions import Kind
from remit.ports.bus import EVERYBODY, Subscription
from remit.ports.store import Write

RULE, AGENT = "rule", "agent"


class RuleKind(Kind):
    """Rules: an event that matches the pattern starts a run of the target."""

    name = RULE
    remark = "it holds for events that are published from now on"
    listed = "remit rules list"

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError E667 that lists everything wrong with a rule."""
        problems = rl.problems_of(convert(body, RuleBody))
        if problems:
            raise InputError(
                "the rule cannot be used: " + "; ".join(problems),
                code="E667",
                help="patterns are those of EventBridge; paths look like `$.data.id`",
            )

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The rule without what is so by default."""
        made: dict[str, Any] = plain(convert(body, RuleBody))
        return made

    async def also(self, definition: Definition, before: Definition | None) -> list[Write]:
        """The subscription of the active version, in the same transaction."""
        if definition.status == "active":
            return self._subscriptions.writes(_of_rule(definition))
        if _retired(definition, before):
            return self._subscriptions.removal(definition.tenant_id, f"{RULE}:{definition.name}")
        return []


def _of_rule(definition: Definition) -> Subscribed:
    rule = convert(definition.body, RuleBody)
    name = f"{RULE}:{definition.name}"
    return Subscribed(
        tenant_id=definition.tenant_id,
        name=name,
        kind=RULE,
        subscription=Subscription(
            name, (rule.pattern,), definition.tenant_id, rule.retry, dead_letter=rule.dead_letter
        ),
        enabled=definition.enabled and rule.enabled,
        target=rule.target,
        spec={
            "author": definition.change_author,
            "input": plain(rule.input),
            "objective": rule.objective,
            "policy_profile": rule.policy_profile,
            "ordered": rule.ordered,
        },
    )


class AgentSubscriptions:
    """What agents that are definitions subscribe to; an agent of the code of the same name then gets nothing of its own."""

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    def writes(self, definition: Definition, before: Definition | None) -> list[Write]:
        """The writes that go with a change of an agent's definition."""
        name = f"{AGENT}:{definition.name}"
        if definition.status != "active":
            gone = _retired(definition, before)
            return self._subscriptions.removal(definition.tenant_id, name) if gone else []
        patterns = of_types(list(convert(definition.body, AgentBody).subscribes))
        if not patterns and name not in self._subscriptions.coded:
            return self._subscriptions.removal(definition.tenant_id, name)
        made = _of_agent(definition.name, tuple(patterns), definition.tenant_id, definition.change_author)
        return self._subscriptions.writes(made)


def of_code(agents: Iterable[AgentSpec]) -> list[Subscribed]:
    """The subscriptions of agents in code, for every tenant; those without patterns take back what was written before."""
    return [_of_agent(spec.name, tuple(of_types(list(spec.subscribes))), EVERYBODY, "") for spec in agents]


def _of_agent(agent: str, patterns: tuple[dict[str, Any], ...], tenant_id: str, author: str) -> Subscribed:
    name = f"{AGENT}:{agent}"
    subscription = Subscription(name, patterns, tenant_id)
    return Subscribed(
        tenant_id, name, AGENT, subscription, target=agent, spec={"author": author} if author else {}
    )


def _retired(definition: Definition, before: Definition | None) -> bool:
    """Whether a change took the active version out of use."""
    return before is not None and before.status == "archived" and before.version == definition.version
