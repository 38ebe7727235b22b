"""A store with very much in it: one run of many steps, many runs, many approvals. Written through the store, as the engine does.

The journals are what a worker would have written: every event chained, every step decided, intended and done.

    python -m benchmarks.console.world FOLDER [--steps 100000] [--runs 50000] [--approvals 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from remit import Agent, Pack, open_app, tool
from remit.bootstrap import App
from remit.core import event as ev
from remit.core.approval import Approval
from remit.core.budget import Budget, Usage
from remit.core.codec import digest_of, encode, genesis, idempotency_key, link, plain
from remit.core.message import Message, Text, ToolUse
from remit.core.payload import Payload, pack
from remit.core.policy import Decision
from remit.core.provenance import Label
from remit.core.task import Actor, Problem, Task
from remit.core.tool import Risk
from remit.engine.creation import first_record
from remit.engine.records import approval_record
from remit.ports.store import ABSENT, Entry, Put
from remit.settings import Settings

LONG_RUN = "run_long"
AGENTS = ("support", "billing", "research", "reconcile", "triage")
TOGETHER = 200
"""Runs written at once: the store commits them together."""
ENTRIES = 2_000
"""Events appended at once."""
START = 1_760_000_000_000
APART_MS = 40_000

ALLOWED = Decision("allow", ("read-tools",), "reading is allowed")


@tool(effect="read")
def lookup_order(order_id: int) -> dict[str, str]:
    """Look an order up."""
    return {"state": "shipped", "carrier": "post"}


@tool(risk="L3", effect="keyed")
def refund(order_id: int, amount: int) -> str:
    """Give money back."""
    return f"refunded {amount}"


def app_in(folder: Path) -> App:
    """The app whose store is in `folder`."""
    agents = [Agent(name, instructions="Work.", tools=[lookup_order, refund]) for name in AGENTS]
    build = os.environ.get("REMIT_CONSOLE_DIR", "")
    settings = Settings(home=folder, store=f"sqlite:///{folder / 'remit.db'}", console_dir=build)
    return open_app(settings, packs=[Pack("world", agents=agents)])


async def fill(app: App, *, steps: int, runs: int, approvals: int) -> None:
    """Write the world; what is there already is not written again."""
    await long_run(app, steps)
    await many_runs(app, runs)
    await many_approvals(app, approvals)


async def long_run(app: App, steps: int) -> None:
    """A run of `steps` steps: a model that is asked, and an order that is looked up, again and again; one in 997 fails."""
    if await app.store.head(LONG_RUN) is not None:
        return
    turns = list(_turns(app, steps // 2))
    first, *rest = _chained(LONG_RUN, iter(turns))
    created = ev.Event(0, START, 0, _created(app, LONG_RUN, "support", 0))
    row = first_record(LONG_RUN, created.data, START, START)  # type: ignore[arg-type]
    await app.store.create(
        LONG_RUN,
        tenant_id="local",
        root_run=LONG_RUN,
        agent="support",
        entries=[first],
        writes=[Put("agent_run", row)],
        now=START,
    )
    for place in range(0, len(rest), ENTRIES):
        batch = rest[place : place + ENTRIES]
        last = place + ENTRIES >= len(rest)
        done = {**row, "status": "success", "end_ts": turns[-1][0], "cost": str(Decimal("0.0002") * steps)}
        await app.store.append(
            LONG_RUN,
            seq=batch[0].seq - 1,
            epoch=0,
            entries=batch,
            status="ended" if last else None,
            writes=[Put("agent_run", {**done, "counted": True})] if last else (),
        )


async def many_runs(app: App, count: int) -> None:
    """`count` runs of two events, of five agents; one in seventeen failed."""
    for place in range(0, count, TOGETHER):
        await asyncio.gather(*(_short_run(app, i) for i in range(place, min(count, place + TOGETHER))))


async def many_approvals(app: App, count: int) -> None:
    """`count` approvals that wait, each of a run of its own."""
    for place in range(0, count, TOGETHER):
        await asyncio.gather(*(_waiting_run(app, i) for i in range(place, min(count, place + TOGETHER))))


async def _short_run(app: App, i: int) -> None:
    run_id, agent = f"run_short_{i:06}", AGENTS[i % len(AGENTS)]
    started = START + i * APART_MS
    created = _created(app, run_id, agent, i)
    failed = i % 17 == 0
    problem = Problem("E711", "the tool `lookup_order` was refused", "allow it, or take it from the agent")
    ended = (
        ev.RunFinished("failure", problem=problem) if failed else ev.RunFinished("success", _inline("done"))
    )
    await _write(app, run_id, [(started, created), (started + 2_000 + i % 9_000, ended)], "ended", [])


async def _waiting_run(app: App, i: int) -> None:
    run_id, agent = f"run_asks_{i:06}", AGENTS[i % len(AGENTS)]
    started = START + i * APART_MS
    arguments = {"order_id": 10_000 + i, "amount": 20 + i % 400}
    decision = Decision(
        "needs_approval", ("large-refunds",), "a refund needs a person", approver_roles=("approver",)
    )
    approval = Approval(
        approval_id=f"apr_{i:026}",
        run_id=run_id,
        tenant_id="local",
        step="m0.0",
        agent=agent,
        tool="refund",
        risk_level=_L3,
        arguments=arguments,
        arguments_digest=digest_of(arguments),
        policy_version="sha256:0",
        requested_by="alice",
        requested_ts=started,
        expires_ts=started + 10 * 365 * 86_400_000,
        approver_roles=("approver",),
        explanation="a refund needs a person",
    )
    use = ToolUse("c0", "refund", arguments)
    events: list[tuple[int, ev.Data]] = [
        (started, _created(app, run_id, agent, i)),
        (started + 10, ev.ModelAsked("m0", "default", 1)),
        (started + 900, ev.ModelAnswered("m0", "offline", _said(use), "tool_use", Usage(model_calls=1))),
        (started + 901, ev.ToolDecided("m0.0", "c0", "refund", approval.arguments_digest, decision)),
        (started + 901, ev.ApprovalRequested(approval)),
        (started + 902, ev.RunParked((f"approval:{approval.approval_id}",))),
    ]
    await _write(app, run_id, events, "waiting", [approval_record(approval, None, started)])


_L3: Risk = "L3"


async def _write(
    app: App, run_id: str, events: list[tuple[int, ev.Data]], status: str, writes: list[Put]
) -> None:
    created = events[0][1]
    if not isinstance(created, ev.RunCreated) or await app.store.head(run_id) is not None:
        return
    entries = _chained(run_id, iter(events))
    started, ended = events[0][0], events[-1][0]
    row = first_record(run_id, created, started, ended)
    last = events[-1][1]
    if isinstance(last, ev.RunFinished):
        row.update(status=last.status, end_ts=ended, cost="0.0031", counted=True)
    elif isinstance(last, ev.RunParked):
        row.update(status="waiting", waiting_on=list(last.waiting_on))
    await app.store.create(
        run_id, tenant_id="local", root_run=run_id, agent=created.agent.name, entries=entries[:1], now=started
    )
    await app.store.append(
        run_id,
        seq=0,
        epoch=0,
        entries=entries[1:],
        writes=[Put("agent_run", row, ABSENT), *writes],
        status="ended" if status == "ended" else "waiting",
    )


def _turns(app: App, turns: int) -> Iterator[tuple[int, ev.Data]]:
    """The events of a loop: one second a turn, and a night in the middle."""
    ts = START
    yield ts, _created(app, LONG_RUN, "support", 0)
    yield ts, ev.RunClaimed("worker-1", 0)
    for i in range(turns):
        if i == turns // 2:
            ts += 9 * 3_600_000
        turn, arguments = f"m{i}", {"order_id": i}
        step, call_id = f"{turn}.0", f"c{i}"
        yield ts, ev.ModelAsked(turn, "default", 2 * i + 1)
        ts += 600
        usage = Usage(Decimal("0.0004"), 900, 60, model_calls=1)
        use = ToolUse(call_id, "lookup_order", arguments)
        yield ts, ev.ModelAnswered(turn, "offline", _said(use), "tool_use", usage, 600.0)
        yield ts, ev.ToolDecided(step, call_id, "lookup_order", digest_of(arguments), ALLOWED)
        yield ts, ev.EffectIntended(step, idempotency_key(LONG_RUN, step, "lookup_order", arguments))
        ts += 400
        if i % 997 == 500:
            yield (
                ts,
                ev.EffectFailed(step, Problem("E700", f"order {i} is in no system", "look for it by name")),
            )
        else:
            yield ts, ev.EffectDone(step, _inline({"state": "shipped"}), Label("tool:lookup_order"), 400.0)
    yield ts, ev.RunFinished("success", _inline(f"{turns} orders looked up"))


def _chained(run_id: str, events: Iterator[tuple[int, ev.Data]]) -> list[Entry]:
    head, made = genesis(run_id), []
    for seq, (ts, data) in enumerate(events):
        body = encode(ev.Event(seq, ts, 0, data))
        head = link(head, body)
        made.append(Entry(seq, body, head))
    return made


def _created(app: App, run_id: str, agent: str, i: int) -> ev.RunCreated:
    spec = app.catalogue.agents[agent].spec
    task = Task(
        f"task-{run_id}",
        agent,
        objective=f"Look into order {10_000 + i} and say what became of it",
        input={"order_id": 10_000 + i},
        actor_context=Actor("alice"),
        trace_id=digest_of(run_id)[7:39],
    )
    return ev.RunCreated(
        task=task,
        agent=spec,
        agent_digest=digest_of(plain(spec)),
        profile="default",
        profile_digest="",
        budget=Budget(max_cost_usd=Decimal(100)),
        root_run=run_id,
    )


def _said(use: ToolUse) -> Payload:
    return _inline(Message("assistant", (Text("I look it up."), use)))


def _inline(value: object) -> Payload:
    return pack(value, {})


async def main() -> None:
    """Write a world into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--approvals", type=int, default=5_000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    async with app_in(given.folder) as app:
        await fill(app, steps=given.steps, runs=given.runs, approvals=given.approvals)
    print(f"written in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
