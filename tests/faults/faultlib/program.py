"""The program that is killed: agents that make twenty charges at the bank. Run as a script it is a killable process.

`python program.py [lease_ttl_s]`, then jobs on standard input (see `benchmarks.common.killable`). A job's run is
`AGENT-EFFECT-NAME` (`code-keyed-7`), its database a store URL, its kill point a fault of `REMIT_FAULT`. Words before
the fault: `person` first has a person answer what is in doubt, `stop` stops (SIGSTOP) instead of killing there,
`as:NAME` is the worker's name, `commit:N:US` kills US microseconds into the Nth COMMIT of SQLite.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common.bank_client import _json, charge, entries
from benchmarks.common.killable import FAILED, FINISHED, IN_DOUBT, Job, reference, serve

import remit.adapters.store.sqlite
from faultlib.workflows import TOOLS, workflows
from remit import Agent, Pack, bootstrap, open_app, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.bootstrap import App
from remit.core.errors import NotFoundError, StoreError
from remit.core.message import Message, ToolUse, assistant
from remit.core.task import Actor, Task
from remit.engine import loading
from remit.engine.models import Route
from remit.ports.model import ModelRequest
from remit.sdk import Found, FunctionTool, RunContext, ToolContext, agent
from remit.settings import Settings

if "AWS_ENDPOINT_URL" in os.environ:
    import boto3  # noqa: F401  (likewise)

    import remit.adapters.store.dynamodb
if "REMIT_TEST_REDIS" in os.environ:
    import remit.adapters.store.redis  # noqa: F401

TENANT = "acme"
APPROVER = Actor("pat", ("approver",))
A_TURN = 4
"""Charges that the LLM agent asks for at once."""
LIMITS_S = {"keyed": 20, "lookup": 2, "plain": 20}
"""Time limits of the charges. A lookup that says no is believed only after its limit, so that one is short."""
PATIENCE_S = 200
"""After that nothing will come of an attempt any more, however busy the machine is."""
ROUTES = {"default": Route("scripted", "script")}


@tool
async def rate(index: int) -> int:
    """A price: reading it changes nothing."""
    return 100 + index


def charging(bank: str) -> dict[str, FunctionTool]:
    """The charge as a keyed, a lookup and a plain tool."""

    def make(effect: Any) -> FunctionTool:
        name = f"charge_{effect}"

        @tool(
            name=name, risk="L1", effect="plain" if effect == "lookup" else effect, timeout_s=LIMITS_S[effect]
        )
        def charge_tool(ref: str, context: ToolContext) -> dict[str, Any]:
            """Charge the account."""
            return charge(bank, ref, context.idempotency_key)

        return charge_tool

    made = {effect: make(effect) for effect in ("keyed", "lookup", "plain")}

    @made["lookup"].reconciler
    def lookup(key: str) -> Found:
        try:
            return Found(True, _json_of(f"{bank}/lookup?key={key}"))
        except HTTPError as error:
            if error.code != 404:
                raise
            return Found(False)

    return made


def _json_of(url: str) -> dict[str, Any]:
    from urllib.request import Request

    return _json(Request(url))


def code_agent(effect: str, charge_tool: FunctionTool) -> Any:
    """Reads a rate and charges, once for each effect, one after another."""

    @agent(name=f"code_{effect}", tools=[rate, charge_tool])
    async def act(given: dict[str, Any], memory: Any, context: RunContext) -> dict[str, Any]:
        made = []
        first = given.get("first", 0)
        for index in range(first, first + given["effects"]):
            await context.call("rate", index=index)
            ref = reference(given["run"], index)
            await context.call(charge_tool.spec.name, ref=ref)
            made.append(ref)
        return {"charged": made}

    return act


def llm_agent(effect: str, charge_tool: FunctionTool) -> Agent:
    """Asks a model what to do; each turn has a read and several charges at once."""
    return Agent(
        f"llm_{effect}",
        instructions=f"charge_{effect}",
        tools=[rate, charge_tool],
        max_iterations=60,
    )


def lead_agent(effect: str, worker: Any) -> Any:
    """Delegates half of the charges to a child run, then the other half to another."""

    @agent(name=f"lead_{effect}", delegates=[worker])
    async def act(given: dict[str, Any], memory: Any, context: RunContext) -> dict[str, Any]:
        made: list[str] = []
        half = given["effects"] // 2
        for first in (0, half):
            part = {"run": given["run"], "effects": half, "first": first}
            made += (await context.delegate(f"code_{effect}", "charge", input=part)).result_payload["charged"]
        return {"charged": made}

    return act


def next_charges(request: ModelRequest) -> Message:
    """The deterministic model: which charges come next follows from how many turns there were."""
    first = request.messages[0].text
    run, effects = first.split()[1], int(first.split()[2])
    done = sum(m.role == "assistant" for m in request.messages) * A_TURN
    if done >= effects:
        return assistant(f"charged {effects}")
    uses = [ToolUse(f"read-{done}", "rate", {"index": done})]
    wanted = range(done, min(done + A_TURN, effects))
    uses += [ToolUse(f"call-{index}", request.system, {"ref": reference(run, index)}) for index in wanted]
    return Message("assistant", tuple(uses))


def pack(bank: str) -> Pack:
    """An agent of each sort and each workflow for each effect."""
    agents: list[Any] = []
    flows: list[Any] = []
    for effect, charge_tool in charging(bank).items():
        worker = code_agent(effect, charge_tool)
        agents += [worker, llm_agent(effect, charge_tool), lead_agent(effect, worker)]
        flows += workflows(effect)
    return Pack("victims", agents=agents, tools=TOOLS, workflows=flows)


def home_of(store: str) -> Path:
    """Where a store's app keeps its own files."""
    return (
        Path(store.removeprefix("sqlite:///")).parent
        if store.startswith("sqlite")
        else Path("/tmp/remit-faults")
    )


def opened(store: str, bank: str, *, fault: str = "", worker: str = "", lease_ttl_s: float = 15.0) -> App:
    """The app of the program."""
    settings = Settings(home=home_of(store), store=store, fault=fault, lease_ttl_s=lease_ttl_s)
    return open_app(
        settings,
        packs=[pack(bank)],
        models={"scripted": ScriptedModel([next_charges], cycle=True)},
        routes=ROUTES,
        worker_id=worker,
    )


def task_of(run: str, effects: int) -> Task:
    """The task of a job: the same for every attempt."""
    kind, effect, _ = run.split("-", 2)
    given = None if kind == "llm" else {"run": run, "effects": effects}
    return Task(run, f"{kind}_{effect}", f"charge {run} {effects}", input=given, tenant_id=TENANT)


async def answer(app: App, run: str, bank: str) -> int:
    """A person settles what a run and its children have in doubt by the bank's ledger; how many answers were given."""
    seen = {entry["ref"] for entry in entries(bank)}
    waiting = await pending(app, run)
    for each in waiting:
        kind: Any = "reject" if each["arguments"]["ref"] in seen else "approve"
        await app.approvals.decide(each["approval_id"], TENANT, APPROVER, kind, rationale="looked")
    return len(waiting)


async def pending(app: App, run: str) -> list[dict[str, Any]]:
    """What a run and its children ask a person now."""
    page = await app.approvals.list(TENANT, limit=200)
    return [each for each in page.items if each["arguments"]["ref"].startswith(f"{run}:")]


async def drive(job: Job, lease_ttl_s: float) -> int:
    """Submit the run, or find it, and advance it until it ends or somebody must be asked."""
    *words, fault = job.kill_point.split(" ")
    named = [word.removeprefix("as:") for word in words if word.startswith("as:")]
    # A killed worker comes back under its name, so `advance` need not wait for its own lease to run out.
    worker = named[0] if named else "victim"
    if "stop" in words:
        bootstrap.crashpoint = stoppoint
    async with opened(job.database, job.bank, fault=fault, worker=worker, lease_ttl_s=lease_ttl_s) as app:
        run_id = await app.runs.submit(task_of(job.run, job.effects))
        for word in words:
            if word.startswith("commit:"):
                kill_in_commit(app, *map(int, word.split(":")[1:]))
        if "person" in words:
            await answer(app, job.run, job.bank)
        with contextlib.suppress(StoreError):
            await app.engine.advance(run_id)
        return await outcome(app, run_id, job.run)


def kill_in_commit(app: App, nth: int, microseconds: int) -> None:
    """Die that long after the nth COMMIT of SQLite began, on a thread that the commit does not wait for."""
    left = nth

    def die() -> None:
        until = time.perf_counter_ns() + microseconds * 1000
        while time.perf_counter_ns() < until:
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    def trace(statement: str) -> None:
        nonlocal left
        left -= statement == "COMMIT"
        if statement == "COMMIT" and left == 0:
            threading.Thread(target=die).start()

    app.store._open.writes.set_trace_callback(trace)  # type: ignore[attr-defined]


async def outcome(app: App, run_id: str, run: str) -> int:
    """Work, or wait for whoever holds the run, until there is a result."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        result = await app.runs.result(run_id, TENANT)
        if result is not None and not result.waiting_on:
            return FINISHED if result.status == "success" else FAILED
        if result is not None and await pending(app, run):
            return IN_DOUBT
        await reply(app, run_id)
        await app.worker.run_until_idle(run_id)
        await asyncio.sleep(0.01)
    return FAILED


async def reply(app: App, run_id: str) -> None:
    """Somebody outside answers what a workflow waits for: a worker that takes tasks, and whoever was sent a token."""
    taken = await app.callbacks.take("dig", TENANT)
    if taken is not None:
        await app.callbacks.succeed(taken.token, "gold", TENANT)
    run, _ = await loading.load(app.store, run_id)
    for visit in run.workflow.visits.values() if run.workflow is not None else ():
        step = run.steps.get(visit.step)
        if visit.status == "scheduled" and visit.token and step is not None and step.settled:
            with contextlib.suppress(NotFoundError):  # answered before, and not yet heard
                await app.callbacks.succeed(visit.token, "read", TENANT)


def stoppoint(fault: str) -> Callable[[str], None] | None:
    """Like `crashpoint`, but the process stops there (SIGSTOP) until somebody lets it go on."""
    point, _, count = fault.partition("#")
    left = int(count or 1)

    def at(name: str) -> None:
        nonlocal left
        left -= name == point
        if name == point and left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

    return at


def main() -> None:
    """Serve jobs, or do the one job given as JSON."""
    ttl = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    if len(sys.argv) > 2:
        sys.exit(asyncio.run(drive(Job(**json.loads(sys.argv[2])), ttl)))
    serve(lambda job: asyncio.run(drive(job, ttl)))


if __name__ == "__main__":
    main()
