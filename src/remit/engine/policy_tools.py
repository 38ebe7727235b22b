"""What policy makes of each tool in the situations that matter: which calls run, which wait for a person, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from remit.core.memory import FORGET, REMEMBER, memory_question
from remit.core.policy import ActionName, PolicyRequest, Principal, Verdict
from remit.core.provenance import Labels
from remit.core.rule import PUBLISH
from remit.core.tool import Effect, Risk, ToolSpec
from remit.ports.policy import Policy

ANY_AGENT = "any-agent"
ANY_TOPIC = "any.event"


class Situation(Struct, frozen=True):
    """What a run has read when it makes a call, in words."""

    name: str
    title: str


class _Facts(NamedTuple):
    title: str
    labels: Labels
    context: Mapping[str, Any]


_SITUATIONS: dict[str, _Facts] = {
    "plain": _Facts("has read only what is trusted", Labels(), {}),
    "over_limit": _Facts("is over a limit of the tool", Labels(), {"over_limit": True}),
    "private": _Facts("has read something private", Labels(False, "private"), {}),
    "tainted": _Facts("has read untrusted content", Labels(True), {}),
    "tainted_private": _Facts(
        "has read untrusted content and something private", Labels(True, "private"), {}
    ),
    "composed_target": _Facts(
        "has read untrusted content, and the model made up the target",
        Labels(True),
        {"flow": {"composed": ["recipient"]}},
    ),
    "untrusted_target": _Facts(
        "has read untrusted content, and only that names the target",
        Labels(True),
        {"flow": {"untrusted": ["recipient"]}},
    ),
}
SITUATIONS = tuple(Situation(name, facts.title) for name, facts in _SITUATIONS.items())


class ToolVerdict(Struct, frozen=True):
    """What policy says of a call in a situation. `policies` are the `@id`s that decide."""

    situation: str
    verdict: Verdict
    policies: tuple[str, ...]
    reason: str


class ToolPolicy(Struct, frozen=True):
    """A tool, and what policy says of calls of it. `tier` is 0 for reads, 1 for bounded writes, 2 for what is significant."""

    tool: str
    description: str
    risk: Risk
    tier: int
    effect: Effect
    outward: bool
    tags: tuple[str, ...]
    verdicts: list[ToolVerdict]
    approvers: tuple[str, ...] = ()
    quorum: int = 1


def tier_of(risk: Risk) -> int:
    """The integration tier of a risk (P4): 0 read-only, 1 bounded write, 2 privileged."""
    return min(2, int(risk[1]))


def judged(
    policy: Policy, specs: Iterable[ToolSpec], tenant_id: str, profile: str, agent: str = ""
) -> list[ToolPolicy]:
    """What the profile that policy knows by this key says of each tool, when `agent` calls it. Raises ConfigError."""
    return [
        _judged(policy, spec, Principal(tenant_id, "anybody", (), agent or ANY_AGENT), profile)
        for spec in specs
    ]


def _judged(policy: Policy, spec: ToolSpec, principal: Principal, profile: str) -> ToolPolicy:
    action, resource, tags = _asked(spec)
    attrs = {"risk": spec.risk, "effect": spec.effect, "outward": spec.outward, "tags": tags}
    verdicts = []
    approvers: tuple[str, ...] = ()
    quorum = 1
    for name, facts in _SITUATIONS.items():
        context = {"approved": False, "declared": True, **facts.context}
        decision = policy.decide(
            PolicyRequest(principal, action, resource, attrs, facts.labels, {}, context, profile)
        )
        verdicts.append(ToolVerdict(name, decision.verdict, decision.policies, decision.reason))
        if decision.verdict == "needs_approval":
            approvers, quorum = decision.approver_roles, decision.quorum
    return ToolPolicy(
        spec.name,
        spec.description,
        spec.risk,
        tier_of(spec.risk),
        spec.effect,
        spec.outward,
        spec.tags,
        verdicts,
        approvers,
        quorum,
    )


def _asked(spec: ToolSpec) -> tuple[ActionName, str, list[str]]:
    """Which action a call of the tool is to policy: for Remit's own ones that of what they do."""
    tags = list(spec.tags)
    if spec.name == PUBLISH:
        return "publish", ANY_TOPIC, tags
    if spec.name in (REMEMBER, FORGET) and spec.risk < "L2" and not spec.outward:
        scope, kinds = memory_question(spec.name, {})
        return "write_memory", scope, [*tags, *kinds]
    return "call_tool", spec.name, tags
