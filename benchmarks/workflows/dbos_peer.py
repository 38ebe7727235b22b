"""DBOS: the machine of 20 states, a fan-out and timers, on SQLite. Run under `.bench/dbos`.

A state that adds is a step, a choice is an `if` in the workflow's code, as DBOS has it: it is not stored.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))

import dbos_sqlite  # before anything that imports sqlite3: it puts a newer SQLite in place
from common.measure import Json, at_once, emit, options, rss_bytes, sample, scratch, spread_ms, versions
from dbos import DBOS

ADDS = 10
STATES = 2 * ADDS
FANNED = 1000
SETTINGS = {
    "wal_normal": {"journal_mode": "WAL", "synchronous": "NORMAL"},
    "wal_full": {"journal_mode": "WAL", "synchronous": "FULL"},
}


@DBOS.step()
def add(n: int) -> int:
    """One more."""
    return n + 1


@DBOS.step()
async def aadd(n: int) -> int:
    """One more, on the event loop."""
    return n + 1


@DBOS.workflow()
def machine() -> int:
    """Ten steps, each followed by a choice."""
    n = 0
    for place in range(ADDS):
        n = add(n)
        if n <= place:
            raise RuntimeError("wrong")
    return n


@DBOS.workflow()
async def amachine() -> int:
    """The same on the event loop."""
    n = 0
    for place in range(ADDS):
        n = await aadd(n)
        if n <= place:
            raise RuntimeError("wrong")
    return n


@DBOS.workflow()
async def fan(size: int) -> int:
    """So many steps at once."""
    return len(await asyncio.gather(*(aadd(n) for n in range(size))))


@DBOS.workflow()
async def sleeper(until: float) -> None:
    """Wait."""
    await DBOS.sleep_async(max(until - time.time(), 0))


def threads_batch(width: int) -> None:
    """Workflows on DBOS's own executor threads."""
    handles = [DBOS.start_workflow(machine) for _ in range(width)]
    assert all(handle.get_result() == ADDS for handle in handles)


async def gathered(width: int, batches: int) -> list[float]:
    """Wall seconds of batches on one event loop."""
    times = []
    for _ in range(batches + 1):
        started = time.perf_counter()
        assert await asyncio.gather(*(amachine() for _ in range(width))) == [ADDS] * width
        times.append(time.perf_counter() - started)
    return times[1:]


def durable(quick: bool) -> Callable[[], Json]:
    """Alone and many at once, the better of threads and event loop."""
    runs, width, batches = (3, 10, 1) if quick else (50, 100, 3)

    def work() -> Json:
        single = sample(machine, runs)
        ways = {
            "threads": sample(lambda: threads_batch(width), batches, 1),
            "event loop": asyncio.run(gathered(width, batches)),
        }
        best = min(ways, key=lambda way: statistics.median(ways[way]))
        return {
            "transition_ms": spread_ms(single, STATES),
            "transitions_per_second": round(STATES / statistics.median(single), 1),
            "at_once": {**at_once(ways[best], width, STATES), "way": best},
        }

    return work


def fanned(quick: bool) -> Callable[[], Json]:
    """A workflow of 1,000 steps at once."""
    size = 50 if quick else FANNED

    async def times() -> list[float]:
        found = []
        for _ in range(1 if quick else 3):
            started = time.perf_counter()
            assert await fan(size) == size
            found.append(time.perf_counter() - started)
        return found

    def work() -> Json:
        median = statistics.median(asyncio.run(times()))
        return {"branches": size, "seconds": round(median, 3), "branches_per_second": round(size / median)}

    return work


def waiting(quick: bool) -> Callable[[], Json]:
    """Workflows that sleep until the same moment: what each costs, and how fast all have woken."""
    count, lead_s = (20, 5.0) if quick else (1000, 60.0)

    async def sleep() -> Json:
        await (await DBOS.start_workflow_async(sleeper, 0.0)).get_result()
        before, until, started = rss_bytes(), time.time() + lead_s, time.perf_counter()
        handles = [await DBOS.start_workflow_async(sleeper, until) for _ in range(count)]
        parked = time.perf_counter() - started
        await asyncio.sleep(1)
        grown, early = rss_bytes() - before, until - time.time()
        await asyncio.sleep(max(early, 0))
        woken = time.perf_counter()
        await asyncio.gather(*(handle.get_result() for handle in handles))
        seconds = time.perf_counter() - woken
        return {
            "runs": count,
            "seconds_to_park": round(parked, 2),
            "rss_bytes_per_run": round(grown / count, 1),
            "seconds_to_wake_all": round(seconds, 2),
            "woken_per_second": round(count / seconds, 1),
            "parked_in_time": early > 0,
        }

    return lambda: asyncio.run(sleep())


def on_database(pragmas: dict[str, str], work: Callable[[], Json]) -> Json:
    """Do `work` with DBOS launched on a fresh database with these pragmas."""
    dbos_sqlite.PRAGMAS.clear()
    dbos_sqlite.PRAGMAS.update(pragmas)
    with scratch() as directory:
        dbos_sqlite.launch(directory / "dbos.sqlite")
        try:
            return work()
        finally:
            DBOS.destroy()


def measure(quick: bool) -> Json:
    """All of DBOS's figures."""
    normal = SETTINGS["wal_normal"]
    return {
        "peer": "dbos",
        "versions": versions("dbos", "sqlalchemy"),
        "sqlite": dbos_sqlite.SQLITE,
        "waiting": on_database(normal, waiting(quick)),
        "durable": {name: on_database(pragmas, durable(quick)) for name, pragmas in SETTINGS.items()},
        "fanned": on_database(normal, fanned(quick)),
        "notes": ["waiting: 1,000 workflows, not 10,000: each stays a live coroutine of this process"],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
