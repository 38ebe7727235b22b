"""Approvals from outside: list them, decide about them, answer their questions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from remit.core.approval import Approval, ApprovalStatus, DecisionKind, Vote, answered, apply_vote
from remit.core.codec import decode, digest_of, encode, plain
from remit.core.errors import (
    ConditionError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    RemitError,
)
from remit.core.policy import PolicyRequest, Principal
from remit.core.provenance import Labels
from remit.core.run import Run
from remit.core.signal import AnswerGiven, VoteCast
from remit.core.task import Actor, Problem
from remit.engine import loading
from remit.engine.contracts import input_problems
from remit.engine.kit import Kit
from remit.engine.records import YES, approval_record
from remit.engine.schemas import Validator
from remit.engine.terms import Terms, terms_of
from remit.ports.store import Page, Put, Signal

if TYPE_CHECKING:
    from remit.engine.approval_context import ApprovalContext

TRIES = 20
MOST_COUNTED = 200
WANTED = "open"
"""In place of a state: all that want a decision, which are those that are pending and those that were asked about."""


class Counted(Struct, frozen=True):
    """How many approvals are in a state; with `more` there are more than were counted."""

    status: ApprovalStatus
    count: int
    more: bool


class Outcome(Struct, frozen=True):
    """What came of one approval of several that were decided together: the approval after it, or why it was not decided."""

    approval_id: str
    approval: Approval | None = None
    problem: Problem | None = None


Counts = list[Counted]
Outcomes = list[Outcome]


class Approvals:
    """The approvals of all runs."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def list(
        self, tenant_id: str, *, status: str = "pending", limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Approvals of a tenant, newest first, as plain dicts; `status` empty for all.

        `open` are those that still want a decision, the first to expire first.
        """
        index, equals = ("by_status", (tenant_id, status)) if status else ("by_tenant", (tenant_id,))
        if status == WANTED:
            index, equals = "by_deadline", (tenant_id, YES)
        page = await self._kit.store.query(
            "approval_event", index, equals, descending=status != WANTED, limit=limit, cursor=cursor
        )
        return Page([plain(decode(item["approval"], Approval)) for item in page.items], page.cursor)

    async def counts(self, tenant_id: str) -> Counts:
        """How many approvals there are in each state; at most `MOST_COUNTED` are counted."""
        pages = [
            self._kit.store.query("approval_event", "by_status", (tenant_id, status), limit=MOST_COUNTED)
            for status in get_args(ApprovalStatus)
        ]
        found = zip(get_args(ApprovalStatus), await asyncio.gather(*pages), strict=True)
        return [Counted(status, len(page.items), page.cursor is not None) for status, page in found]

    async def context(self, approval_id: str, tenant_id: str, actor: Actor) -> ApprovalContext:
        """What somebody needs to know who may have to decide. Raises NotFoundError, ConflictError E409."""
        from remit.engine import approval_context as about

        approval = await self.get(approval_id, tenant_id)
        run = await self._as_asked(approval)
        terms = await terms_of(self._kit, run)
        refusal: RemitError | None = None
        possible: tuple[DecisionKind, ...] = ()
        try:
            self._authorise(approval, tenant_id, actor, terms)
            possible = self._possible(approval, actor)
            self._check_open(approval)
        except RemitError as error:
            refusal = error
        same, complete = await about.identical(self._kit.store, approval)
        return about.ApprovalContext(
            approval,
            refusal is None,
            None if refusal is None else Problem(refusal.code, refusal.message, refusal.help),
            possible if refusal is None else (),
            about.tool_of(self._kit, run, approval, terms),
            about.run_of(self._kit, run),
            await about.earlier(self._kit.store, approval),
            same,
            complete,
        )

    async def decide_identical(
        self,
        approval_ids: Sequence[str],
        tenant_id: str,
        actor: Actor,
        kind: DecisionKind,
        *,
        rationale: str = "",
        decision_id: str = "",
    ) -> Outcomes:
        """Decide several approvals of exactly the same call at once: an outcome for each, in order.

        Raises ConflictError E1024, before anything is decided, unless they are of the same call; NotFoundError; InputError E106 for
        what can only be decided one by one.
        """
        from remit.engine import approval_context as about

        if kind not in ("approve", "reject"):
            raise InputError(f"`{kind}` is for one approval at a time", code="E106", help="approve or reject")
        ids = list(dict.fromkeys(approval_ids))
        asked = [await self.get(approval_id, tenant_id) for approval_id in ids]
        other = next((each for each in asked[1:] if not about.same_call(asked[0], each)), None)
        if other is not None:
            raise ConflictError(
                f"approval `{other.approval_id}` is about another call than `{ids[0]}`",
                code="E1024",
                help="decide together only what is identical: agent, tool and arguments",
            )
        outcomes = []
        for approval_id in ids:
            once = f"{decision_id}:{approval_id}" if decision_id else ""
            try:
                after = await self.decide(
                    approval_id, tenant_id, actor, kind, rationale=rationale, decision_id=once
                )
                outcomes.append(Outcome(approval_id, after))
            except RemitError as error:
                problem = Problem(error.code, error.message, error.help)
                outcomes.append(Outcome(approval_id, problem=problem))
        return outcomes

    async def fill_deadlines(self) -> int:
        """Give approvals that wait since before there was an index of deadlines their place in it; how many. Raises StoreError."""
        page = await self._kit.store.query("approval_event", "by_waiting", (YES,), limit=200)
        old = [item for item in page.items if not item.get("expires_ts")]
        for item in old:
            filled = {**item, "expires_ts": decode(item["approval"], Approval).expires_ts}
            expect = {"version": item["version"], "status": item["status"]}
            with contextlib.suppress(ConditionError):  # decided just now: written with its deadline
                await self._kit.store.transact([Put("approval_event", filled, expect)])
        return len(old)

    async def get(self, approval_id: str, tenant_id: str) -> Approval:
        """One approval. Raises NotFoundError for an unknown one or another tenant's."""
        item = await self._kit.store.get("approval_event", (approval_id,))
        if item is None or item["tenant_id"] != tenant_id:
            raise NotFoundError(
                f"there is no approval `{approval_id}`", help="`remit approvals list` shows those that wait"
            )
        return decode(item["approval"], Approval)

    async def decide(
        self,
        approval_id: str,
        tenant_id: str,
        actor: Actor,
        kind: DecisionKind,
        *,
        rationale: str = "",
        arguments: dict[str, Any] | None = None,
        decision_id: str = "",
    ) -> Approval:
        """Record a person's decision and wake the run. Sending the same `decision_id` again is harmless.

        Raises DeniedError (may not approve), ConflictError E405 (settled otherwise, or expired), InputError.
        """
        decision_id = decision_id or self._kit.clock.new_id("dec")
        for _ in range(TRIES):
            approval = await self.get(approval_id, tenant_id)
            known = next((v for v in approval.votes if v.decision_id == decision_id), None)
            if known is not None:
                return self._same(approval, known, actor, kind)
            terms = await terms_of(self._kit, await self._as_asked(approval))
            self._authorise(approval, tenant_id, actor, terms)
            clean = self._check(approval, actor, kind, rationale, arguments, terms)
            vote = Vote(
                decision_id, actor.actor_id, kind, self._clean(rationale), self._kit.clock.now(), clean
            )
            agreed = approval.arguments_digest if clean is None else digest_of(clean)
            after = apply_vote(approval, vote, agreed)
            body = encode(VoteCast(approval_id, vote))
            signal = Signal(approval.run_id, f"vote:{approval_id}:{decision_id}", body)
            if await self._swap(approval, after, signal):
                return after
        raise ConflictError(
            f"approval `{approval_id}` changes too quickly", help="look at it again and decide again"
        )

    async def answer(self, approval_id: str, tenant_id: str, actor: Actor, text: str) -> Approval:
        """Answer an approver's question; the approval is pending again. Raises ConflictError E406 when nothing was asked."""
        for _ in range(TRIES):
            approval = await self.get(approval_id, tenant_id)
            if approval.status != "info_requested":
                raise ConflictError(f"approval `{approval_id}` has no open question", code="E406")
            text = self._clean(text)
            body = encode(AnswerGiven(approval_id, text, actor.actor_id))
            signal = Signal(approval.run_id, f"answer:{approval_id}:{len(approval.votes)}", body)
            after = answered(approval, text)
            if await self._swap(approval, after, signal):
                return after
        raise ConflictError(f"approval `{approval_id}` changes too quickly")

    async def _as_asked(self, approval: Approval) -> Run:
        """The run that asked. Raises ConflictError E409 when the run's journal does not say what the record says: a person sees the record."""
        run, _ = await loading.load(self._kit.store, approval.run_id, approval.tenant_id)
        asked = run.approvals.get(approval.approval_id)
        if asked is None or _question(asked) != _question(approval):
            raise ConflictError(
                f"the record of approval `{approval.approval_id}` is not what run `{approval.run_id}` asked",
                code="E409",
                help=f"the record was changed: cancel the run; `remit runs verify {approval.run_id}` checks the journal",
            )
        return run

    def _same(self, approval: Approval, known: Vote, actor: Actor, kind: DecisionKind) -> Approval:
        if known.approver_id != actor.actor_id or known.kind != kind:
            raise ConflictError(
                f"decision id `{known.decision_id}` was used for another decision",
                code="E407",
                help="use a fresh decision id",
            )
        return approval

    def _check(
        self,
        approval: Approval,
        actor: Actor,
        kind: DecisionKind,
        rationale: str,
        arguments: dict[str, Any] | None,
        terms: Terms,
    ) -> dict[str, Any] | None:
        self._check_open(approval)
        if kind == "approve" and actor.actor_id in approval.agreeing:
            raise ConflictError(f"`{actor.actor_id}` approved this already; another person must", code="E405")
        if kind == "request_info" and not rationale:
            raise InputError("request_info needs a question", code="E106", help="give it as the rationale")
        if kind != "constrain":
            return None
        if arguments is None or approval.reason == "in_doubt":
            raise InputError(
                "constrain needs edited arguments of a call that policy holds",
                code="E106",
                help="give `arguments`, or approve or reject",
            )
        return self._constrained(approval, arguments, terms)

    def _check_open(self, approval: Approval) -> None:
        if not approval.open:
            raise ConflictError(
                f"approval `{approval.approval_id}` is {approval.status} already",
                code="E405",
                help="nothing was changed",
            )
        if approval.reason != "in_doubt" and self._kit.clock.now() >= approval.expires_ts:
            raise ConflictError(f"approval `{approval.approval_id}` expired, which means reject", code="E405")

    def _possible(self, approval: Approval, actor: Actor) -> tuple[DecisionKind, ...]:
        """What somebody who may decide an open approval can decide."""
        kinds: list[DecisionKind] = [] if actor.actor_id in approval.agreeing else ["approve"]
        kinds += ["reject"] if approval.reason == "in_doubt" else ["reject", "constrain"]
        return (*kinds, "request_info")

    def _constrained(self, approval: Approval, arguments: dict[str, Any], terms: Terms) -> dict[str, Any]:
        clean: dict[str, Any] = self._kit.redactor(terms.policy.key).value(arguments)
        tool = self._kit.catalogue.tools.get(approval.tool)
        if tool:
            problems = input_problems(terms.tools.get(tool.spec.name, tool.spec), tool, clean)
        else:
            schema = approval.arguments_schema
            problems = Validator(schema).problems(clean) if schema else ()
        if problems:
            raise InputError(
                f"the edited arguments do not fit `{approval.tool}`: {problems[0]}",
                code="E107",
                help=f"give them all; those asked for: `remit approvals show {approval.approval_id}`",
            )
        return clean

    def _authorise(self, approval: Approval, tenant_id: str, actor: Actor, terms: Terms) -> None:
        if actor.actor_id in approval.askers:
            raise DeniedError(
                "nobody approves their own request", code="E311", help="ask somebody with an approver role"
            )
        if approval.approver_roles and not set(actor.roles) & set(approval.approver_roles):
            wanted = ", ".join(f"`{r}`" for r in approval.approver_roles)
            raise DeniedError(
                f"`{actor.actor_id}` has none of the roles {wanted}",
                code="E312",
                help="ask somebody who has one",
            )
        decision = self._kit.policy.decide(
            PolicyRequest(
                Principal(tenant_id, actor.actor_id, actor.roles),
                "approve",
                approval.tool,
                {"risk": approval.risk_level, "tenant_id": approval.tenant_id, "tags": _tags(approval)},
                Labels(),
                approval.arguments,
                {"requester_is_approver": actor.actor_id in approval.askers},
                terms.policy.key,
            )
        )
        if decision.verdict != "allow":
            raise DeniedError(
                decision.reason or f"policy does not let `{actor.actor_id}` approve",
                code="E312",
                help=decision.help,
            )

    def _clean(self, text: str) -> str:
        return self._kit.redactor("default").text(text)[:4000]

    async def _swap(self, before: Approval, after: Approval, signal: Signal) -> bool:
        """Write the approval if it is still as it was, and the signal with it."""
        version = len(before.votes) + (1 if before.answer else 0)
        record = approval_record(after, {"version": version, "status": before.status}, self._kit.clock.now())
        try:
            await self._kit.store.transact([record, signal])
        except ConditionError:
            return False
        return True


def _tags(approval: Approval) -> list[str]:
    """What policy may know of what is approved: that it is a workflow's gate, which names the roles that decide."""
    return ["gate"] if approval.reason == "gate" and approval.approver_roles else []


def _question(approval: Approval) -> Approval:
    """What was asked, without how far its answer has come."""
    return replace(
        approval,
        status="pending",
        votes=(),
        question="",
        answer="",
        agreed_arguments=None,
        agreed_digest="",
    )
