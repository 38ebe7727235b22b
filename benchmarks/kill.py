"""Kill Remit at every point of every effect and at random instants; count effects at the bank.

Usage: python benchmarks/kill.py [--quick]      (Remit's environment; the same test as benchmarks/peers/kill_peers.py)

The agent, the bank, the points and the supervisor are those of the peers. Remit adds what they do not have: a tool
says what may be done when its outcome is unknown (keyed, lookup, plain), and a plain one is asked about, not repeated.
With `--serve EFFECT` this is the killable process itself.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common.bank_client import _json, charge
from common.killable import FAILED, FINISHED, IN_DOUBT, Job, kill_point, reference, serve
from common.killing import EFFECTS, Engine, kill_test
from common.measure import Json, emit, options

import remit.adapters.store.sqlite  # noqa: F401  (before the fork, not in every attempt)
from remit import Agent, Pack, Task, ToolContext, open_app, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.message import Message, ToolUse, assistant
from remit.engine.models import Route
from remit.ports.model import ModelRequest
from remit.sdk import Found, FunctionTool
from remit.settings import Settings

BANKS = {"plain": ["--plain"], "keyed": ["--keyed"], "lookup": ["--plain", "--lookup"]}


def engine(effect: str) -> Engine:
    """Remit, with a charge tool of this kind."""
    return Engine("remit", [sys.executable, __file__, "--serve", effect])


def both_sides(effect: str, indexes: Sequence[int], randoms: int) -> Json:
    """All kills at one kind of bank."""
    return {**kill_test(engine(effect), BANKS[effect], indexes, randoms), "effect": effect}


def measure(quick: bool) -> Json:
    """Every kind of effect at its bank."""
    indexes, randoms = ([EFFECTS // 2], 1) if quick else (range(EFFECTS), 20)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(both_sides, BANKS, itertools.repeat(indexes), itertools.repeat(randoms)))
    return {
        "effects_per_run": EFFECTS,
        "results": results,
        "notes": [
            "counted from the bank's own ledger; a run is killed once, then resumed by the engine's own recovery",
            "in_doubt: the run stopped and asks a person whether its one effect of unknown outcome happened",
            "random instants: uniform over an undisturbed run, with 10 ms on the wire to the bank, half on each side",
            "kills of random_instant can be fewer than runs: a run that ended before its instant was not killed",
        ],
    }


def next_charge(request: ModelRequest) -> Message:
    """The scripted model: asks for the next charge until there have been enough."""
    turn = sum(m.role == "assistant" for m in request.messages)
    if turn >= int(request.messages[0].text.split()[1]):
        return assistant("done")
    return Message("assistant", (ToolUse(f"call-{turn}", "charge_once", {"index": turn}),))


def charging(job: Job, effect: Any) -> FunctionTool:
    """The charge, with its points, declared as what the bank allows."""

    # A lookup that says no is believed only when the first call can no longer be on its way: after its time limit.
    @tool(
        risk="L1", effect="plain" if effect == "lookup" else effect, timeout_s=2 if effect == "lookup" else 30
    )
    def charge_once(index: int, context: ToolContext) -> int:
        """Charge the account."""
        kill_point("before_effect", index)
        entry = charge(job.bank, reference(job.run, index), context.idempotency_key)
        kill_point("after_effect", index)
        return int(entry["seq"])

    if effect == "lookup":
        charge_once.reconciler(lambda key: looked_up(job.bank, key))
    return charge_once


def looked_up(bank: str, key: str) -> Found:
    """What the bank says about a key."""
    try:
        return Found(True, _json(Request(f"{bank}/lookup?key={key}"))["seq"])
    except HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return Found(False)


def app_of(job: Job, effect: str) -> App:
    """Remit on SQLite, every commit synced as the peers' are."""
    charger = Agent(
        "charger", instructions="Charge.", tools=[charging(job, effect)], max_iterations=2 * job.effects
    )
    database = Path(job.database)
    return open_app(
        Settings(home=database.parent, store=f"sqlite:///{database}", durability="full", fault=fault(job)),
        packs=[Pack("bench", agents=[charger])],
        models={"scripted": ScriptedModel([next_charge], cycle=True)},
        routes={"default": Route("scripted", "script")},
        worker_id="bench",
    )


async def drive(job: Job, effect: str) -> int:
    """Submit, which finds a run that is there, and advance: under its own name a worker takes its run up at once."""
    async with app_of(job, effect) as app:
        task = Task(task_id=job.run, agent="charger", objective=f"charge {job.effects}")
        run_id = await app.runs.submit(task)
        await app.engine.advance(run_id)
        result = await app.runs.result(run_id, task.tenant_id)
        if result is None:
            return FAILED
        return FINISHED if result.status == "success" else IN_DOUBT if result.waiting_on else FAILED


def fault(job: Job) -> str:
    """The point `after_record` in Remit's words: the outcome's event has been committed."""
    name, _, index = job.kill_point.partition(":")
    return f"after:append:EffectDone#{int(index) + 1}" if name == "after_record" else ""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(lambda job: asyncio.run(drive(job, sys.argv[2])))
    else:
        quick = options(__doc__).quick
        emit(lambda: measure(quick))
