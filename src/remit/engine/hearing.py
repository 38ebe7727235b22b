"""What signals from outside mean for a run: the events that its worker notes when it takes them in."""

from __future__ import annotations

from typing import Any

from remit.core import event as ev
from remit.core.codec import decode
from remit.core.run import Run
from remit.core.signal import (
    AnswerGiven,
    CancelAsked,
    ChildDone,
    SignalBody,
    TaskAlive,
    TaskAnswered,
    TaskAsked,
    VoteCast,
)
from remit.core.states.remote import Remote
from remit.engine import telling
from remit.engine.effects import Recorder
from remit.engine.kit import Kit
from remit.ports.store import Signal


def hear(kit: Kit, recorder: Recorder, signals: list[Signal]) -> None:
    """Note the events that signals mean."""
    approvals = recorder.run.approvals
    waiting = [a.approval_id for a in approvals.values() if a.open]
    for signal in signals:
        recorder.note(*_heard(recorder, decode(signal.body, SignalBody)))  # type: ignore[arg-type]
    for settled in (approvals[a] for a in waiting if not approvals[a].open):
        telling.approval_settled(kit.telemetry, settled, kit.clock.now())


async def hear_inbox(kit: Kit, recorder: Recorder) -> bool:
    """Take in what lies in the inbox of a run that is in hand, once it is known that something does; whether anything did."""
    if not recorder.inbox:
        return False
    signals = await kit.store.inbox(recorder.run.run_id)
    recorder.inbox = 0
    hear(kit, recorder, signals)
    if signals:
        await recorder.flush(consumed=[s.signal_id for s in signals])
    return bool(signals)


def _heard(recorder: Recorder, signal: Any) -> list[ev.Data]:
    run = recorder.run
    if isinstance(signal, VoteCast) and signal.approval_id in run.approvals:
        own = signal.vote.approver_id in run.approvals[signal.approval_id].askers
        return [] if own else [ev.ApprovalVoted(signal.approval_id, signal.vote)]
    if isinstance(signal, AnswerGiven) and signal.approval_id in run.approvals:
        return [ev.QuestionAnswered(signal.approval_id, signal.answer, signal.by)]
    if isinstance(signal, CancelAsked):
        return [ev.CancelRequested(signal.by, signal.reason)]
    if isinstance(signal, ChildDone):
        step = run.steps.get(signal.step)
        if step is not None and step.state == "child":
            payload = recorder.pack(signal.result)
            done = ev.ChildEnded(
                signal.step, signal.child_run, payload, signal.usage, signal.labels, signal.vouched
            )
            return [done]
    if isinstance(signal, TaskAnswered) and (attempt := _expected(run, signal)) is not None:
        output = recorder.pack(recorder.clean(signal.output))
        error, cause = recorder.clean((signal.error[:MOST_ERROR], signal.cause[:MOST_CAUSE]))
        return [ev.TaskSettled(signal.visit, attempt, output, error, cause, signal.labels)]
    if isinstance(signal, TaskAlive) and _expected(run, signal) is not None:
        return [ev.TaskBeat(signal.visit, signal.attempt)]
    if isinstance(signal, TaskAsked) and run.workflow is not None:
        return _asked(recorder, run.workflow.remote, signal)
    return []


def _asked(recorder: Recorder, remote: Remote, signal: TaskAsked) -> list[ev.Data]:
    """A call of Step Functions, and which step of the run it is."""
    if signal.call in remote.calls:
        return []
    given = recorder.clean(signal.input)
    step = remote.step_for(signal.state, signal.entered_ts, signal.retry, given)
    packed = recorder.pack(given)
    return [
        ev.TaskCalled(signal.call, step, signal.state, signal.entered_ts, packed, signal.retry, signal.token)
    ]


def _expected(run: Run, signal: TaskAnswered | TaskAlive) -> int | None:
    """The attempt that a signal answers, if the workflow still waits for that answer."""
    visit = run.workflow.visits.get(signal.visit) if run.workflow is not None else None
    if run.workflow is not None and visit is None:
        waits = (c for c in run.workflow.remote.open() if c.step == signal.visit and c.settled is None)
        return next((call.retry for call in waits), None)
    if visit is None or visit.status != "scheduled" or visit.settled is not None:
        return None
    return visit.attempt if signal.attempt in (-1, visit.attempt) else None


MOST_ERROR, MOST_CAUSE = 256, 32_768
"""How long error and cause of a task may be, in characters (limits of SendTaskFailure)."""
