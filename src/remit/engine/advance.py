"""`advance(run_id)`: read the journal, do the next work until the run ends or must wait, and return.

Whatever can call a function at least once can drive it. It may be killed at any instruction and called again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.budget import NANO, Usage
from remit.core.codec import decode, encode, plain
from remit.core.errors import DeniedError, FencedError, NotFoundError, RemitError
from remit.core.result import result_of
from remit.core.run import Finished, Run
from remit.core.signal import CancelAsked, ChildDone, SignalBody
from remit.core.task import Problem, Result
from remit.engine import costs, deaths, delegation, envelopes, loading, telling
from remit.engine.breaker import Breaker
from remit.engine.calls import Ask, Interrupted, Parked
from remit.engine.creation import first_record
from remit.engine.effects import Hold, Recorder
from remit.engine.execution import unwritten
from remit.engine.gateway import Gateway
from remit.engine.hearing import hear
from remit.engine.kit import Kit
from remit.engine.loop import Ended, LlmLoop, act
from remit.engine.parts import portions
from remit.engine.records import approval_record
from remit.engine.terms import Terms, terms_of
from remit.engine.vouching import vouched
from remit.engine.workflows import callbacks
from remit.engine.workflows.interpreter import Interpreter
from remit.engine.workflows.stepfunctions.driver import ExecutionDriver, stop_execution
from remit.engine.workflows.stepfunctions.reach import EVERYTHING, Reach
from remit.ports.store import Put, Signal, Write

RESULTS_KEPT = 256

Outcome = Literal["ended", "waiting", "ready", "busy", "lost"]
"""What `advance` came to. `ready`: there was no time for more, and the run can go on at once. `busy`: somebody else holds
the run. `lost`: somebody took it over meanwhile."""


class Engine:
    """Advances runs. One for a process; holds no run between calls."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self._breakers: dict[str, Breaker] = {}
        self._results: dict[str, Result] = {}
        self._suspect = asyncio.Lock()
        self._postponed: set[str] = set()

    def result(self, run_id: str) -> Result | None:
        """The result of a run that ended here lately, without reading its journal again."""
        return self._results.pop(run_id, None)

    async def advance(self, run_id: str, reach: Reach = EVERYTHING) -> Outcome:
        """Advance one run as far as it goes. Raises StoreError when the store fails; the run is then safe to advance again.

        `reach` bounds what is done here: nothing is begun after its time, and less for a workflow that Step Functions moves.
        """
        hold = await self._take(run_id)
        if hold is None:
            return "busy"
        lease = hold.lease
        outcome: Outcome | None = None
        began = self.kit.clock.monotonic()
        try:
            outcome = await self._taken(hold, reach)
        except FencedError:
            telling.fenced(self.kit.telemetry)
            outcome = "lost"
        finally:
            telling.advanced(self.kit.telemetry, self.kit.clock.monotonic() - began)
            # With the end, the last append gave the lease back. A run that was left alone keeps its lapsing lease.
            if outcome not in ("ended", "busy"):
                with contextlib.suppress(RemitError):
                    await self.kit.store.release(lease)
        return outcome

    async def _take(self, run_id: str) -> Hold | None:
        kit, asked = self.kit, self.kit.clock.monotonic()
        lease = await kit.store.lease(run_id, kit.worker_id, ttl_ms=int(kit.lease_ttl_s * 1000))
        return None if lease is None else Hold(kit.store, kit.clock, lease, kit.lease_ttl_s, asked)

    async def _taken(self, hold: Hold, reach: Reach) -> Outcome:
        """Advance a run; one whose holders die over it alone among its like, and not for ever."""
        lease = hold.lease
        lapsed = lease.lapsed or lease.run_id in self._postponed
        found = await deaths.count(self.kit, lease) if lapsed else None
        if found is None:
            return await self._held(hold, reach)
        number, seq, head = found
        if number < deaths.SUSPECT_DEATHS:
            await deaths.write(self.kit, lease, number, seq, head)
            return await self._held(hold, reach)
        if self._suspect.locked():
            self._postponed.add(lease.run_id)
            return "busy"
        self._postponed.discard(lease.run_id)
        async with self._suspect:
            await deaths.write(self.kit, lease, number, seq, head)
            if number < deaths.MOST_DEATHS:
                return await self._held(hold, reach)
            # Where setting it aside is what nobody lives through, nothing of it is read.
            await self._set_aside(hold, deaths.reason(number), unread=number > deaths.MOST_DEATHS)
            return "waiting"

    async def _held(self, hold: Hold, reach: Reach) -> Outcome:
        lease = hold.lease
        run, head = await loading.load(self.kit.store, lease.run_id)
        if run.finished is not None:
            return "ended"
        terms = await terms_of(self.kit, run)
        recorder = Recorder(
            self.kit.store, self.kit.clock, run, head, self.kit.redactor(terms.policy.key), self.kit.crash
        )
        recorder.held_by(hold)
        rows, claimed = unwritten(run), run.epoch == lease.epoch
        if run.epoch:
            telling.run_resumed(run)
        run.epoch = lease.epoch
        if not claimed:
            recorder.note(ev.RunClaimed(self.kit.worker_id, lease.epoch))
        recorder.note_later(rows)
        advance = Advance(self.kit, recorder, self._breakers, terms, reach)
        async with self._heartbeat(hold, advance):
            with telling.agent_span(self.kit.telemetry, run):
                outcome = await advance.go()
        if outcome == "ended" and not run.start.parent_run:
            self._results[lease.run_id] = result_of(run)
            while len(self._results) > RESULTS_KEPT:
                self._results.pop(next(iter(self._results)))
        return outcome

    async def set_aside(self, run_id: str, reason: str) -> None:
        """Let a run that cannot be advanced wait for an operator: it costs nothing more, and `resume` tries it again."""
        hold = await self._take(run_id)
        if hold is not None:
            await self._set_aside(hold, reason)
            await self.kit.store.release(hold.lease)

    async def _set_aside(self, hold: Hold, reason: str, *, unread: bool = False) -> None:
        store, run_id, epoch = self.kit.store, hold.lease.run_id, hold.lease.epoch
        waiting_on = (f"operator: {reason}",)
        row = await store.get(AGENT_RUN, (run_id,))
        now = {"status": "waiting", "waiting_on": list(waiting_on), "changed_ts": self.kit.clock.now()}
        writes: list[Write] = [Put(AGENT_RUN, {**row, **now})] if row else []
        try:
            loaded = None if unread else await loading.load(store, run_id)
        except RemitError:  # its journal cannot be read, so nothing can be added to it
            loaded = None
        if loaded is None:
            at = await store.head(run_id)
            if at is not None:
                await store.append(
                    run_id, seq=at.seq, epoch=epoch, entries=[], writes=writes, status="waiting"
                )
            return
        run, head = loaded
        recorder = Recorder(store, self.kit.clock, run, head, self.kit.redactor("default"), None)
        recorder.note_later(unwritten(run))
        if run.epoch != epoch:
            run.epoch = epoch
            recorder.note(ev.RunClaimed(self.kit.worker_id, epoch))
        # A run does not wait while signals do: they are heard now, and acted on when an operator resumes it.
        signals = await store.inbox(run_id)
        hear(self.kit, recorder, signals)
        recorder.note(ev.RunParked(waiting_on), writes=writes)
        await recorder.flush(consumed=[s.signal_id for s in signals], status="waiting")
        telling.run_parked(run)

    @contextlib.asynccontextmanager
    async def _heartbeat(self, hold: Hold, advance: Advance) -> AsyncIterator[None]:
        """Renew the lease, and notice signals that come while a call is in flight."""
        task = asyncio.create_task(self._beat(hold, advance), name=f"heartbeat:{hold.lease.run_id}")
        try:
            yield
        finally:
            task.cancel()

    async def _beat(self, hold: Hold, advance: Advance) -> None:
        pause, lease = min(1.0, self.kit.lease_ttl_s / 3), hold.lease
        while True:
            await self.kit.clock.sleep(pause)
            with contextlib.suppress(RemitError):
                if not await hold.renew():
                    return
                head = await self.kit.store.head(lease.run_id)
                if head is not None and head.inbox:
                    advance.noticed(await self.kit.store.inbox(lease.run_id))
            if advance.overdue() is not None or advance.out_of_time():
                advance.interrupt()


class Advance:
    """One hold of one run."""

    def __init__(
        self,
        kit: Kit,
        recorder: Recorder,
        breakers: dict[str, Breaker],
        terms: Terms,
        reach: Reach = EVERYTHING,
    ) -> None:
        self.kit = kit
        self._reach = reach
        self.recorder = recorder
        self.run: Run = recorder.run
        self._breakers = breakers
        self.terms = terms
        self.gateway = Gateway(kit, recorder, breakers, terms)
        self._acting: asyncio.Task[Finished | None] | None = None
        self._interpreter: Interpreter | ExecutionDriver | None = None
        self._aborted = False
        self._stopping = False

    async def go(self) -> Outcome:
        """Until the run ends or must wait."""
        await self._drain()
        while True:
            if self.out_of_time():
                await self.recorder.flush()
                return "ready"
            try:
                stop = await self._stopped()
                finished = stop if stop is not None else await self._interruptible()
                if finished is not None:
                    await self._settle_in_flight()
                    await self._leave_no_child()
            except Parked as parked:
                if await self._park(parked):
                    return "waiting"
                await self._drain()
                continue
            except Interrupted:
                finished = None
            if finished is None:
                await self._drain()
                continue
            await self._finish(finished)
            return "ended"

    async def _interruptible(self) -> Finished | None:
        """Work that a cancel request may interrupt while a model is thinking; None when it was interrupted."""
        self.gateway = Gateway(self.kit, self.recorder, self._breakers, self.terms)
        self._acting = asyncio.ensure_future(self._work())
        try:
            return await self._acting
        except asyncio.CancelledError:
            if self._aborted:
                self._aborted = False
                return None
            raise
        finally:
            self._acting = None
            await self.gateway.shut()

    async def _work(self) -> Finished | None:
        if self.run.workflow is not None and self.run.start.execution:
            self._interpreter = ExecutionDriver(
                self.kit, self.gateway, self.run.workflow, self.overdue, self._reach
            )
            return await self._interpreter.go()
        if self.run.workflow is not None:
            self._interpreter = Interpreter(self.kit, self.gateway, self.run.workflow, self.overdue)
            return await self._interpreter.go()
        agent = self.kit.catalogue.agents.get(self.run.agent.name)
        if self.run.agent.kind == "code":
            if agent is None:
                return self._failure(
                    "E711", f"there is no agent `{self.run.agent.name}` here", "load its pack"
                )
            return await act(self.kit, self.gateway, agent)
        loop = LlmLoop(self.kit, self.gateway)
        try:
            while True:
                await loop.step()
                if self.recorder.inbox or self.overdue() is not None or self.out_of_time():
                    return None
        except Ended as ended:
            if ended.problem is not None:
                return Finished("failure", None, ended.problem, self.kit.clock.now())
            return Finished("success", ended.payload, None, self.kit.clock.now())

    def out_of_time(self) -> bool:
        """Whether the process that advances the run will end soon."""
        until = self._reach.until_ts
        return until is not None and self.kit.clock.now() >= until

    def noticed(self, signals: list[Signal]) -> None:
        """Signals came while a call was in flight: a cancel request interrupts a model call (never a tool)."""
        cancel = any(isinstance(decode(s.body, SignalBody), CancelAsked) for s in signals)  # type: ignore[arg-type]
        self.recorder.inbox = max(self.recorder.inbox, len(signals))
        if self._interpreter is not None:
            self._interpreter.notice()
        if cancel:
            self.interrupt()

    def interrupt(self) -> None:
        """Stop a model call, or an agent's own waiting; never a tool whose effect has begun."""
        busy = any(s.kind == "tool" and s.state == "intended" for s in self.run.steps.values())
        if not busy and self._acting is not None and not self._acting.done():
            self._aborted = True
            self._acting.cancel()

    # signals

    async def _drain(self) -> None:
        """Turn waiting signals into events, in one append."""
        if self.run.row_waits:
            self._stands("running")
        signals = await self.kit.store.inbox(self.run.run_id)
        self.recorder.inbox = 0
        hear(self.kit, self.recorder, signals)
        if signals:
            await self.recorder.flush(consumed=[s.signal_id for s in signals])

    # stopping

    def overdue(self) -> Problem | None:
        """Why the run may not go on, once a deadline or `max_wall_s` has passed."""
        now = self.kit.clock.now()
        deadline = self.run.task.constraints.deadline_ts
        if deadline is not None and now >= deadline:
            return Problem("E511", "the task's deadline passed", "submit it again with a later deadline")
        limit = self.run.budget.max_wall_s
        if limit is not None and now - self.run.created_ts >= limit * 1000:
            return Problem("E512", f"the run lasted longer than `max_wall_s` {limit:g}", "raise the limit")
        return None

    async def _stopped(self) -> Finished | None:
        """How the run ends if it was cancelled or is overdue; waits for its children first."""
        problem = self.overdue()
        cancelled = self.run.cancelled
        if cancelled is not None:
            problem = Problem("E520", f"cancelled by `{cancelled.by}`: {cancelled.reason}")
        if problem is None:
            return None
        self._stopping = True
        await stop_execution(self.kit, self.run, problem)
        await self._stop_children(problem)
        await self._settle_in_flight()
        children = self.run.children
        if children:
            raise Parked(tuple(f"child:{c.child_run}" for c in children))
        return Finished("failure", None, problem, self.kit.clock.now())

    async def _settle_in_flight(self) -> None:
        """An effect that was begun is never left without a word: bring it to an outcome or into doubt."""
        asks = [
            Ask(s.step, s.call_id, s.name, s.arguments, from_model=False)
            for s in self.run.steps.values()
            if s.kind == "tool" and s.state in ("intended", "in_doubt")
        ]
        if asks:
            await Gateway(self.kit, self.recorder, self._breakers, self.terms).settle(asks)

    async def _leave_no_child(self) -> None:
        """An agent that ends while another still works for it: that one is stopped first, and its end awaited."""
        if self.run.children:
            await self._stop_children(Problem("E521", "the run that asked for this has ended"))
            raise Parked(tuple(f"child:{c.child_run}" for c in self.run.children))

    async def _stop_children(self, problem: Problem) -> None:
        writes: list[Write] = []
        for child in self.run.children:
            try:
                await delegation.ensure(self.kit, self.run, child)
            except (NotFoundError, DeniedError) as error:
                gone = self.recorder.problem(error.code, error.message)
                self.recorder.note(ev.ToolRefused(child.step, child.call_id, child.name, gone, "delegate"))
                continue
            body = encode(CancelAsked(self.run.run_id, problem.message))
            writes.append(Signal(child.child_run, f"parent-stop:{self.run.run_id}", body))
        for some in portions(writes):
            await self.kit.store.transact(some)

    # waiting and ending

    async def _park(self, parked: Parked) -> bool:
        """Park. False when a signal came meanwhile, so that the run goes on at once."""
        wake = [w for w in (parked.wake_ts, self._deadline()) if w is not None and not self._stopping]
        self.recorder.note(ev.RunParked(parked.waiting_on))
        self._stands("waiting", waiting_on=parked.waiting_on)
        await self.recorder.flush(status="waiting", wake_ts=min(wake, default=None))
        if self.recorder.inbox:
            return False
        telling.run_parked(self.run)
        return True

    def _deadline(self) -> int | None:
        limits = [self.run.task.constraints.deadline_ts]
        if self.run.budget.max_wall_s is not None:
            limits.append(self.run.created_ts + int(self.run.budget.max_wall_s * 1000))
        return min((x for x in limits if x is not None), default=None)

    async def _finish(self, finished: Finished) -> None:
        """The last event, the record, the parent's signal and the tenant's envelope, in one transaction."""
        self._write_off()
        withdrawn = [
            approval_record(replace(a, status="cancelled"), None, self.kit.clock.now())
            for a in self.run.approvals.values()
            if a.open
        ]
        payload = self.recorder.clean(finished.payload)
        announcer = self.kit.announcer
        if announcer is not None:
            await announcer.look(self.run.task.tenant_id)
        data = ev.RunFinished(finished.status, self.recorder.pack(payload), finished.problem)
        self.recorder.note(data)
        # Of these there may be many, and nobody can do anything with one that goes before the end or stays until then.
        self.recorder.note_later([*withdrawn, *callbacks.left(self.run)])
        writes: list[Write] = [costs.entry(self.run, finished.ts, finished.status)]
        if announcer is not None:
            writes += announcer.finished(self.run, finished, payload)
        start = self.run.start
        if start.parent_run:
            result = plain(replace(result_of(self.run), decision_log=()))
            done = ChildDone(
                start.parent_step,
                self.run.run_id,
                result,
                self.run.usage,
                self.run.labels,
                vouched(self.kit, self.run, payload),
            )
            writes.append(Signal(start.parent_run, f"child:{self.run.run_id}", encode(done)))
        else:
            writes.extend(await envelopes.give_back(self.kit, self.run))
        self.recorder.note(writes=writes)
        self._stands(finished.status, end_ts=finished.ts)
        await self.recorder.flush(status="ended")
        telling.run_finished(self.kit.telemetry, self.run, finished)

    def _write_off(self) -> None:
        """A model call that nobody waits for any more may have been billed: it is charged what was held for it."""
        for step in list(self.run.steps.values()):
            if step.kind == "model" and step.state == "intended":
                held = step.reserved
                used = Usage(cost_usd=held.cost_usd, input_tokens=held.tokens, model_calls=held.model_calls)
                problem = Problem("E613", "the run ended before the model answered")
                self.recorder.note(ev.ModelFailed(step.step, step.name, problem, used))

    def _stands(self, status: str, *, end_ts: int | None = None, waiting_on: tuple[str, ...] = ()) -> None:
        """What the run's record says from the next append on."""
        row = first_record(self.run.run_id, self.run.start, self.run.created_ts, self.kit.clock.now())
        cost = str(self.run.usage.cost_usd.quantize(NANO)) if self.run.usage.cost_usd else str(Decimal(0))
        row.update(
            status=status, end_ts=end_ts, cost=cost, waiting_on=list(waiting_on), counted=end_ts is not None
        )
        self.recorder.stands(Put(AGENT_RUN, row))

    def _failure(self, code: str, message: str, help: str) -> Finished:
        return Finished("failure", None, Problem(code, message, help), self.kit.clock.now())


AGENT_RUN = "agent_run"
