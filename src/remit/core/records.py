"""The platform's own record collections (P14): written in the same transaction as the event they speak of."""

from __future__ import annotations

from msgspec import Struct


class AgentRun(Struct, frozen=True):
    """One run, for lists. `status`: running, waiting, success, failure. Times are Unix milliseconds; `cost` US dollars as text.

    `changed_ts`: when this record was written last, by the clock of whoever wrote it. `counted`: it has ended, and its cost was
    handed to the roll-up.
    """

    run_id: str
    tenant_id: str
    workflow_id: str
    agent_id: str
    status: str
    start_ts: int
    end_ts: int | None
    cost: str
    trace_id: str
    task_id: str = ""
    session_id: str = ""
    parent_run: str = ""
    objective: str = ""
    waiting_on: tuple[str, ...] = ()
    changed_ts: int = 0
    counted: bool = False


class ApprovalEvent(Struct, frozen=True):
    """One approval, for lists and as the place where a decision is made conditional. `changed_ts`: when it was written last; `expires_ts`: its deadline."""

    approval_id: str
    run_id: str
    tenant_id: str
    risk_level: str
    requested_action: str
    approver_role: str
    decision: str
    decision_rationale: str
    decided_ts: int | None
    status: str = "pending"
    version: int = 0
    requested_ts: int = 0
    approval: str = ""
    changed_ts: int = 0
    expires_ts: int = 0


class ToolCallRecord(Struct, frozen=True):
    """One tool call: the effect ledger's row. `call_id` is `run_id/step`, so it can be intended only once.

    `policies` are those that decided, `approval_id` the approval that let it through, if it needed one.
    """

    call_id: str
    run_id: str
    tenant_id: str
    tool_id: str
    input_hash: str
    policy_decision: str
    execution_status: str
    output_ref: str
    latency_ms: float
    started_ts: int = 0
    agent_id: str = ""
    policies: tuple[str, ...] = ()
    approval_id: str = ""


class PolicyRefusal(ToolCallRecord, frozen=True, kw_only=True):
    """A call that policy did not let through as it was asked, beside the row of its effect, if it ever has one.

    `policy_decision` is `deny` or `needs_approval` (by `approval_id`), and so is `refused`, by which these rows are found;
    `execution_status` is `refused` or `held`. `kind` is the step's: tool, delegate or model. `reason` is what was told.
    """

    refused: str
    step: str
    kind: str
    reason: str
    policy_version: str
