"""Remit's side: the same agent, model and tool as each peer's script, governed by the default policy and journaled on SQLite.

Usage: python -m benchmarks.remit_bench [--quick]. Prints one JSON object; units are in the names.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common.measure import (
    at_once,
    build_us,
    database_bytes,
    emit,
    import_ms,
    one_by_one,
    options,
    parked_runs,
    rss_bytes,
    scratch,
    versions,
)
from remit import Agent, Pack, Task, open_app, tool
from remit.bootstrap import App
from remit.core.budget import Usage
from remit.core.message import Message, ToolUse, assistant
from remit.engine.models import Route
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.settings import load

TURNS = 10
STEPS = 2 * TURNS + 1


@tool(timeout_s=30)
async def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@tool(risk="L3", effect="keyed")
async def pay(amount: int) -> str:
    """Pay an amount; privileged, so that a person must approve."""
    return f"paid {amount}"


Script = Callable[[ModelRequest], Message]


def scripted(request: ModelRequest) -> Message:
    """Ask for `add` until there were ten turns; zero latency, no state."""
    turn = len(request.messages) // 2
    if turn == TURNS:
        return assistant("done")
    return Message("assistant", (ToolUse(f"c{turn}", "add", {"a": turn, "b": 1}),))


def paying(request: ModelRequest) -> Message:
    """Ask for one payment, then stop."""
    if len(request.messages) > 1:
        return assistant("done")
    return Message("assistant", (ToolUse("p", "pay", {"amount": 1}),))


class FakeModel:
    """A model without latency, as each peer has one: it runs the script and counts a fixed usage."""

    provider = "fake"

    def __init__(self, script: Script) -> None:
        self._script = script

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """The script's message."""
        return ModelReply(self._script(request), "end_turn", USAGE)

    async def close(self) -> None:
        """Nothing to let go of."""


USAGE = Usage(input_tokens=10, output_tokens=5)


def app(directory: Path, *, durability: str, script: Script = scripted) -> App:
    """An app on SQLite in `directory`, with the default policy profile."""
    settings = load(
        {
            "REMIT_HOME": str(directory),
            "REMIT_STORE": f"sqlite:///{directory / 'remit.db'}",
            "REMIT_DURABILITY": durability,
            "REMIT_CONCURRENCY": "100",
        }
    )
    agents = [
        Agent("adder", instructions="Add.", tools=[add], max_iterations=TURNS + 2),
        Agent("payer", instructions="Pay.", tools=[pay]),
    ]
    return open_app(
        settings,
        packs=[Pack("bench", agents=agents)],
        models={"fake": FakeModel(script)},
        routes={"default": Route("fake", "fake")},
    )


def task(made: App, agent: str = "adder") -> Task:
    """A fresh task."""
    return Task(task_id=made.clock.new_id("task"), agent=agent, objective="Add the numbers.")


async def run_one(made: App) -> float:
    """Wall seconds of one run of ten turns."""
    started = time.perf_counter()
    result = await made.run(task(made))
    assert result.result_payload == "done", result.problem
    return time.perf_counter() - started


async def run_many(made: App, count: int) -> float:
    """Wall seconds until `count` runs submitted at once have ended."""
    started = time.perf_counter()
    await asyncio.gather(*(made.runs.submit(task(made)) for _ in range(count)))
    await made.worker.run_until_idle()
    return time.perf_counter() - started


async def durable(directory: Path, durability: str, runs: int, batches: int, width: int) -> dict[str, Any]:
    """Alone and with `width` concurrent runs, on one database."""
    async with app(directory, durability=durability) as made:
        for _ in range(3):
            await run_one(made)
        alone = [await run_one(made) for _ in range(runs)]
        size = await made.store.sizes()
        together = [await run_many(made, width) for _ in range(batches + 1)][1:]
    return {
        "alone": {
            **one_by_one(alone, TURNS, STEPS),
            "database_bytes_per_run": round(sum(v for k, v in size.items() if k != "file") / (runs + 3)),
        },
        "concurrent": at_once(together, width, STEPS),
    }


async def parked(directory: Path, count: int) -> dict[str, Any]:
    """Runs that wait for an approval: what each costs while nobody decides."""
    async with app(directory, durability="normal", script=paying) as made:
        await made.run(task(made, "payer"))
        before, started = rss_bytes(), time.perf_counter()
        for start in range(0, count, 500):
            await asyncio.gather(
                *(made.runs.submit(task(made, "payer")) for _ in range(min(500, count - start)))
            )
            await made.worker.run_until_idle()
        seconds, grown = time.perf_counter() - started, rss_bytes() - before
    return parked_runs(count, seconds, max(grown, 0), database_bytes(directory / "remit.db"))


def build() -> Agent:
    """An agent with one tool, from scratch."""

    def fresh(a: int, b: int) -> int:
        """The sum of two numbers."""
        return a + b

    return Agent("adder", instructions="Add.", tools=[tool(fresh)])


def measure_in(directory: Path, quick: bool) -> dict[str, Any]:
    """Everything, each part on a database of its own."""
    runs, batches, width, waiting = (5, 1, 10, 50) if quick else (30, 3, 100, 10_000)
    parts: dict[str, Any] = {}
    home = directory / "parked"
    home.mkdir()
    parts["parked"] = asyncio.run(parked(home, waiting))
    shutil.rmtree(home)
    for durability in ("normal", "full"):
        home = directory / durability
        home.mkdir()
        parts[f"wal_{durability}"] = asyncio.run(durable(home, durability, runs, batches, width))
    return parts


def measure(quick: bool) -> dict[str, Any]:
    """The whole report."""
    times = 2 if quick else 7
    with scratch() as directory:
        parts = measure_in(directory, quick)
    return {
        "peer": "remit",
        "versions": versions("remit", "cedarpy", "msgspec"),
        "turns_per_run": TURNS,
        "steps_per_run": STEPS,
        "import_ms": {
            "import remit": import_ms("import remit", times),
            "agent": import_ms("from remit import Agent, tool", times),
            "app": import_ms("from remit import Agent, tool, open_app", times),
        },
        "build_us": {"agent": build_us(build, 20 if quick else 300)},
        "durable": {name: part for name, part in parts.items() if name != "parked"},
        "parked": parts["parked"],
        "notes": [
            "every turn: policy decision, budget, schema check, redaction, hash chain, intent and outcome on SQLite",
            "the fake model is free, so the intent of its call travels with the next append; a priced model's is awaited",
            "`wal_normal`: WAL with synchronous=NORMAL; `wal_full`: an fsync for every commit",
        ],
    }


if __name__ == "__main__":
    chosen = options(__doc__)
    emit(lambda: measure(chosen.quick))
