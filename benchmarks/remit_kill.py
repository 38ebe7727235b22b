"""Remit's side of the kill test: an agent whose tool charges the bank. See `benchmarks.common.killable`.

The tool is `keyed` at a bank that honours keys, `lookup` at one that can be asked, `plain` at one that does neither
(chosen by the first argument). WAL with synchronous FULL, as for the peers. Recovery: start again; nothing else.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.bank_client import charge, entries
from benchmarks.common.killable import FINISHED, IN_DOUBT, Job, kill_point, reference, serve
from benchmarks.remit_bench import FakeModel
from remit import Agent, Found, Pack, Task, ToolContext, open_app, tool
from remit.adapters.clock.system import SystemClock
from remit.adapters.store.sqlite import SqliteStore
from remit.core.budget import Budget
from remit.core.message import Message, ToolUse, assistant
from remit.core.task import Constraints
from remit.engine.models import Route
from remit.ports.model import ModelRequest
from remit.ports.store import Entry
from remit.sdk import FunctionTool
from remit.settings import load


class RecordPoints(SqliteStore):
    """The store, with the point `after_record`: the append that holds the tool's answer has been committed."""

    outcomes = 0

    async def append(self, run_id: str, *, entries: Sequence[Entry], **more: Any) -> int:
        """Append, then die if the job says so."""
        waiting = await super().append(run_id, entries=entries, **more)
        for entry in entries:
            if b'"EffectDone"' in entry.body:
                step = entry.body.split(b'"step":"m', 1)[1].split(b".", 1)[0]
                kill_point("after_record", int(step))
        return waiting


def charging(job: Job, kind: str) -> FunctionTool:
    """The tool that charges the bank."""

    @tool(name="charge", risk="L1", effect="keyed" if kind == "keyed" else "plain")
    def pay(n: int, context: ToolContext) -> int:
        """Charge the account."""
        kill_point("before_effect", n)
        entry = charge(job.bank, reference(job.run, n), context.idempotency_key)
        kill_point("after_effect", n)
        return int(entry["seq"])

    if kind == "lookup":

        @pay.reconciler
        def found(key: str) -> Found:
            made = [e for e in entries(job.bank) if e.get("key") == key]
            return Found(bool(made), int(made[0]["seq"]) if made else None)

    return pay


def model(job: Job) -> FakeModel:
    """Asks for one charge after another."""

    def script(request: ModelRequest) -> Message:
        turn = len(request.messages) // 2
        if turn == job.effects:
            return assistant("done")
        return Message("assistant", (ToolUse(f"call-{turn}", "charge", {"n": turn}),))

    return FakeModel(script)


async def go(job: Job, kind: str) -> int:
    """Submit the run (again) and drive it until it ends or asks a person."""
    home = Path(job.database).parent / f"home-{kind}"
    settings = load({"REMIT_HOME": str(home), "REMIT_STORE": "memory:"})
    clock = SystemClock()
    agent = Agent(
        "payer", instructions="Charge.", tools=[charging(job, kind)], max_iterations=job.effects + 2
    )
    async with open_app(
        settings,
        packs=[Pack("kill", agents=[agent])],
        models={"fake": model(job)},
        routes={"default": Route("fake", "fake")},
        store=RecordPoints(job.database, clock, durability="full"),
        clock=clock,
        worker_id="killable",
    ) as app:
        limits = Constraints(Budget(max_iterations=job.effects + 2))
        task = Task(task_id=job.run, agent="payer", objective="charge", constraints=limits)
        run_id = await app.runs.submit(task)
        await app.engine.advance(
            run_id
        )  # the same worker's name: it need not wait for its own lease to run out
        result = await app.runs.result(run_id, task.tenant_id)
    if result is None:
        return 1
    if result.status == "success":
        return FINISHED
    return IN_DOUBT if result.status == "needs_approval" else 1


if __name__ == "__main__":
    serve(lambda job: asyncio.run(go(job, sys.argv[1])))
