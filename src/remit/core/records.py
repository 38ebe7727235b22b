"""The platform's own record collections (P14): written in the same transaction as the event they speak of."""

from __future__ import annotations

from msgspec import Struct


class AgentRun(Struct, frozen=True):
    """One run, for lists. `status`: running, waiting, success, failure. Times are Unix milliseconds; `cost` US dollars as text."""

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


class ApprovalEvent(Struct, frozen=True):
    """One approval, for lists and as the place where a decision is made conditional."""

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


class ToolCallRecord(Struct, frozen=True):
    """One tool call: the effect ledger's row. `call_id` is `run_id/step`, so it can be intended only once."""

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
