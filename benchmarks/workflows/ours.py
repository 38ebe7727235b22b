"""Remit's side: workflows on the journal in SQLite, governed by the default policy.

Usage: python -m benchmarks.workflows.ours [--quick] [--only PART ...]. Prints one JSON object; units are in the names.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.common.measure import (
    at_once,
    database_bytes,
    emit,
    parked_runs,
    rss_bytes,
    scratch,
    spread_ms,
    versions,
)
from benchmarks.workflows import machines
from benchmarks.workflows.machines import STATES
from remit import Pack, Task, open_app, tool
from remit.adapters.clock.system import SystemClock
from remit.bootstrap import App
from remit.core.run import Run
from remit.core.task import Actor
from remit.core.times import rfc3339
from remit.engine import loading
from remit.engine.schedules import ScheduleSpec
from remit.settings import load
from remit.testing.workflows import Named

FANNED = 1000
LEAD_MS = 2200
"""More than the scheduler's pause between two looks, so that it knows of the slot when its time comes."""
PROFILE = 'name = "roomy"\nextends = "default"\n[budget]\nmax_tool_calls = 1000000\n'
ACTOR = Actor("bench")


@tool(timeout_s=30)
async def add_read(n: int) -> dict[str, int]:
    """One more; a read, whose answer may be asked for again."""
    return {"n": n + 1}


@tool(risk="L1", effect="keyed", timeout_s=30)
async def add_effect(n: int) -> dict[str, int]:
    """One more; an effect, whose intent is durable before it and whose outcome after it."""
    return {"n": n + 1}


READ, EFFECT = machines.task("remit:tool:add_read"), machines.task("remit:tool:add_effect")
DURABLE = {
    "pass": machines.adding(machines.PASS),
    "pass_jsonata": machines.adding_jsonata(machines.PASS_JSONATA),
    "read": machines.adding(READ),
    "effect": machines.adding(EFFECT),
}
"""The machine of 20 states in four ways; `pass` calls nothing."""


class Jumping(SystemClock):
    """The system's clock, which can be put forward."""

    ahead_ms = 0

    def now(self) -> int:
        """Unix milliseconds."""
        return super().now() + self.ahead_ms


def app(directory: Path, *, durability: str = "normal", clock: SystemClock | None = None, **more: Any) -> App:
    """An app on SQLite in `directory` with every machine, and a profile with room for many calls."""
    profile = directory / "policies" / "roomy"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "profile.toml").write_text(PROFILE)
    (profile / "policy.cedar").write_text("")
    settings = load(
        {
            "REMIT_HOME": str(directory),
            "REMIT_STORE": f"sqlite:///{directory / 'remit.db'}",
            "REMIT_DURABILITY": durability,
            "REMIT_CONCURRENCY": "100",
        }
    )
    flows = {**DURABLE, "hour": machines.HOUR, "until": machines.UNTIL, "quick": machines.QUICK, **more}
    pack = Pack("bench", tools=[add_read, add_effect], workflows=[Named(n, d) for n, d in flows.items()])
    return open_app(replace(settings, policies=(str(directory / "policies"),)), packs=[pack], clock=clock)


def task(made: App, workflow: str, given: Any = None) -> Task:
    """A fresh task."""
    given = {"n": 0} if given is None else given
    return Task(made.clock.new_id("task"), workflow, input=given, policy_profile="roomy", actor_context=ACTOR)


async def one(made: App, workflow: str) -> float:
    """Wall seconds of one run."""
    started = time.perf_counter()
    result = await made.run(task(made, workflow))
    assert result.result_payload == {"n": machines.ADDS}, result.problem
    return time.perf_counter() - started


async def many(made: App, workflow: str, width: int) -> float:
    """Wall seconds until `width` runs submitted at once have ended."""
    started = time.perf_counter()
    await asyncio.gather(*(made.runs.submit(task(made, workflow)) for _ in range(width)))
    await made.worker.run_until_idle()
    return time.perf_counter() - started


async def durable(directory: Path, quick: bool) -> dict[str, Any]:
    """The machine of 20 states, one run after another and many at once."""
    runs, width, batches = (5, 10, 1) if quick else (100, 100, 5)
    found: dict[str, Any] = {}
    for durability in ("normal", "full"):
        (home := directory / durability).mkdir()
        async with app(home, durability=durability) as made:
            ways = found[f"wal_{durability}"] = {}
            for workflow in DURABLE:
                alone = [await one(made, workflow) for _ in range(runs + 3)][3:]
                together = [await many(made, workflow, width) for _ in range(batches + 1)][1:]
                ways[workflow] = figures(alone, together, width)
    return found


def figures(alone: Sequence[float], together: Sequence[float], width: int) -> dict[str, Any]:
    """Transitions a second and milliseconds each, alone and at once."""
    return {
        "transition_ms": spread_ms(alone, STATES),
        "transitions_per_second": round(STATES / statistics.median(alone), 1),
        "at_once": at_once(together, width, STATES),
    }


async def waiting(directory: Path, quick: bool) -> dict[str, Any]:
    """Runs that wait an hour: what each costs, and how fast all go on when it is over."""
    count, clock = (200 if quick else 10_000), Jumping()
    async with app(directory, clock=clock) as made:
        await parked(made, 100)
        size, before, started = database_bytes(directory / "remit.db"), rss_bytes(), time.perf_counter()
        await parked(made, count)
        seconds, grown = time.perf_counter() - started, max(rss_bytes() - before, 0)
        size = database_bytes(directory / "remit.db") - size
        clock.ahead_ms = 3_601_000
        started = time.perf_counter()
        await made.worker.run_until_idle()
        woken = time.perf_counter() - started
        assert not (await made.runs.list("local", status="waiting")).items
    found = parked_runs(count, seconds, grown, size)
    return {
        **found,
        "seconds_to_wake_all": round(woken, 2),
        "woken_per_second": round((count + 100) / woken, 1),
    }


async def parked(made: App, count: int) -> None:
    """Let so many runs wait for an hour."""
    for start in range(0, count, 500):
        some = range(min(500, count - start))
        await asyncio.gather(*(made.runs.submit(task(made, "hour")) for _ in some))
        await made.worker.run_until_idle()


async def serving(made: App, work: Callable[[], Awaitable[None]]) -> None:
    """Do this while the worker and the scheduler serve."""
    stop = asyncio.Event()
    served = [asyncio.create_task(each.serve(stop)) for each in (made.worker, made.scheduler)]
    await work()
    stop.set()
    await asyncio.gather(*served)


async def wakeup(directory: Path, quick: bool) -> dict[str, Any]:
    """From a timer's time to the run going on, one run at a time, while many others wait."""
    count, others, lead_ms = (10, 100, 300) if quick else (200, 10_000, 300)
    late: list[int] = []
    async with app(directory) as made:
        await parked(made, others)

        async def wake() -> None:
            for _ in range(count):
                at = made.clock.now() + lead_ms
                run_id = await made.runs.submit(task(made, "until", {"at": rfc3339(at)}))
                run = await ended(made, run_id)
                assert run.workflow is not None
                late.append((run.workflow.visits["s0"].ended_ts or 0) - at)
                await asyncio.sleep(made.clock.random() / 10)  # not in step with the worker's polling

        await serving(made, wake)
    return {"runs": count, "others_waiting": others, **percentiles(late)}


async def ended(made: App, run_id: str) -> Run:
    """The run, once it has ended."""
    while True:
        run, _ = await loading.load(made.store, run_id)
        if run.finished is not None:
            return run
        await asyncio.sleep(0.02)


def percentiles(late_ms: Sequence[float]) -> dict[str, float]:
    """Lateness."""
    ordered = sorted(late_ms)
    return {
        "p50_ms": statistics.median(ordered),
        "p99_ms": ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)],
        "max_ms": ordered[-1],
    }


async def fanned(directory: Path, quick: bool) -> dict[str, Any]:
    """A Parallel of 1,000 branches and a Map of as many items, each calling nothing, a read or an effect."""
    size, times = (50, 1) if quick else (FANNED, 3)
    steps = {"pass": machines.PASS, "read": READ, "effect": EFFECT}
    parallel = {f"parallel_{name}": machines.fan(step, size) for name, step in steps.items()}
    maps = {f"map_{name}": machines.mapped(step) for name, step in steps.items()}
    items = {"items": [{"n": n} for n in range(size)]}
    found: dict[str, Any] = {"branches": size}
    async with app(directory, **parallel, **maps) as made:
        for name in (*parallel, *maps):
            seconds = [
                await fan_out(made, name, items if name in maps else {"n": 0}, size) for _ in range(times)
            ]
            found[name] = {
                "seconds": round(statistics.median(seconds), 3),
                "branches_per_second": round(size / statistics.median(seconds)),
            }
    return found


async def fan_out(made: App, workflow: str, given: Any, size: int) -> float:
    """Wall seconds of one."""
    started = time.perf_counter()
    result = await made.run(task(made, workflow, given))
    assert isinstance(result.result_payload, list), result.problem
    assert len(result.result_payload) == size
    return time.perf_counter() - started


async def refold(directory: Path, quick: bool) -> dict[str, Any]:
    """A long run: how long it takes, and how long to read it back after a crash."""
    visits = 1000 if quick else 10_000
    async with app(directory, loop=machines.loop(visits)) as made:
        started = time.perf_counter()
        result = await made.run(task(made, "loop"))
        seconds = time.perf_counter() - started
        assert result.result_payload == {"n": visits // 2}, result.problem
        times = []
        for _ in range(3):
            started = time.perf_counter()
            run, _ = await loading.load(made.store, result.run_id)
            times.append(time.perf_counter() - started)
    assert run.workflow is not None
    return {
        "visits": len(run.workflow.visits),
        "events": run.seq + 1,
        "run_seconds": round(seconds, 3),
        "transitions_per_second": round(len(run.workflow.visits) / seconds, 1),
        "refold_ms": spread_ms(times),
    }


async def drift(directory: Path, quick: bool) -> dict[str, Any]:
    """A schedule's 60 slots: how late each run was begun. Between them the clock is put forward to shortly before the next."""
    slots, clock, late = (4 if quick else 60), Jumping(), list[float]()
    async with app(directory, clock=clock) as made:
        spec = ScheduleSpec("* * * * *", "quick", "go", policy_profile="roomy")
        entry = await made.schedules.put("local", "tick", spec, actor=ACTOR)

        async def slot_by_slot() -> None:
            slot = entry.next_ts
            for _ in range(slots):
                clock.ahead_ms += max(slot - LEAD_MS - clock.now(), 0)
                while (moved := await made.schedules.get("local", "tick")).last_slot != slot:
                    assert moved.state == "enabled", moved.last_error
                    await asyncio.sleep(0.02)
                run = await ended(made, moved.last_run)
                late.append(run.created_ts - slot)
                slot = moved.next_ts

        await serving(made, slot_by_slot)
    return {"slots": slots, **percentiles(late)}


PARTS: dict[str, Callable[[Path, bool], Awaitable[dict[str, Any]]]] = {
    made.__name__: made for made in (waiting, durable, fanned, refold, wakeup, drift)
}


def measure(quick: bool, only: Sequence[str]) -> dict[str, Any]:
    """The whole report, each part on a database of its own."""
    found: dict[str, Any] = {}
    for name in only or PARTS:
        with scratch() as directory:
            found[name] = asyncio.run(PARTS[name](directory, quick))
    return {"peer": "remit", "versions": versions("remit", "msgspec", "cedarpy"), **found}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers: they show that it runs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[])
    chosen = parser.parse_args()
    emit(lambda: measure(chosen.quick, chosen.only))
