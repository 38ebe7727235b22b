"""The scheduler: starts what is due, one run a slot, however many workers look and whatever restarts.

A slot is a time at which a schedule is due. Its run is submitted under the task id `schedule:ID:SLOT`, so that
submitting it again is the same run; then the schedule moves on, if it still stands where it was read. A crash between
the two fires the slot again, and finds its run there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from remit.core.errors import RemitError, StoreError
from remit.core.schedule import Schedule, last_until, next_after, parse, slots_between
from remit.core.task import Actor, Task
from remit.engine.faults import Crashpoint
from remit.engine.pausing import pause
from remit.engine.runs import root_run_id
from remit.engine.schedules import ScheduleEntry, Schedules
from remit.engine.tables import Tables
from remit.engine.validations import Validations
from remit.ports.clock import Clock

log = logging.getLogger("remit.scheduler")

POLL_S = 2.0
"""The longest time between two looks: as late is a schedule seen that somebody else has just added."""

PAGE = 100
MOST_CAUGHT_UP = 100
MOST_COUNTED = 10_000
LATE_MS = 60_000
"""How late a slot may be started when missed ones are not caught up."""

UNREADABLE = "E808"
OTHER_CONTENT = "E404"

SCHEDULER = "scheduler"
"""Who starts what the rules of tables want, and by which way every scheduled run came."""

Submit = Callable[[Task], Awaitable[str]]
Standing = Literal["due", "resting", "gone"]


class Scheduler:
    """Starts the runs of due schedules of all tenants."""

    def __init__(
        self,
        schedules: Schedules,
        clock: Clock,
        submit: Submit,
        wanted: Wanted,
        *,
        crash: Crashpoint | None = None,
    ) -> None:
        self._schedules = schedules
        self._clock = clock
        self._submit = submit
        self._wanted = wanted
        self._crash = crash

    async def serve(self, stop: asyncio.Event) -> None:
        """Start what is due until `stop` is set."""
        while not stop.is_set():
            pause_s = POLL_S
            try:
                await self.tick()
                pause_s = min(
                    POLL_S, max(0.01, (await self._schedules.next_due() - self._clock.now()) / 1000)
                )
            except RemitError as error:
                log.error("the scheduler cannot go on now: %s", error)
            await pause(self._clock, pause_s, stop, name="heartbeat of the scheduler")

    async def tick(self, now: int | None = None) -> int:
        """Start everything due at `now` (Unix milliseconds), and return how many runs that made or found. Raises StoreError."""
        now = self._clock.now() if now is None else now
        started = 0
        while due := await self._schedules.due(now, limit=PAGE):
            started += sum([await self._move(entry, now) for entry in due])
        return started

    async def fire(self, tenant_id: str, schedule_id: str, actor: Actor) -> str:
        """Start a schedule now, beside its times, as `actor`; it need not be enabled. Returns the run's id.

        Raises NotFoundError, DeniedError and whatever keeps the run from being started.
        """
        entry = await self._schedules.get(tenant_id, schedule_id)
        task = _task(entry, self._clock.now(), self._clock.new_id("fire"))
        return await self._submit(replace(task, actor_context=actor))

    async def _move(self, entry: ScheduleEntry, now: int) -> bool:
        """Move one schedule on; whether a run was started. One that cannot be moved is paused, and says why."""
        try:
            return await self._step(entry, now)
        except Exception as error:
            if isinstance(error, StoreError) and error.code != UNREADABLE:
                raise
            log.exception("schedule %s is paused: it cannot go on", entry.schedule_id)
            paused = replace(entry, state="paused", last_error=_said(error))
            await self._schedules.swap(entry, paused)
            return False

    async def _step(self, entry: ScheduleEntry, now: int) -> bool:
        """Start one slot of a schedule, or none, and move the schedule on."""
        standing = await self._wanted(entry)
        if standing == "gone":
            await self._schedules.swap(entry, None)
            return False
        schedule = parse(entry.expression)
        slot, skipped, skipped_until = _choose(schedule, entry, now, resting=standing == "resting")
        after = replace(
            entry,
            next_ts=next_after(schedule, slot if slot is not None else max(now, entry.next_ts)),
            skipped=entry.skipped + skipped,
            skipped_until=skipped_until or entry.skipped_until,
        )
        if slot is None:
            await self._schedules.swap(entry, after)
            return False
        run_id, problem = await self._start(entry, slot)
        self._at("after:schedule:submit")
        await self._schedules.swap(
            entry, replace(after, last_slot=slot, last_run=run_id or entry.last_run, last_error=problem)
        )
        self._at("after:schedule:advance")
        return bool(run_id)

    async def _start(self, entry: ScheduleEntry, slot: int) -> tuple[str, str]:
        """Submit a slot's run. Returns its id, or why it cannot be started; raises StoreError, which is tried again."""
        task = _task(entry, slot, str(slot))
        self._at("before:schedule:submit")
        try:
            return await self._submit(task), ""
        except StoreError:
            raise
        except RemitError as error:
            if error.code == OTHER_CONTENT:  # it was started before the schedule's content was changed
                return root_run_id(task.tenant_id, task.task_id), ""
            log.error("schedule %s cannot start: %s", entry.schedule_id, error)
            return "", _said(error)

    def _at(self, point: str) -> None:
        if self._crash is not None:
            self._crash(point)


Wanted = Callable[[ScheduleEntry], Awaitable[Standing]]
"""Whether a schedule still has something to start."""


def wanted_by_rules(tables: Tables, validations: Validations) -> Wanted:
    """A validation schedule is wanted while an enabled rule of its table has it; it rests while the table is inactive."""

    async def wanted(entry: ScheduleEntry) -> Standing:
        if entry.kind == "user":
            return "due"
        table = await tables.find(entry.tenant_id, entry.table_id)
        if table is None:
            return "gone"
        rules = await validations.active(entry.tenant_id, table_id=entry.table_id)
        if not any(r.enabled and (r.schedule or table.schedule) == entry.expression for r in rules):
            return "gone"
        return "due" if table.active else "resting"

    return wanted


def _choose(
    schedule: Schedule, entry: ScheduleEntry, now: int, *, resting: bool
) -> tuple[int | None, int, int | None]:
    """The slot to start (None: none of those that passed), how many are skipped, and the last of these."""
    before_first = entry.next_ts - 1
    newest = last_until(schedule, before_first, now)
    if newest is None:  # the expression was read under other time zone rules
        return None, 0, None
    slot: int | None = newest
    if resting or (entry.catch_up == "none" and newest < now - LATE_MS):
        slot = None
    elif entry.catch_up == "all":
        passed = list(islice(slots_between(schedule, before_first, now), MOST_CAUGHT_UP + 1))
        slot = passed[0] if len(passed) <= MOST_CAUGHT_UP else _nth_last(schedule, before_first, now)
    until = newest if slot is None else slot - 1
    skipped_until = last_until(schedule, before_first, until)
    count = sum(1 for _ in islice(slots_between(schedule, before_first, until), MOST_COUNTED))
    return slot, count, skipped_until


def _nth_last(schedule: Schedule, after: int, now: int) -> int:
    """The first of the newest `MOST_CAUGHT_UP` slots."""
    kept: list[int] = []
    window = 3_600_000
    while len(kept) < MOST_CAUGHT_UP:
        kept = list(slots_between(schedule, max(after, now - window), now))
        window *= 24
    return kept[-MOST_CAUGHT_UP]


def _said(error: Exception) -> str:
    return f"[{error.code}] {error.message}" if isinstance(error, RemitError) else type(error).__name__


def _task(entry: ScheduleEntry, slot: int, which: str) -> Task:
    given = entry.input if entry.kind == "user" else {**entry.input, "slot": slot}
    return Task(
        task_id=f"schedule:{entry.schedule_id}:{which}",
        agent=entry.agent,
        objective=entry.objective,
        input=given,
        tenant_id=entry.tenant_id,
        # For whom the run acts is whoever wrote the schedule: nobody approves what they themselves have asked for.
        actor_context=Actor(entry.author or SCHEDULER, (), SCHEDULER),
        policy_profile=entry.policy_profile,
    )
