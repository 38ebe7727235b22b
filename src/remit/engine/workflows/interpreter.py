"""The interpreter: moves a workflow's frames until each has ended or must wait. Every transition is an event.

INVARIANT: an expression is evaluated once; what it gave is journaled, and after that only the journal is read.
INVARIANT: a Task's call goes through the gateway as step `VISIT.ATTEMPT`, so a retry is another call and a replay is none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from remit.core import event as ev
from remit.core.codec import encode
from remit.core.payload import Payload
from remit.core.run import Finished, Run, Step
from remit.core.signal import CancelAsked
from remit.core.states import dataflow, failures
from remit.core.states.dataflow import Outcome, Scope
from remit.core.states.failures import StateFailure
from remit.core.states.progress import ROOT, Frame, Progress, Visit, distributed
from remit.core.states.resources import Resource, parse
from remit.core.task import Problem
from remit.engine.calls import Ask, Interrupted, Parked
from remit.engine.effects import Recorder
from remit.engine.gateway import Gateway
from remit.engine.hearing import hear_inbox
from remit.engine.kit import Kit
from remit.engine.workflows import callbacks, calls, mapping
from remit.engine.workflows.ending import ended_with
from remit.engine.workflows.items import batches
from remit.engine.workflows.scopes import Scopes
from remit.ports.store import Signal, Write

FLUSH_EVENTS = 200
"""Transitions without a call that may gather before they are written."""
LONGEST_S = 99_999_999
"""The longest pause before a Retry in seconds, as long as a Wait may be."""

_BEGUN = ("intended", "in_doubt", "child")
"""States of a step that was begun and has no outcome."""

State = Mapping[str, Any]


class Interpreter:
    """One hold of a workflow's run. Frames that can go on stand in `_ready`; calls in flight have a task each.

    `_calling`: the frames whose call is in flight, and its step.
    """

    def __init__(
        self, kit: Kit, gateway: Gateway, progress: Progress, overdue: Callable[[], Problem | None]
    ) -> None:
        self.kit = kit
        self.gateway = gateway
        self.progress = progress
        self.run: Run = gateway.run
        self.recorder: Recorder = gateway.recorder
        self._overdue = overdue
        self._ready: deque[str] = deque()
        self._calls: dict[asyncio.Task[None], str] = {}
        self._landed: deque[asyncio.Task[None]] = deque()
        self._calling: dict[str, str] = {}
        self._asked: dict[str, calls.Call] = {}
        self._waiting: dict[str, Parked] = {}
        self._noticed = asyncio.Event()
        self._noted = 0
        self._scope = Scopes(self.run, progress, kit.clock).of

    def notice(self) -> None:
        """Signals came for the run."""
        self._noticed.set()

    async def go(self) -> Finished | None:
        """Until the workflow ends; None when the run must stop. Raises Parked, StoreError, FencedError."""
        if not self.progress.frames and self.progress.ended is None:
            self._begin()
        self._ready.extend(self.progress.frames)
        try:
            while True:
                await self._hear()
                if self.run.cancelled is not None or self._overdue() is not None:
                    return None
                self._expire()
                while self._ready and self.progress.ended is None:
                    self._move(self._ready.popleft())
                    if self._noted >= FLUSH_EVENTS:
                        self._noted = 0
                        await self.recorder.flush()
                self._start()
                if self.progress.ended is not None:
                    return self._finished(self.progress.ended.output)
                if not self._calls:
                    raise self._parked()
                self.recorder.flush_soon()
                await self._next()
        finally:
            await self._leave()

    def _begin(self) -> None:
        self._note(
            ev.StateEntered("s0", ROOT, self.progress.document["StartAt"], self._pack(self.progress.input))
        )

    # waiting

    async def _hear(self) -> None:
        """Take signals in while calls are in flight: those who waited for them go on."""
        self._noticed.clear()
        if await hear_inbox(self.kit, self.recorder):
            self._wake(self._waiting)

    async def _next(self) -> None:
        """Wait for a call to settle, a signal, or the time of whoever waits."""
        wake = self._wake_ts()
        if wake is None:
            await self._noticed.wait()
        else:
            await self._notice_before(wake)
        while self._landed:
            task = self._landed.popleft()
            frame = self._calls.pop(task)
            self._calling.pop(frame, None)
            task.result()
            if frame not in self.progress.frames:
                self._wake(self._waiting)  # a state that is done again may have waited for this call
            elif frame not in self._waiting:
                self._ready.append(frame)

    async def _notice_before(self, wake: int) -> None:
        pause = max(wake - self.kit.clock.now(), 0) / 1000
        # In the background, like a heartbeat: a clock that a test owns is not moved by it.
        timer = asyncio.create_task(self.kit.clock.sleep(pause), name=f"heartbeat:{self.run.run_id}:timer")
        noticed = asyncio.ensure_future(self._noticed.wait())
        try:
            await asyncio.wait((timer, noticed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            noticed.cancel()

    def _land(self, task: asyncio.Task[None]) -> None:
        """A call has come to its end. Not looked for among all that are in flight, which may be thousands."""
        self._landed.append(task)
        self._noticed.set()

    def _wake_ts(self) -> int | None:
        return min((p.wake_ts for p in self._waiting.values() if p.wake_ts is not None), default=None)

    def _expire(self) -> None:
        """Let those go on whose time has come, and end a workflow that has lasted too long."""
        now = self.kit.clock.now()
        self._wake([f for f, p in self._waiting.items() if p.wake_ts is not None and p.wake_ts <= now])
        limit = self._limit_ts()
        if limit is not None and now >= limit and self.progress.ended is None:
            root = self.progress.frames[ROOT]
            why = f"the workflow lasted longer than {self.progress.document['TimeoutSeconds']:g} s"
            self._fail_frame(self.progress.visits[root.visit], failures.TIMEOUT, why)

    def _limit_ts(self) -> int | None:
        limit = self.progress.document.get("TimeoutSeconds")
        return None if limit is None else self.run.created_ts + int(limit * 1000)

    def _wake(self, frames: Any) -> None:
        for frame in list(frames):
            del self._waiting[frame]
            self._ready.append(frame)

    def _parked(self) -> Parked:
        names = dict.fromkeys(name for p in self._waiting.values() for name in p.waiting_on)
        wake = [t for t in (self._wake_ts(), self._limit_ts()) if t is not None]
        return Parked(tuple(names), min(wake, default=None))

    def _wait(self, frame: Frame, names: tuple[str, ...], wake_ts: int | None = None) -> None:
        self._waiting[frame.frame] = Parked(names, wake_ts)

    async def _leave(self) -> None:
        """Tools in flight are brought to their outcome; nothing else is begun."""
        await asyncio.gather(*self._calls, return_exceptions=True)

    # moving

    def _move(self, name: str) -> None:
        """Bring one frame one step further: into a state, or through what its state does."""
        frame = self.progress.frames.get(name)
        if frame is None or name in self._calling:
            return
        if frame.next:
            self._enter(frame, frame.next, frame.handed)
        visit = self.progress.visits[frame.visit]
        state = self.progress.state_of(visit)
        if not visit.open:
            return
        try:
            _DO[state["Type"]](self, frame, visit, state)
        except StateFailure as failure:
            self._failed(frame, visit, state, failure)

    def _enter(self, frame: Frame, state: str, given: Any) -> None:
        if self.progress.counted >= failures.VISITS and not self._in_distributed(frame):
            why = f"the workflow entered {failures.VISITS:,} states: a loop in it has no end"
            self._fail_frame(self.progress.visits[frame.visit], failures.RUNTIME, why)
            return
        visit = f"s{len(self.progress.visits)}"
        self._note(ev.StateEntered(visit, frame.frame, state, self._pack(given)))

    def _in_distributed(self, frame: Frame) -> bool:
        while frame.frame != ROOT:
            if distributed(frame.machine):
                return True
            frame = self.progress.frames[self.progress.visits[frame.parent].frame]
        return False

    def _exit(self, frame: Frame, visit: Visit, state: State, outcome: Outcome) -> None:
        """Go on with what a state hands on."""
        self._leave_state(
            visit,
            ev.StateExited(
                visit.visit, self._pack(outcome.output), _next(state), self._pack(outcome.assigned)
            ),
        )

    def _leave_state(self, visit: Visit, event: ev.StateExited) -> None:
        self._abandon(visit)
        self._note(event)
        self._after(visit)

    def _after(self, visit: Visit) -> None:
        """Whose turn it is after a state has ended: its frame's, or that of the Parallel or Map that its frame served."""
        if visit.frame in self.progress.frames:
            self._ready.append(visit.frame)
        elif self.progress.ended is None:
            self._ready.append(self.progress.visits[visit.parent].frame)

    def _failed(self, frame: Frame, visit: Visit, state: State, failure: StateFailure) -> None:
        """Retry, catch, or fail the frame (AWS developer guide, "Handling errors")."""
        error, cause = self.recorder.clean((failure.error, failure.cause))
        if self._retry(visit, state, error, cause):
            self._ready.append(frame.frame)
            return
        for catcher in state.get("Catch", ()):
            if failures.matches(catcher["ErrorEquals"], error):
                try:
                    outcome = dataflow.caught(state, catcher, self._scope(frame, visit, state), error, cause)
                except StateFailure as worse:
                    error, cause = self.recorder.clean((worse.error, worse.cause))
                    break
                packed = self._pack(outcome.output), catcher["Next"], self._pack(outcome.assigned)
                self._leave_state(visit, ev.StateExited(visit.visit, *packed, error, cause))
                return
        self._fail_frame(visit, error, cause)

    def _fail_frame(self, visit: Visit, error: str, cause: str) -> None:
        self._abandon(visit)
        self._note(ev.StateFailed(visit.visit, error, cause))
        self._after(visit)

    def _retry(self, visit: Visit, state: State, error: str, cause: str) -> bool:
        """Whether the state is done again: the first Retrier that the error matches decides."""
        for place, retrier in enumerate(state.get("Retry", ())):
            if not failures.matches(retrier["ErrorEquals"], error):
                continue
            done = visit.retries.get(place, 0)
            if done >= retrier.get("MaxAttempts", 3):
                return False
            pause = _pause(retrier, done)
            if retrier.get("JitterStrategy", "NONE") == "FULL":
                pause *= self.kit.clock.random()
            self._abandon(visit)
            wake = self.kit.clock.now() + int(pause * 1000)
            self._note(ev.StateRetried(visit.visit, visit.attempt + 1, place, error, cause, wake))
            return True
        return False

    def _abandon(self, visit: Visit) -> None:
        """Whatever a state still waits for is told that nobody does any more."""
        self._drop(visit)
        if visit.status == "branching":
            for frame in self.progress.below(visit.visit):
                self._drop(self.progress.visits[frame.visit])

    def _drop(self, visit: Visit) -> None:
        self._waiting.pop(visit.frame, None)
        if visit.status != "scheduled":
            return
        writes: list[Write] = callbacks.forgotten(self.run, visit)
        step = self.run.steps.get(visit.step)
        if step is not None and step.state == "child":
            writes.append(self._stop(step))
        if step is not None:
            self.gateway.withdraw(step)
        if writes:
            self.recorder.note(writes=writes)

    def _stop(self, step: Step) -> Signal:
        """A child is asked to end."""
        why = "the branch of the workflow that asked for this was stopped"
        return Signal(
            step.child_run, f"parent-stop:{self.run.run_id}", encode(CancelAsked(self.run.run_id, why))
        )

    # states

    def _pass(self, frame: Frame, visit: Visit, state: State) -> None:
        scope = self._scope(frame, visit, state)
        result = state["Result"] if "Result" in state else dataflow.arguments(state, scope)
        self._exit(frame, visit, state, dataflow.finished(state, scope, result))

    def _succeed(self, frame: Frame, visit: Visit, state: State) -> None:
        scope = self._scope(frame, visit, state)
        self._exit(frame, visit, state, dataflow.finished(state, scope, dataflow.arguments(state, scope)))

    def _fail(self, frame: Frame, visit: Visit, state: State) -> None:
        told = dataflow.failure(state, self._scope(frame, visit, state))
        self._fail_frame(visit, *self.recorder.clean(told))

    def _choice(self, frame: Frame, visit: Visit, state: State) -> None:
        chosen = dataflow.choose(state, self._scope(frame, visit, state))
        packed = self._pack(chosen.output), chosen.next, self._pack(chosen.assigned)
        self._leave_state(visit, ev.StateExited(visit.visit, *packed))

    def _wait_state(self, frame: Frame, visit: Visit, state: State) -> None:
        scope = self._scope(frame, visit, state)
        if visit.status == "entered":
            self._note(ev.WaitStarted(visit.visit, dataflow.wait_until(state, scope)))
        if self._before(frame, visit.wake_ts):
            return
        self._exit(frame, visit, state, dataflow.finished(state, scope, dataflow.arguments(state, scope)))

    def _before(self, frame: Frame, wake_ts: int) -> bool:
        """Whether it is too early to go on; the frame then waits."""
        if self.kit.clock.now() >= wake_ts:
            return False
        self._wait(frame, (f"timer:{wake_ts}",), wake_ts)
        return True

    def _held_up(self, frame: Frame, visit: Visit) -> bool:
        """Whether a Retry must wait: for its time, or for what earlier attempts began and whose outcome is not known.

        An effect in doubt is put before a person first, and a child that was stopped ends before another begins.
        """
        if self._before(frame, visit.wake_ts):
            return True
        begun = self._begun(visit)
        if begun is None:
            return False
        if begun.step in self._calling.values():
            self._wait(frame, (f"call:{begun.step}",))
        else:
            self._ask(frame, Ask(begun.step, begun.call_id, begun.name, begun.arguments, from_model=False))
        return True

    def _begun(self, visit: Visit) -> Step | None:
        """A step without an outcome of an earlier attempt: the last call of a Task, any call in a Parallel's or Map's frames."""
        last = self.run.steps.get(f"{visit.visit}.{visit.attempt - 1}")
        if last is not None:
            return last if last.state in _BEGUN else None
        found = (s for s in self.run.steps.values() if s.state in _BEGUN and self._serves(s.step, visit))
        return next(found, None)

    def _serves(self, step: str, visit: Visit) -> bool:
        """Whether a step was taken for a visit, or for a state in its branches or iterations."""
        name = step.partition(".")[0]
        while name != visit.visit and name in self.progress.visits:
            name = self.progress.visits[name].parent
        return name == visit.visit

    def _task(self, frame: Frame, visit: Visit, state: State) -> None:
        resource = parse(state["Resource"])
        if resource is None:
            raise StateFailure(failures.RUNTIME, f"`{state['Resource']}` is no resource")
        if visit.status == "retrying" and self._held_up(frame, visit):
            return
        if visit.status != "scheduled":
            self._schedule(frame, visit, state, resource)
        if visit.settled is not None:
            self._settled(frame, visit, state)
        elif callbacks.only_outside(resource):
            self._outside(frame, visit, resource)
        else:
            self._call(frame, visit, state, resource)

    def _schedule(self, frame: Frame, visit: Visit, state: State, resource: Resource) -> None:
        """Evaluate what a Task is given, and until when it may last."""
        token = callbacks.new_token(self.kit, resource)
        scope = self._scope(frame, visit, state, token)
        arguments = self.recorder.clean(dataflow.arguments(state, scope))
        seconds = dataflow.number(state, "TimeoutSeconds", scope)
        beats = dataflow.number(state, "HeartbeatSeconds", scope)
        deadline = None if seconds is None else self.kit.clock.now() + int(seconds * 1000)
        beat = None if beats is None else int(beats * 1000)
        self._note(ev.TaskScheduled(visit.visit, visit.attempt, self._pack(arguments), deadline, beat, token))
        writes = callbacks.expected(self.kit, self.run, visit, resource)
        if writes:
            self.recorder.note(writes=writes)

    def _settled(self, frame: Frame, visit: Visit, state: State) -> None:
        """Somebody outside has answered."""
        assert visit.settled is not None
        self.recorder.note(writes=callbacks.forgotten(self.run, visit))
        if visit.settled.error:
            raise StateFailure(visit.settled.error, visit.settled.cause)
        scope = self._scope(frame, visit, state, visit.token)
        self._exit(frame, visit, state, dataflow.finished(state, scope, visit.settled.output))

    def _outside(self, frame: Frame, visit: Visit, resource: Resource) -> None:
        """Wait for an answer from outside, or for its time to run out."""
        now = self.kit.clock.now()
        if visit.deadline_ts is not None and now >= visit.deadline_ts:
            raise StateFailure(failures.TIMEOUT, f"state `{visit.state}` had no answer in time")
        beat_ts = None if visit.heartbeat_ms is None else visit.beat_ts + visit.heartbeat_ms
        if beat_ts is not None and now >= beat_ts:
            raise StateFailure(failures.HEARTBEAT_TIMEOUT, f"state `{visit.state}` had no heartbeat in time")
        wake = min((t for t in (visit.deadline_ts, beat_ts) if t is not None), default=None)
        self._wait(frame, (callbacks.waiting_name(self.run, visit, resource),), wake)

    def _call(self, frame: Frame, visit: Visit, state: State, resource: Resource) -> None:
        """Call what the Task names, or go on with its answer."""
        about = state.get("Comment") or f"state {visit.state} of workflow {self.run.agent.name}"
        call = calls.call_of(resource, visit.arguments, visit.step, about, self.run.agent, self.kit.catalogue)
        step = self.run.steps.get(visit.step)
        if step is None or not step.settled:
            if self._late(visit) and (step is None or self._unanswered(step)):
                raise StateFailure(failures.TIMEOUT, f"state `{visit.state}` lasted longer than it may")
            self._asked[frame.frame] = call
            return
        result = calls.answer(call, step)
        if resource.mode == "token":
            self._outside(frame, visit, resource)
            return
        scope = self._scope(frame, visit, state, visit.token)
        self._exit(frame, visit, state, dataflow.finished(state, scope, result))

    def _unanswered(self, step: Step) -> bool:
        """Whether a call waits, and not for its own effect: what a person decided at a gate counts, however late it is heard."""
        decided = step.kind == "gate" and not self.run.approvals[step.approval_id].open
        return step.state in ("child", "awaiting") and not decided

    def _late(self, visit: Visit) -> bool:
        return visit.deadline_ts is not None and self.kit.clock.now() >= visit.deadline_ts

    def _start(self) -> None:
        """Start the calls that were asked for, all at once: children get equal slices."""
        asked = {f: call for f, call in self._asked.items() if f in self.progress.frames}
        children = sum(call.delegate for call in asked.values())
        for frame, call in asked.items():
            visit = self.progress.visits[self.progress.frames[frame].visit]
            ask = call.ask
            step = self.run.steps.get(ask.step)
            # An effect that was begun before is brought to its outcome, however late: in less time it would stay in doubt.
            if visit.deadline_ts is not None and (step is None or step.state not in _BEGUN):
                left = max(visit.deadline_ts - self.kit.clock.now(), 1) / 1000
                ask = Ask(ask.step, ask.call_id, ask.name, ask.arguments, None, False, ask.gate, left)
            task = asyncio.create_task(self._settle(frame, visit, ask, max(children, 1)))
            task.add_done_callback(self._land)
            self._calls[task] = frame
            self._calling[frame] = ask.step
            children -= call.delegate
        self._asked = {}

    async def _settle(self, frame: str, visit: Visit, ask: Ask, starting: int) -> None:
        try:
            await self.gateway.settle([ask], starting=starting)
        except Parked as parked:
            deadline = visit.deadline_ts if visit.status == "scheduled" else None
            wake = [t for t in (parked.wake_ts, deadline) if t is not None]
            step = self.run.steps.get(ask.step)
            if step is not None and step.state == "in_doubt":
                wake = []  # whether it happened must be known, however late
            if step is not None and step.state == "child" and visit.status != "scheduled":
                # It may have been stopped before there was a run that could hear of it.
                await self.kit.store.transact([self._stop(step)])
            if frame in self.progress.frames:
                self._waiting[frame] = Parked(parked.waiting_on, min(wake, default=None))
        except Interrupted:
            self._noticed.set()

    # Parallel and Map

    def _branching(self, frame: Frame, visit: Visit, state: State) -> None:
        if visit.status == "retrying" and self._held_up(frame, visit):
            return
        if visit.status != "branching" and not self._branch(frame, visit, state):
            return
        if visit.failures and self._too_many(visit):
            raise self._branch_failure(visit, state)
        running = len(self.progress.inside.get(visit.visit, ()))
        while visit.started < len(visit.inputs) and (not visit.limit or running < visit.limit):
            name = f"{visit.visit}.{visit.attempt}.{visit.started}"
            machine = self.progress.frame_for(visit, visit.started).machine
            given = self._pack(visit.inputs[visit.started])
            self._note(ev.StateEntered(f"s{len(self.progress.visits)}", name, machine["StartAt"], given))
            self._ready.append(name)
            running += 1
        if not running:
            self._join(frame, visit, state)

    def _branch(self, frame: Frame, visit: Visit, state: State) -> bool:
        """Start a Parallel's branches or a Map's iterations; False while a Map still reads its items."""
        scope = self._scope(frame, visit, state)
        if state["Type"] == "Parallel":
            inputs = [dataflow.arguments(state, scope)] * len(state["Branches"])
            self._note(ev.BranchesStarted(visit.visit, visit.attempt, self._pack(inputs)))
            return True
        read = mapping.items(visit, state, scope, self.run)
        if read is None:
            self._ask(frame, mapping.reading(visit, state, scope))
            return False
        given = [dataflow.item_input(state, scope, item) for item in read]
        inputs = batches(state, scope, given) if "ItemBatcher" in state else given
        told = "ItemBatcher" not in state and inputs != [i.value for i in read]
        items = [[i.value, i.key, i.source] for i in read] if told else None
        limit = int(dataflow.number(state, "MaxConcurrency", scope) or 0)
        tolerated = _tolerated(state, scope, len(inputs))
        packed = self._pack(inputs), limit, tolerated, self._pack(items)
        self._note(ev.BranchesStarted(visit.visit, visit.attempt, *packed))
        return True

    def _too_many(self, visit: Visit) -> bool:
        return len(visit.failures) > max(visit.tolerated, 0)

    def _branch_failure(self, visit: Visit, state: State) -> StateFailure:
        error, cause = next(iter(visit.failures.values()))
        if visit.tolerated < 0:
            return StateFailure(error, cause)
        return StateFailure(
            failures.TOLERATED,
            f"{len(visit.failures)} of {len(visit.inputs)} items failed, {visit.tolerated} may; first: {error}: {cause}",
        )

    def _join(self, frame: Frame, visit: Visit, state: State) -> None:
        """All branches or iterations have ended."""
        scope = self._scope(frame, visit, state)
        result: Any = [visit.outputs[i] for i in sorted(visit.outputs)]
        if "ResultWriter" in state:
            result = mapping.written(visit, self.run)
            if result is None:
                self._ask(frame, mapping.writing(self.run, visit, state, scope))
                return
        self._exit(frame, visit, state, dataflow.finished(state, scope, result))

    def _ask(self, frame: Frame, ask: Ask) -> None:
        """Call a tool on behalf of a frame's state; the frame goes on when it has settled."""
        self._asked[frame.frame] = calls.Call(ask)

    # ends and odds

    def _finished(self, output: Any) -> Finished:
        ended, now = self.progress.ended, self.kit.clock.now()
        assert ended is not None
        if ended.error:
            problem = self.recorder.problem(
                "E640", f"{ended.error}: {ended.cause}" if ended.cause else ended.error
            )
            return Finished("failure", {"Error": ended.error, "Cause": ended.cause}, problem, now)
        return ended_with(self.run, output, now)

    def _pack(self, value: Any) -> Payload:
        return self.recorder.pack(value)

    def _note(self, event: ev.Data) -> None:
        self._noted += 1
        self.recorder.note(event)


def _pause(retrier: State, done: int) -> float:
    """Seconds until an attempt after `done` others: growing, up to what the document says and to LONGEST_S."""
    most = float(min(retrier.get("MaxDelaySeconds", LONGEST_S), LONGEST_S))
    interval, rate = float(retrier.get("IntervalSeconds", 1)), float(retrier.get("BackoffRate", 2.0))
    try:
        return min(interval * rate**done, most)
    except OverflowError:
        return most


def _next(state: State) -> str:
    return str(state.get("Next", ""))


def _tolerated(state: State, scope: Scope, total: int) -> int:
    """How many items may fail: the smaller of count and percentage; -1 for a Map that says nothing of it and is inline."""
    count = dataflow.number(state, "ToleratedFailureCount", scope)
    percentage = dataflow.number(state, "ToleratedFailurePercentage", scope)
    if count is None and percentage is None:
        processor = state.get("ItemProcessor", state.get("Iterator", {}))
        return 0 if distributed(processor) else -1
    limits = [int(count)] if count is not None else []
    if percentage is not None:
        limits.append(int(total * Decimal(str(percentage)) / 100))
    return min(limits)


_DO: Mapping[str, Callable[[Interpreter, Frame, Visit, State], None]] = {
    "Pass": Interpreter._pass,
    "Task": Interpreter._task,
    "Choice": Interpreter._choice,
    "Wait": Interpreter._wait_state,
    "Succeed": Interpreter._succeed,
    "Fail": Interpreter._fail,
    "Parallel": Interpreter._branching,
    "Map": Interpreter._branching,
}
