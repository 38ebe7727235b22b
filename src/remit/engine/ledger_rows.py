"""The rows of the effect ledger: one for each call with an effect, by run and step."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from remit.core.codec import plain
from remit.core.records import ToolCallRecord
from remit.core.run import Run, Step
from remit.ports.store import Put

CALL = "tool_call"


def as_it_stands(
    run: Run, step: str, tool: str, digest: str, status: str, now: int, expect: Any = None
) -> Put:
    """The row of a call whose outcome is not in the fold: intended, in doubt, or done as a person says."""
    row = _row(run, step, run.steps.get(step), tool, digest, "allow", status, now)
    return Put(CALL, plain(row), expect)


def as_it_ended(run: Run, step: Step) -> Put:
    """The row of a call whose outcome is known, all of it from the fold."""
    verdict = step.decision.verdict if step.decision else "allow"
    output = (step.output_ref or "inline") if step.state == "done" else ""
    row = _row(
        run,
        step.step,
        step,
        step.name,
        step.arguments_digest,
        verdict,
        step.state,
        step.started_ts,
        output_ref=output,
        latency_ms=step.latency_ms,
    )
    return Put(CALL, asdict(row))


def _row(
    run: Run,
    step: str,
    known: Step | None,
    tool: str,
    digest: str,
    verdict: str,
    status: str,
    started_ts: int,
    *,
    output_ref: str = "",
    latency_ms: float = 0.0,
) -> ToolCallRecord:
    decision = known.decision if known is not None else None
    return ToolCallRecord(
        call_id=f"{run.run_id}/{step}",
        run_id=run.run_id,
        tenant_id=run.task.tenant_id,
        tool_id=tool,
        input_hash=digest,
        policy_decision=verdict,
        execution_status=status,
        output_ref=output_ref,
        latency_ms=latency_ms,
        started_ts=started_ts,
        agent_id=run.agent.name,
        policies=decision.policies if decision is not None else (),
        approval_id=known.approval_id if known is not None else "",
    )
