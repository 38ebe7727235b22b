"""Approvals: what was asked, of whom, until when, and what was decided (P7-D)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.tool import Risk

DecisionKind = Literal["approve", "reject", "constrain", "request_info"]
ApprovalStatus = Literal[
    "pending", "info_requested", "approved", "rejected", "constrained", "expired", "cancelled"
]
ApprovalReason = Literal["policy", "in_doubt", "gate"]

OPEN: tuple[ApprovalStatus, ...] = ("pending", "info_requested")


class Vote(Struct, frozen=True):
    """One person's decision. `decision_id` makes sending it twice harmless; `decided_ts` is Unix milliseconds."""

    decision_id: str
    approver_id: str
    kind: DecisionKind
    rationale: str
    decided_ts: int
    arguments: dict[str, Any] | None = None


class Approval(Struct, frozen=True):
    """A request for a person's decision on one exact call.

    It is bound to `arguments_digest` (of the canonical JSON of the arguments) and `policy_version`: after either
    changes, the approval no longer counts. Times are Unix milliseconds. `reason` is `policy` (may it happen?) or
    `in_doubt` (a crash hid whether it happened: approve means "it did not, do it", reject means "it did, go on") or
    `gate` (a workflow asks, and goes on with the decision whatever it is; edited arguments must fit `arguments_schema`).
    `caused_by` is who set the run off by an event, if that is not `requested_by`; neither of the two may decide.
    """

    approval_id: str
    run_id: str
    tenant_id: str
    step: str
    agent: str
    tool: str
    risk_level: Risk
    arguments: dict[str, Any]
    arguments_digest: str
    policy_version: str
    requested_by: str
    requested_ts: int
    expires_ts: int
    approver_roles: tuple[str, ...] = ()
    quorum: int = 1
    reason: ApprovalReason = "policy"
    profile: str = "default"
    explanation: str = ""
    idempotency_key: str = ""
    status: ApprovalStatus = "pending"
    votes: tuple[Vote, ...] = ()
    question: str = ""
    answer: str = ""
    agreed_arguments: dict[str, Any] | None = None
    agreed_digest: str = ""
    arguments_schema: dict[str, Any] | None = None
    caused_by: str = ""

    @property
    def askers(self) -> tuple[str, ...]:
        """Whose request it is, who therefore has no part in the decision."""
        return (self.requested_by, self.caused_by) if self.caused_by else (self.requested_by,)

    @property
    def open(self) -> bool:
        """Whether a decision is still wanted."""
        return self.status in OPEN

    @property
    def agreeing(self) -> frozenset[str]:
        """Who agreed to the arguments as they are now: an edit starts the count again."""
        edits = [i for i, v in enumerate(self.votes) if v.kind == "constrain"]
        counted = self.votes[edits[-1] :] if edits else self.votes
        return frozenset(v.approver_id for v in counted if v.kind in ("approve", "constrain"))


def apply_vote(approval: Approval, vote: Vote, vote_digest: str) -> Approval:
    """The approval after a vote. `vote_digest` is the digest of the arguments the vote agrees to.

    Reject settles at once. Approvals count by distinct person and by the exact arguments agreed to; the quorum
    settles it. The same `decision_id` again changes nothing. Votes on a settled approval change nothing.
    """
    if not approval.open or any(v.decision_id == vote.decision_id for v in approval.votes):
        return approval
    votes = (*approval.votes, vote)
    if vote.kind == "request_info":
        return replace(approval, votes=votes, status="info_requested", question=vote.rationale)
    if vote.kind == "reject":
        return replace(approval, votes=votes, status="rejected")
    agreed, digest = approval.agreed_arguments, approval.agreed_digest
    if vote.kind == "constrain":
        agreed, digest = vote.arguments, vote_digest
    voted = replace(approval, votes=votes, agreed_arguments=agreed, agreed_digest=digest)
    return _settle(voted)


def _settle(approval: Approval) -> Approval:
    if len(approval.agreeing) < approval.quorum:
        return approval
    status: ApprovalStatus = "constrained" if approval.agreed_arguments is not None else "approved"
    return replace(approval, status=status)


def answered(approval: Approval, answer: str) -> Approval:
    """The approval after its question was answered: pending again."""
    if approval.status != "info_requested":
        return approval
    return replace(approval, status="pending", answer=answer)
