"""Days that are over are counted once; what the counts say is always what the run log says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.validation_world import World, a_run, world  # noqa: F401

from remit.core.scorecard import DAY_MS, day_of, day_start, score, scored
from remit.engine.validation_days import DAYS, SPAN, ValidationDays
from remit.engine.validation_runs import RUNS, ValidationRuns
from remit.testing import FakeClock


class Counting:
    """A store's records that notes how many runs are read of it."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def query(self, collection: str, *given: Any, **more: Any) -> Any:
        """Counted, when it is of runs."""
        page = await self._store.query(collection, *given, **more)
        self.runs += len(page.items) if collection == RUNS else 0
        return page


def over(world: World) -> tuple[Counting, ValidationRuns, ValidationDays]:  # noqa: F811
    """The counts over a store that notes what is read."""
    store = Counting(world.app.store)
    log = ValidationRuns(store)
    return store, log, ValidationDays(store, log, world.clock)


def at_noon(clock: FakeClock) -> int:
    """Let it be noon, and say when that is."""
    now = clock.now()
    clock.advance((day_start(day_of(now)) + DAY_MS + DAY_MS // 2 - now) / 1000)
    return clock.now()


async def test_counts_are_what_the_run_log_says(world: World) -> None:  # noqa: F811
    """Whatever window is asked first, and however far it reaches back; a window may begin within a day."""
    now = at_noon(world.clock)
    _, log, days = over(world)
    statuses = ("PASSED", "FAILED", "ERROR")
    for back in (0, 0.2, 0.7, 1, 1.4, 2, 2.6, 5, 30, 90, 91, 200):
        for n, status in enumerate(statuses):
            run = a_run(f"r{back}-{n}", status, at=now - int(back * DAY_MS) - n, config=f"c{n % 2}")
            await log.record("local", run)
    for window in (3, 1, 30, 2, 120, 366, 7):
        since = now - window * DAY_MS
        counted = await days.since("local", "orders", since)
        from_log = [r async for r in log.each("local", table_id="orders", since=since)]
        assert scored("orders", "table", [counted]) == score("orders", "table", from_log)
        assert len(from_log) >= 6
    assert await days.since("acme", "orders", now - 30 * DAY_MS) == {}


async def test_a_day_that_is_over_is_read_once(world: World) -> None:  # noqa: F811
    """Asked again, only the days that may still change are folded from the log."""
    now = at_noon(world.clock)
    store, log, days = over(world)
    for n in range(20):
        await log.record("local", a_run(f"old{n}", at=now - 3 * DAY_MS + n))
    await log.record("local", a_run("new", at=now))
    store.runs = 0
    first = await days.since("local", "orders", now - 10 * DAY_MS)
    assert store.runs == 21
    store.runs = 0
    assert await days.since("local", "orders", now - 10 * DAY_MS) == first
    assert store.runs == 1


async def test_a_run_of_a_counted_day_is_never_missed(world: World) -> None:  # noqa: F811
    """History that is brought in later makes the counts void."""
    now = at_noon(world.clock)
    _, log, days = over(world)
    await log.record("local", a_run("r1", at=now - 3 * DAY_MS))
    since = now - 10 * DAY_MS
    assert sum(t.runs for t in (await days.since("local", "orders", since)).values()) == 1
    await log.record("local", a_run("late", "FAILED", at=now - 4 * DAY_MS))
    for _ in range(2):
        counted = await days.since("local", "orders", since)
        assert counted[day_of(now - 4 * DAY_MS)].failed == 1
    assert await log.record("local", a_run("late", "FAILED", at=now - 4 * DAY_MS)) is False


async def test_counting_that_was_overtaken_keeps_nothing(world: World) -> None:  # noqa: F811
    """A run comes into the days that are just being counted: what is kept is void, and counted anew."""
    now = at_noon(world.clock)
    _, log, days = over(world)
    await log.record("local", a_run("r1", at=now - 3 * DAY_MS))
    await days.since("local", "orders", now - 5 * DAY_MS)

    class Meddling(ValidationRuns):
        """A log to which a run comes while it is read."""

        async def each(self, tenant_id: str, **bounds: Any) -> Any:
            """The runs as they were, and then one more is written."""
            found = [run async for run in super().each(tenant_id, **bounds)]
            await log.record("local", a_run("between", at=now - 4 * DAY_MS))
            for run in found:
                yield run

    overtaken = ValidationDays(world.app.store, Meddling(world.app.store), world.clock)
    await overtaken.since("local", "orders", now - 9 * DAY_MS)
    marker = await world.app.store.get(DAYS, ("orders", SPAN))
    assert marker is not None
    assert "void" in marker
    counted = await days.since("local", "orders", now - 9 * DAY_MS)
    assert sum(t.runs for t in counted.values()) == 2


@pytest.mark.parametrize("hours", [0.5, 1.5])
async def test_the_day_before_stays_open_for_an_hour(world: World, hours: float) -> None:  # noqa: F811
    """Workers' clocks differ: shortly after midnight yesterday may still get runs."""
    midnight = day_start(day_of(world.clock.now())) + DAY_MS
    world.clock.advance((midnight - world.clock.now()) / 1000 + hours * 3600)
    _, log, days = over(world)
    await log.record("local", a_run("r1", at=midnight - 1000))
    await days.since("local", "orders", midnight - 2 * DAY_MS)
    marker = await world.app.store.get(DAYS, ("orders", SPAN))
    assert marker is not None
    assert marker["last"] == day_of(midnight - (DAY_MS if hours < 1 else 0) - 1)
