"""Results and views: folds of a run made for readers."""

from __future__ import annotations

from typing import Any

from remit.core.codec import plain
from remit.core.message import Message
from remit.core.run import Run, Step
from remit.core.states.progress import Visit
from remit.core.task import Problem, Result, ResultStatus
from remit.core.view import RunStatus, RunView, StateView, StepView


def status_of(run: Run) -> RunStatus:
    """running, waiting, success or failure."""
    if run.finished is not None:
        return run.finished.status
    return "waiting" if run.waiting_on else "running"


def result_of(run: Run) -> Result:
    """The result as far as it is known. A run that waits for a person says `needs_approval` or `needs_info`."""
    done = run.finished
    open_ = [a for a in run.approvals.values() if a.open]
    status: ResultStatus = "needs_approval"
    if done is not None:
        status = done.status
    elif open_ and all(a.status == "info_requested" for a in open_):
        status = "needs_info"
    task = run.task
    return Result(
        run_id=run.run_id,
        task_id=task.task_id,
        status=status,
        result_payload=done.payload if done else None,
        artifacts=tuple(run.artifacts),
        decision_log=tuple(run.decisions),
        cost_usage=run.usage,
        trace_id=task.trace_id,
        problem=done.problem if done else None,
        waiting_on=run.waiting_on,
    )


def view_of(run: Run) -> RunView:
    """Everything a reader may want to see of a run at this moment."""
    return RunView(
        run_id=run.run_id,
        tenant_id=run.task.tenant_id,
        agent=run.agent.name,
        status=status_of(run),
        task=run.task,
        result=result_of(run),
        seq=run.seq,
        created_ts=run.created_ts,
        ended_ts=run.finished.ts if run.finished else None,
        budget=run.budget,
        usage=run.usage,
        labels=run.labels,
        waiting_on=run.waiting_on,
        steps=tuple(_step(s) for s in run.steps.values()),
        approvals=tuple(run.approvals.values()),
        children=tuple(s.child_run for s in run.steps.values() if s.child_run),
        parent_run=run.start.parent_run,
        definitions=run.start.definitions,
        states=tuple(_state(v) for v in run.workflow.visits.values()) if run.workflow is not None else (),
        forked_from=run.start.forked_from,
        execution=run.start.execution,
    )


def _state(visit: Visit) -> StateView:
    return StateView(
        visit=visit.visit,
        frame=visit.frame,
        state=visit.state,
        pointer="".join(f"/{str(p).replace('~', '~0').replace('/', '~1')}" for p in visit.pointer),
        status=visit.status,
        entered_ts=visit.entered_ts,
        ended_ts=visit.ended_ts,
        attempts=visit.attempt + 1,
        error=visit.error,
        cause=visit.cause,
    )


def _step(step: Step) -> StepView:
    output: Any = plain(step.output) if isinstance(step.output, Message) else step.output
    problem: Problem | None = step.problem
    return StepView(
        step=step.step,
        kind=step.kind,
        name=step.name,
        state=step.state,
        verdict=step.decision.verdict if step.decision else "",
        policies=step.decision.policies if step.decision else (),
        arguments=step.arguments,
        output=output,
        problem=f"[{problem.code}] {problem.message}" if problem else "",
        child_run=step.child_run,
        approval_id=step.approval_id,
        started_ts=step.started_ts,
        latency_ms=step.latency_ms,
    )
