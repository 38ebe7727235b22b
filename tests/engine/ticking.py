"""A process that adds schedules, or ticks through some hours, over a store that others use too.

python ticking.py URL SCHEMA add COUNT | tick HOURS [FAULT] | show -
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.task import Actor
from remit.engine.schedules import ScheduleSpec
from remit.ports.store import Store
from remit.sdk import Memory, RunContext, agent
from remit.testing import FakeClock, app_for_tests

HOUR_MS = 3_600_000
ANA = Actor("ana")


async def act(input: Any, memory: Memory, context: RunContext) -> Any:
    """Say what one was given."""
    return input


def open_store(url: str, schema: str, clock: Any) -> Store:
    if url.startswith("sqlite:"):
        return SqliteStore(Path(url.removeprefix("sqlite:///")), clock)
    from remit.adapters.store.postgres import PostgresStore

    return PostgresStore(url, clock, schema=schema)


async def add(app: App, count: int) -> dict[str, Any]:
    """Add schedules; when the first slot is."""
    made = [
        await app.schedules.put("local", f"s{i}", ScheduleSpec("hourly", "echo"), actor=ANA)
        for i in range(count)
    ]
    return {"first": made[0].next_ts}


async def tick(app: App, clock: FakeClock, hours: int) -> dict[str, Any]:
    """Look at every hour in turn, and at each a few times."""
    for _ in range(hours):
        clock.advance(HOUR_MS / 1000)
        for _ in range(3):
            await app.scheduler.tick()
    return {}


async def show(app: App) -> dict[str, Any]:
    """The task ids of all runs, and when each schedule is due."""
    runs = (await app.runs.list("local", limit=1000)).items
    tasks = [(await app.runs.view(item["run_id"], "local")).task.task_id for item in runs]
    return {"tasks": tasks, "next": [e.next_ts for e in (await app.schedules.list("local")).items]}


async def main(url: str, schema: str, what: str, number: str, fault: str = "") -> None:
    """Do one thing and print what came of it."""
    clock = FakeClock()
    echo = agent(act, name="echo", description="Says what it was given.")
    app = app_for_tests(echo, store=open_store(url, schema, clock), clock=clock, fault=fault)
    async with app:
        if what == "add":
            answer = await add(app, int(number))
        elif what == "tick":
            answer = await tick(app, clock, int(number))
        else:
            answer = await show(app)
    print(json.dumps(answer), flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
