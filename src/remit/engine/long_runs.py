"""The view of a run that is too long to be shown whole: its newest steps, and everything that is told without them."""

from __future__ import annotations

from msgspec.structs import replace

from remit.core.approval import Approval
from remit.core.steps import StepRow
from remit.core.task import Result, ResultStatus
from remit.core.view import RunView, StateView, StepView
from remit.engine.stepping import Stepping, Whole
from remit.engine.summaries import RunSummary, Summaries
from remit.ports.store import RunHead

LONG = 20_000
"""Events from which on a run counts as long."""

SHOWN = 1_000
"""Steps, and states, of a long run that its view has."""

FOR_S = 30.0
"""Seconds for which the usage of a long run is added up at most; the next look goes on with it."""


def is_long(head: RunHead) -> bool:
    """Whether a run has more events than its view can be made of at once."""
    return head.seq >= LONG


async def view_of_long(summaries: Summaries, stepping: Stepping, run_id: str, tenant_id: str) -> RunView:
    """The view of a long run: `left_out` steps and states older than the newest are not in it, nor what went in and out
    of those that are, the log of decisions and the artifacts. Raises NotFoundError."""
    run = await summaries.show(run_id, tenant_id)
    _, whole = await stepping.whole(run_id, tenant_id, for_s=FOR_S)
    async with whole.lock:
        return _view(run, whole, await summaries.approvals(run_id))


async def result_of_long(summaries: Summaries, stepping: Stepping, run_id: str, tenant_id: str) -> Result:
    """The result of a long run, without its log of decisions. Raises NotFoundError."""
    run = await summaries.show(run_id, tenant_id)
    _, whole = await stepping.whole(run_id, tenant_id, for_s=FOR_S)
    async with whole.lock:
        return replace(_result(run, whole), artifacts=tuple(whole.fold.artifacts))


def _view(run: RunSummary, whole: Whole, approvals: list[Approval]) -> RunView:
    fold = whole.fold
    rows = fold.rows[-SHOWN:]
    return RunView(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        agent=run.agent,
        status=run.status,
        task=run.task,
        result=_result(run, whole),
        seq=fold.seq,
        created_ts=run.created_ts,
        ended_ts=run.ended_ts,
        budget=run.budget,
        usage=fold.usage,
        labels=fold.labels,
        waiting_on=run.waiting_on,
        steps=tuple(_step(row) for row in rows if row.kind != "state"),
        approvals=tuple(approvals),
        children=tuple(row.child_run for row in rows if row.child_run),
        parent_run=run.parent_run,
        definitions=run.definitions,
        states=tuple(_state(row) for row in rows if row.kind == "state"),
        forked_from=run.forked_from,
        execution=run.execution,
        left_out=len(fold.rows) - len(rows),
    )


def _result(run: RunSummary, whole: Whole) -> Result:
    status: ResultStatus = "needs_approval"
    if run.status in ("success", "failure"):
        status = run.status
    return Result(
        run_id=run.run_id,
        task_id=run.task.task_id,
        status=status,
        result_payload=run.payload,
        cost_usage=whole.fold.usage,
        trace_id=run.task.trace_id,
        problem=run.problem,
        waiting_on=run.waiting_on,
    )


def _step(row: StepRow) -> StepView:
    return StepView(
        step=row.step,
        kind=row.kind,
        name=row.name,
        state=row.state,
        verdict=row.verdict,
        policies=row.policies,
        problem=row.problem,
        child_run=row.child_run,
        approval_id=row.approval_id,
        started_ts=row.started_ts,
        latency_ms=float(row.ended_ts - row.started_ts) if row.ended_ts is not None else 0.0,
    )


def _state(row: StepRow) -> StateView:
    """The state as far as a row tells; its place in the document is not known here."""
    return StateView(
        visit=row.step,
        frame=row.parent,
        state=row.name,
        pointer="",
        status=row.state,
        entered_ts=row.started_ts,
        ended_ts=row.ended_ts,
        attempts=row.attempts,
        error=row.problem,
    )
