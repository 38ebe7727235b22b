"""The platform's record collections: what they are keyed and indexed by, and how rows are made."""

from __future__ import annotations

import hashlib
from typing import Any

from remit.core.approval import Approval
from remit.core.codec import encode, plain
from remit.core.records import ApprovalEvent
from remit.ports.store import Collection, Index, Put, Records

WAITING, YES = "waiting", "yes"
"""A field that only approvals have that nobody has settled: by it those of all tenants are found."""

BY_CHANGE = "by_change"
"""The index of runs and of approvals by when they were written last: what a live list is kept up to date from."""

MOST_COUNTED = 1000

COLLECTIONS = (
    Collection(
        "agent_run",
        ("run_id",),
        (
            Index("by_tenant", ("tenant_id", "start_ts")),
            Index("by_status", ("tenant_id", "status", "start_ts")),
            Index("by_agent", ("tenant_id", "agent_id", "start_ts")),
            Index("by_session", ("tenant_id", "session_id", "start_ts")),
            Index(BY_CHANGE, ("tenant_id", "changed_ts")),
        ),
    ),
    Collection("agent_handoff", ("handoff_id",), (Index("by_run", ("run_id", "handoff_id")),)),
    Collection(
        "approval_event",
        ("approval_id",),
        (
            Index("by_status", ("tenant_id", "status", "requested_ts")),
            Index("by_tenant", ("tenant_id", "requested_ts")),
            Index("by_run", ("run_id", "requested_ts")),
            Index("by_waiting", (WAITING, "requested_ts")),
            Index("by_deadline", ("tenant_id", WAITING, "expires_ts")),
            Index(BY_CHANGE, ("tenant_id", "changed_ts")),
        ),
    ),
    Collection(
        "tool_call",
        ("call_id",),
        (
            Index("by_run", ("run_id", "started_ts")),
            Index("by_tenant", ("tenant_id", "started_ts")),
            Index("by_refusal", ("tenant_id", "refused", "started_ts")),
        ),
    ),
)


def approval_record(approval: Approval, expect: Any, now: int) -> Put:
    """The record through which an approval is listed and decided, as written at `now`."""
    voted = approval.votes[-1] if approval.votes else None
    row = ApprovalEvent(
        approval_id=approval.approval_id,
        run_id=approval.run_id,
        tenant_id=approval.tenant_id,
        risk_level=approval.risk_level,
        requested_action=approval.tool,
        approver_role=",".join(approval.approver_roles),
        decision=voted.kind if voted else "",
        decision_rationale=voted.rationale if voted else "",
        decided_ts=voted.decided_ts if voted else None,
        status=approval.status,
        version=len(approval.votes) + (1 if approval.answer else 0),
        requested_ts=approval.requested_ts,
        approval=encode(approval).decode(),
        changed_ts=now,
        expires_ts=approval.expires_ts,
    )
    item = plain(row)
    return Put("approval_event", {**item, WAITING: YES} if approval.open else item, expect)


async def count_waiting(store: Records) -> int:
    """How many approvals of all tenants wait; at most `MOST_COUNTED` are counted. Raises StoreError."""
    page = await store.query("approval_event", "by_waiting", (YES,), limit=MOST_COUNTED)
    return len(page.items)


def approval_id(run_id: str, step: str, digest: str, policy_version: str, reason: str, count: int) -> str:
    """An id bound to the exact call, so that asking again after a crash is the same approval."""
    text = "\x00".join((run_id, step, digest, policy_version, reason, str(count)))
    return "apr_" + hashlib.sha256(text.encode()).hexdigest()[:26]
