"""What a person needs to know to decide an approval: the call, the tool, where the run's content came from, and earlier decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remit.core.approval import Approval, ApprovalStatus, DecisionKind
from remit.core.codec import decode
from remit.core.origins import Origins, Standing
from remit.core.provenance import Labels
from remit.core.result import status_of
from remit.core.run import Run
from remit.core.task import Problem
from remit.core.tool import Effect, Risk, ToolSpec
from remit.core.view import RunStatus
from remit.engine import delegation
from remit.engine.kit import Kit
from remit.engine.policy_tools import tier_of
from remit.engine.terms import Terms
from remit.ports.store import Records

SETTLED: tuple[ApprovalStatus, ...] = ("approved", "rejected", "constrained", "expired")
LOOKED = 100
"""The newest approvals of each outcome among which earlier decisions are looked for."""

MOST_EARLIER = 10
MOST_IDENTICAL = 1000
"""The newest pending approvals among which identical ones are looked for."""

MOST_SOURCES = 50
PAGE = 200


class ToolFacts(Struct, frozen=True):
    """The tool that an approval is about. `tier` as in P4; not `known` is one that no longer exists here."""

    name: str
    description: str
    risk: Risk
    tier: int
    effect: Effect
    outward: bool
    input_schema: dict[str, Any]
    known: bool = True


class ContentSource(Struct, frozen=True):
    """Something that the run has read. `standing` is trusted, untrusted, or composed (by a model)."""

    name: str
    standing: Standing
    private: bool


class AskingRun(Struct, frozen=True):
    """The run that asks. `legs` say in words where untrusted and private content in it came from."""

    run_id: str
    agent: str
    status: RunStatus
    objective: str
    started_by: str
    labels: Labels
    legs: tuple[str, ...]
    sources: tuple[ContentSource, ...]
    sources_left_out: int = 0


class Earlier(Struct, frozen=True):
    """An earlier decision about a call of the same tool."""

    approval_id: str
    run_id: str
    agent: str
    status: ApprovalStatus
    decided_ts: int
    by: str
    rationale: str
    same_arguments: bool


class ApprovalContext(Struct, frozen=True):
    """Everything about an approval for somebody who may have to decide it.

    `may_decide` is as deciding would be authorised now, and `why_not` says why not. `decisions` are those possible now.
    `earlier` are found among the newest approvals of each outcome. `identical` are the ids of other pending approvals of exactly
    the same call by the same agent; without `identical_complete` only the newest pending ones were looked at.
    """

    approval: Approval
    may_decide: bool
    why_not: Problem | None
    decisions: tuple[DecisionKind, ...]
    tool: ToolFacts
    run: AskingRun
    earlier: tuple[Earlier, ...]
    identical: tuple[str, ...]
    identical_complete: bool


def tool_of(kit: Kit, run: Run, approval: Approval, terms: Terms) -> ToolFacts:
    """The tool of an approval, held to the contract that the run goes by."""
    if approval.arguments_schema is not None or approval.reason == "gate":
        spec = ToolSpec(
            approval.tool, approval.explanation, approval.arguments_schema or {}, risk=approval.risk_level
        )
        return _facts(spec, known=True)
    target = delegation.target(approval.tool, run.agent.delegates)
    if target:
        return _facts(delegation.spec(approval.tool, target, kit.catalogue), known=True)
    tool = kit.catalogue.tools.get(approval.tool)
    if tool is None:
        return _facts(ToolSpec(approval.tool, "", {}, risk=approval.risk_level, outward=True), known=False)
    return _facts(terms.tools.get(approval.tool, tool.spec), known=True)


def _facts(spec: ToolSpec, *, known: bool) -> ToolFacts:
    return ToolFacts(
        spec.name,
        spec.description,
        spec.risk,
        tier_of(spec.risk),
        spec.effect,
        spec.outward,
        spec.input_schema,
        known,
    )


def run_of(kit: Kit, run: Run) -> AskingRun:
    """The run as somebody who decides sees it."""

    def schema(name: str) -> Mapping[str, Any]:
        tool = kit.catalogue.tools.get(name)
        return tool.spec.input_schema if tool is not None else {}

    read = [(s.shown, s.standing, s.private) for s in Origins(run, schema).all() if s.text.raw]
    sources = [ContentSource(*each) for each in dict.fromkeys(read)]
    legs = tuple(
        f"it has read {kind} content: {', '.join(dict.fromkeys(some[:5]))}"
        for kind, some in (
            ("untrusted", [s.name for s in sources if s.standing == "untrusted"]),
            ("private", [s.name for s in sources if s.private]),
        )
        if some
    )
    return AskingRun(
        run.run_id,
        run.agent.name,
        status_of(run),
        run.task.objective,
        run.task.actor_context.actor_id,
        run.labels,
        legs,
        tuple(sources[:MOST_SOURCES]),
        max(0, len(sources) - MOST_SOURCES),
    )


async def earlier(store: Records, approval: Approval) -> tuple[Earlier, ...]:
    """Earlier decisions about calls of the same tool, newest first."""
    found = []
    for status in SETTLED:
        page = await store.query(
            "approval_event", "by_status", (approval.tenant_id, status), descending=True, limit=LOOKED
        )
        like = [item for item in page.items if item["requested_action"] == approval.tool]
        found += [_earlier(decode(item["approval"], Approval), approval) for item in like[:MOST_EARLIER]]
    return tuple(sorted(found, key=lambda each: -each.decided_ts)[:MOST_EARLIER])


def _earlier(settled: Approval, approval: Approval) -> Earlier:
    last = settled.votes[-1] if settled.votes else None
    return Earlier(
        settled.approval_id,
        settled.run_id,
        settled.agent,
        settled.status,
        last.decided_ts if last else settled.expires_ts,
        last.approver_id if last else "",
        last.rationale if last else "",
        same_call(settled, approval),
    )


def same_call(one: Approval, other: Approval) -> bool:
    """Whether two approvals are about exactly the same: tool, canonical arguments, agent, question and who may decide."""
    return _call(one) == _call(other)


def _call(approval: Approval) -> tuple[Any, ...]:
    return (
        approval.tool,
        approval.arguments_digest,
        approval.agent,
        approval.reason,
        approval.profile,
        approval.approver_roles,
        approval.quorum,
    )


async def identical(store: Records, approval: Approval) -> tuple[tuple[str, ...], bool]:
    """The ids of other pending approvals of the same call, and whether all pending ones were looked at."""
    found: list[str] = []
    cursor: str | None = None
    for _ in range(MOST_IDENTICAL // PAGE):
        page = await store.query(
            "approval_event",
            "by_status",
            (approval.tenant_id, "pending"),
            descending=True,
            limit=PAGE,
            cursor=cursor,
        )
        for item in page.items:
            if item["requested_action"] == approval.tool and item["approval_id"] != approval.approval_id:
                other = decode(item["approval"], Approval)
                if same_call(other, approval):
                    found.append(other.approval_id)
        cursor = page.cursor
        if cursor is None:
            return tuple(found), True
    return tuple(found), False
