"""Goes along with an execution of Step Functions: starts it, serves the calls that it makes, and writes down what it did.

INVARIANT: the id of the run is the name of its execution, so that starting it again starts nothing.
INVARIANT: a call goes through the gateway as one step of the run, whatever its function went through meanwhile; who asks again
is given the outcome of that step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from remit.core import event as ev
from remit.core.codec import convert, encode, plain
from remit.core.errors import ConfigError, InputError, StoreError
from remit.core.run import Finished, Run, Step
from remit.core.signal import CancelAsked
from remit.core.states.failures import StateFailure
from remit.core.states.history import Reader, Reading
from remit.core.states.progress import Progress
from remit.core.states.remote import Called, Remote
from remit.core.task import Problem
from remit.engine.calls import Ask, Interrupted, Parked
from remit.engine.effects import Recorder
from remit.engine.gateway import Gateway
from remit.engine.hearing import hear_inbox
from remit.engine.kit import Kit
from remit.engine.workflows.callbacks import COLLECTION, token_hash
from remit.engine.workflows.ending import ended_with
from remit.engine.workflows.stepfunctions.answers import Answer, Calls
from remit.engine.workflows.stepfunctions.reach import Reach
from remit.ports.machines import Execution, Machines
from remit.ports.store import Delete, Put, Signal, Write

log = logging.getLogger("remit.workflows")

READ_EVERY_S = 1.0
"""The history is read no more often in one hold (quota of Step Functions: some ten requests a second for an account)."""
SETTLING_S = 0.2
LATE_READS = 10
"""How often an execution that ended is asked for the end of its history, which may come a little later."""
FIRST_LOOK_S, BUSY_LOOK_S, LAST_LOOK_S = 2.0, 60.0, 3600.0
"""When to look at an execution of which nothing is heard: after a quarter of the time that it has been silent, but no sooner than
the first of these (the second, while it waits for Remit) and no later than the last. It is usually heard of before."""
BEAT_MS = 5_000
"""How old a heartbeat may be that is passed on by whoever takes the run up."""
LOST_S = 300.0
"""An execution that cannot be found for so long does not exist."""


class ExecutionDriver:
    """One hold of a run that Step Functions moves. Calls in flight have a task each, by their step."""

    def __init__(
        self,
        kit: Kit,
        gateway: Gateway,
        progress: Progress,
        overdue: Callable[[], Problem | None],
        reach: Reach,
    ) -> None:
        self.kit = kit
        self.gateway = gateway
        self.progress = progress
        self.remote: Remote = progress.remote
        self.run: Run = gateway.run
        self.recorder: Recorder = gateway.recorder
        self.machines = machines_of(kit, self.run)
        self.calls = Calls(self.run, progress, kit.catalogue)
        self._overdue = overdue
        self._reach = reach
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, Parked] = {}
        self._left: set[str] = set()
        self._noticed = asyncio.Event()
        self._beaten = kit.clock.now() - BEAT_MS
        self._read_at: float | None = None
        self._stands: Execution | None = None

    def notice(self) -> None:
        """Signals came for the run."""
        self._noticed.set()

    async def go(self) -> Finished | None:
        """Until the execution ends; None when the run must stop. Raises Parked, StoreError, FencedError, ConfigError."""
        try:
            refused = await self._begin()
            if refused is not None:
                return refused
            while True:
                await self._hear()
                if self.run.cancelled is not None or self._overdue() is not None:
                    return None
                self._expire()
                await self._read()
                if await self._reply():
                    await self._linger()
                if self._stands is not None and self._stands.ended:
                    return self._finished(self._stands)
                self._start()
                if not self._flying:
                    raise self._parked()
                self.recorder.flush_soon()
                await self._next()
        finally:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    async def _begin(self) -> Finished | None:
        """Start the execution, unless it was started before or by somebody else."""
        execution = self.run.start.execution
        if self.remote.execution:
            return None
        await self.recorder.flush()
        if execution.endswith(f":{self.run.run_id}"):
            await self.recorder.assure()
            self.recorder.crash("before:execution")
            try:
                await self.machines.start(execution, self.progress.input)
            except InputError as error:
                problem = self.recorder.problem(error.code, error.message, error.help)
                return Finished("failure", None, problem, self.kit.clock.now())
            self.recorder.crash("after:execution")
        self.recorder.note(ev.ExecutionStarted(execution))
        return None

    # hearing and reading

    async def _hear(self) -> None:
        self._noticed.clear()
        if await hear_inbox(self.kit, self.recorder):
            self._waiting.clear()

    async def _read(self) -> None:
        """Look how the execution stands, and write down what is new of its history."""
        now = self.kit.clock.monotonic()
        if self._read_at is not None and now - self._read_at < READ_EVERY_S:
            return
        self._read_at = now
        try:
            await self._look()
        except StoreError as error:
            # Step Functions says no more for now. What it asked for can be done all the same; it is looked at again later.
            log.warning("execution %s cannot be looked at: %s", self.remote.execution, error)

    async def _look(self) -> None:
        self._stands = await self.machines.describe(self.remote.execution)
        if self._stands is None and self._silent_s() > LOST_S:
            self._stands = Execution(
                self.remote.execution, "ABORTED", None, None, "", "the execution does not exist"
            )
        for _ in range(LATE_READS):
            if await self._take_in() or self._stands is None or not self._stands.ended:
                return
            await self.kit.clock.sleep(SETTLING_S)

    async def _take_in(self) -> bool:
        """Whether the end of the history was read."""
        moments = await self.machines.history(self.remote.execution, self.remote.last)
        reading = convert(self.remote.reading or {}, Reading)
        reader = Reader(self.progress, reading, self._pack, self.recorder.note)
        last = reader.read([m for m in moments if m.id > self.remote.last])
        reading = reader.reading()
        if last:
            self.recorder.note(ev.HistoryRead(last, self._pack(plain(reading))))
        return reading.ended

    # answering

    async def _reply(self) -> bool:
        """Tell Step Functions of every call that has come to its end. Whether the execution should end with that."""
        ending = False
        for called in self.remote.open():
            answer = self.calls.answer(called)
            if answer is not None:
                await self._tell(called, answer)
                ending = ending or self.calls.is_last(called)
            elif self.calls.left(called):
                self._drop(called)
            elif called.beat_ts > self._beaten:
                await self.machines.beat(called.token)
        self._beaten = self.kit.clock.now()
        return ending

    async def _linger(self) -> None:
        """Stay for the end of an execution that had nothing else to do."""
        await self.recorder.flush()
        await self.kit.clock.sleep(SETTLING_S)
        self._read_at = None
        await self._read()

    async def _tell(self, called: Called, answer: Answer) -> None:
        """Answer a call. Being killed in between, it is answered once more, and Step Functions then waits no longer."""
        error, cause = self.recorder.clean((answer.error, answer.cause))
        waits = True
        if called.token:
            await (
                self.recorder.flush()
            )  # what a read found is else written later, and would be read once more
            self.recorder.crash(f"before:reply:{called.state}")
            if error:
                waits = await self.machines.fail(called.token, error, cause)
            else:
                waits = await self.machines.succeed(called.token, answer.output)
            self.recorder.crash(f"after:reply:{called.state}")
        self.recorder.note(ev.TaskReplied(called.call, error, not waits), writes=self._forgotten(called))

    def _drop(self, called: Called) -> None:
        """Nobody waits for this call any more: whoever works on it is told."""
        step = self.run.steps.get(called.step)
        writes = self._forgotten(called)
        if step is not None and step.state == "child":
            writes.append(self._stop(step))
        if step is not None:
            self.gateway.withdraw(step)
        self.recorder.note(ev.TaskReplied(called.call, lost=True), writes=writes)

    def _stop(self, step: Step) -> Signal:
        why = "the workflow does not wait for this any more"
        body = encode(CancelAsked(self.run.run_id, why))
        return Signal(step.child_run, f"parent-stop:{self.run.run_id}", body)

    def _row(self, called: Called) -> Put:
        """What lets somebody outside answer through Remit, who was given the task token."""
        row = {
            "token_hash": token_hash(called.token),
            "tenant_id": self.run.task.tenant_id,
            "run_id": self.run.run_id,
            "visit": called.step,
            "attempt": called.retry,
            "state": called.state,
        }
        return Put(COLLECTION.name, row)

    def _forgotten(self, called: Called) -> list[Write]:
        if not self.calls.is_answered_outside(called):
            return []
        return [Delete(COLLECTION.name, (token_hash(called.token),))]

    # calling

    def _start(self) -> None:
        """Start the calls that stand open, all at once: children get equal slices."""
        self._left = set()
        asks: dict[str, Ask] = {}
        fresh: set[str] = set()
        children = 0
        for called in self.remote.open():
            ask = self._ask(called)
            if ask is not None and called.step not in asks:
                asks[called.step] = ask
                if called.step in self.run.steps:
                    continue
                if self.calls.request(called).delegate:
                    fresh.add(called.step)
                    children = max(len(fresh), self.calls.beside(called))
                if self.calls.is_answered_outside(called):
                    self.recorder.note(writes=[self._row(called)])
        for step, ask in asks.items():
            task = asyncio.create_task(self._settle(step, ask, max(children, 1)))
            task.add_done_callback(self._land)
            self._flying[step] = task
            children -= step in fresh

    def _ask(self, called: Called) -> Ask | None:
        """What is to be asked of the gateway now for a call; None when there is nothing to ask, or not here."""
        step = self.run.steps.get(called.step)
        if called.step in self._flying or called.step in self._waiting:
            return None
        if step is not None and step.settled:
            return None
        try:
            ask = self.calls.request(called).ask
        except StateFailure:  # it is answered with that
            return None
        if not self._reached(called, ask):
            self._left.add(called.step)
            return None
        return ask

    def _reached(self, called: Called, ask: Ask) -> bool:
        """Whether this process may make a call, and has the time for it."""
        tool = self.kit.catalogue.tools.get(ask.name)
        if tool is None or ask.gate:
            return True
        if self._reach.tools is not None and ask.name not in self._reach.tools:
            return False
        if called.call == self._reach.own or self._reach.until_ts is None:
            return True
        return self.kit.clock.now() + tool.spec.timeout_s * 1000 < self._reach.until_ts

    async def _settle(self, step: str, ask: Ask, starting: int) -> None:
        try:
            await self.gateway.settle([ask], starting=starting)
        except Parked as parked:
            self._waiting[step] = parked
        except Interrupted:
            self._noticed.set()

    def _land(self, task: asyncio.Task[None]) -> None:
        self._noticed.set()

    async def _next(self) -> None:
        """Wait for a call to settle, or a signal."""
        await self._noticed.wait()
        for step, task in [(s, t) for s, t in self._flying.items() if t.done()]:
            del self._flying[step]
            task.result()

    # waiting and ending

    def _expire(self) -> None:
        now = self.kit.clock.now()
        for step, parked in list(self._waiting.items()):
            if parked.wake_ts is not None and parked.wake_ts <= now:
                del self._waiting[step]

    def _parked(self) -> Parked:
        waits = [name for parked in self._waiting.values() for name in parked.waiting_on]
        waits += [f"call:{step}" for step in sorted(self._left)]
        waits.append(f"execution:{self.remote.execution.rpartition(':')[2]}")
        return Parked(tuple(dict.fromkeys(waits)), min(self._wakes()))

    def _wakes(self) -> Iterable[int]:
        now = self.kit.clock.now()
        first = BUSY_LOOK_S if self.remote.open() else FIRST_LOOK_S
        pause = min(max(self._silent_s() / 4, first), LAST_LOOK_S)
        yield now + int(pause * 1000)
        if self._left:
            yield now + int(self.kit.lease_ttl_s * 1000)
        yield from (p.wake_ts for p in self._waiting.values() if p.wake_ts is not None)

    def _silent_s(self) -> float:
        """How long nothing was heard of the execution, in seconds."""
        return (self.kit.clock.now() - self.remote.heard_ts) / 1000

    def _finished(self, stands: Execution) -> Finished:
        if stands.status == "SUCCEEDED":
            return ended_with(self.run, stands.output, self.kit.clock.now())
        error = stands.error or {"TIMED_OUT": "States.Timeout"}.get(stands.status, "ExecutionAborted")
        told = self.recorder.clean({"Error": error, "Cause": stands.cause})
        text = f"{error}: {stands.cause}" if stands.cause else error
        return Finished("failure", told, self.recorder.problem("E640", text), self.kit.clock.now())

    def _pack(self, value: Any) -> Any:
        return self.recorder.pack(self.recorder.clean(value))


def machines_of(kit: Kit, run: Run) -> Machines:
    """The state machines that a run is moved by. Raises ConfigError E698 in a process that does not know them."""
    if kit.machines is None:
        raise ConfigError(
            f"run `{run.run_id}` is moved by Step Functions, which this process was not told of",
            code="E698",
            help="set `REMIT_ENGINE=stepfunctions` and `REMIT_DEPLOYMENT`, as where the run was started",
        )
    return kit.machines


async def stop_execution(kit: Kit, run: Run, problem: Problem) -> None:
    """The execution of a run that is to end is stopped before anything else, so that it calls for nothing more."""
    if run.start.execution:
        await machines_of(kit, run).stop(run.start.execution, problem.code, problem.message)
