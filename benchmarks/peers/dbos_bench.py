"""DBOS: cost of a durable step and of a parked workflow. Run under `.bench/dbos`.

A workflow is 10 turns: a step that stands for the model and a step that is the tool `add`, 20 steps and no framework
for agents around them. DBOS records the workflow's input, each step's output and the result.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dbos_sqlite  # before anything that imports sqlite3: it puts a newer SQLite in place

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.measure import (
    Json,
    at_once,
    database_bytes,
    emit,
    import_ms,
    one_by_one,
    options,
    parked_runs,
    rss_bytes,
    sample,
    scratch,
    versions,
)
from dbos import DBOS

TURNS = 10
STEPS = 2 * TURNS
SETTINGS: dict[str, dict[str, str]] = {
    "wal_normal": {"journal_mode": "WAL", "synchronous": "NORMAL"},
    "wal_full": {"journal_mode": "WAL", "synchronous": "FULL"},
    "as_shipped": {},
}


@DBOS.step()
def model(turn: int) -> Json:
    """The scripted model's answer: a call of `add`."""
    return {"name": "add", "args": {"a": turn, "b": 1}, "id": f"call-{turn}"}


@DBOS.step()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@DBOS.workflow()
def agent() -> int:
    """Ten turns, each a model step and a tool step; the sum of the tool's answers."""
    return sum(add(**model(turn)["args"]) for turn in range(TURNS))


@DBOS.step()
async def amodel(turn: int) -> Json:
    """The model's step on the event loop."""
    return {"name": "add", "args": {"a": turn, "b": 1}, "id": f"call-{turn}"}


@DBOS.step()
async def aadd(a: int, b: int) -> int:
    """The tool's step on the event loop."""
    return a + b


@DBOS.workflow()
async def aagent() -> int:
    """The same ten turns on the event loop."""
    total = 0
    for turn in range(TURNS):
        total += await aadd(**(await amodel(turn))["args"])
    return total


@DBOS.workflow()
async def parked_agent() -> Any:
    """One model step, then a wait for a person that ends with the process."""
    await amodel(0)
    return await DBOS.recv_async("approval", timeout_seconds=3600)


def plain_agent() -> None:
    """One workflow in this thread."""
    assert agent() == 55


def threads_batch(concurrent: int) -> None:
    """Concurrent workflows on DBOS's own executor threads."""
    handles = [DBOS.start_workflow(agent) for _ in range(concurrent)]
    assert all(handle.get_result() == 55 for handle in handles)


async def gather_batch(concurrent: int) -> None:
    """Concurrent workflows on one event loop."""
    results = await asyncio.gather(*(aagent() for _ in range(concurrent)))
    assert results == [55] * concurrent


async def gathered(concurrent: int, repeats: int) -> list[float]:
    """Wall seconds of each gathered batch after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        await gather_batch(concurrent)
        times.append(time.perf_counter() - started)
    return times[1:]


def on_database(pragmas: dict[str, str], threads: int, work: Callable[[Path], Json]) -> Json:
    """Do `work` with DBOS launched on a fresh database with these pragmas."""
    dbos_sqlite.PRAGMAS.clear()
    dbos_sqlite.PRAGMAS.update(pragmas)
    with scratch() as directory:
        path = directory / "dbos.sqlite"
        dbos_sqlite.launch(path, threads)
        try:
            return work(path)
        finally:
            DBOS.destroy()


def durable(quick: bool) -> Callable[[Path], Json]:
    """Alone and with 100 workflows at once, in threads and on the event loop."""
    runs, concurrent, repeats = (2, 10, 1) if quick else (20, 100, 3)

    def work(path: Path) -> Json:
        empty = database_bytes(path)
        alone = one_by_one(sample(plain_agent, runs), TURNS, STEPS)
        size = (database_bytes(path) - empty) // (runs + 2)
        return {
            "alone": alone | {"database_bytes_per_run": size},
            "alone_async": one_by_one(asyncio.run(gathered(1, runs)), TURNS, STEPS),
            "concurrent_threads": at_once(
                sample(lambda: threads_batch(concurrent), repeats, 1), concurrent, STEPS
            ),
            "concurrent_gather": at_once(asyncio.run(gathered(concurrent, repeats)), concurrent, STEPS),
        }

    return work


async def park(count: int, path: Path) -> Json:
    """Growth of memory and disk while `count` workflows wait for a message on one event loop."""
    await DBOS.start_workflow_async(parked_agent)
    empty, before, started = database_bytes(path), rss_bytes(), time.perf_counter()
    handles = [await DBOS.start_workflow_async(parked_agent) for _ in range(count)]
    seconds = time.perf_counter() - started
    await asyncio.sleep(2)
    grown, size = rss_bytes() - before, database_bytes(path) - empty
    for handle in handles:
        await DBOS.cancel_workflow_async(handle.get_workflow_id())
    return parked_runs(count, seconds, grown, size)


def measure(quick: bool) -> Json:
    """All of DBOS's figures."""
    settings = SETTINGS if not quick else {name: SETTINGS[name] for name in ("wal_normal", "wal_full")}
    return {
        "peer": "dbos",
        "versions": versions("dbos", "sqlalchemy", "pysqlite3-binary"),
        "sqlite": dbos_sqlite.SQLITE,
        "turns_per_run": TURNS,
        "steps_per_run": STEPS,
        "import_ms": {"dbos": import_ms("from dbos import DBOS, DBOSConfig", 1 if quick else 5)},
        "parked": on_database(
            settings["wal_normal"], 32, lambda path: asyncio.run(park(20 if quick else 1000, path))
        ),
        "durable": {name: on_database(pragmas, 32, durable(quick)) for name, pragmas in settings.items()},
        "notes": [
            "20 steps a run, not 21: the final answer is the workflow's result",
            "parked: 1,000 workflows, not 10,000: each stays a live coroutine of this process, and polls the database",
            "as_shipped = no pragma set: rollback journal, synchronous FULL",
        ],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
