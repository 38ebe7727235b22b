"""What a run's record says: `waiting` while nobody works on it, `running` as soon as somebody does again."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.engine.any_store import clock, store  # noqa: F401

from remit import agent, tool
from remit.bootstrap import App
from remit.core.approval import Approval
from remit.core.codec import decode, encode
from remit.core.errors import FencedError
from remit.core.task import Actor, Task
from remit.engine import advance, deaths
from remit.engine.advance import Engine
from remit.engine.live import LiveChanges
from remit.ports.store import Put, Store
from remit.sdk import CodeAgent, FunctionTool, Pack
from remit.testing import BOSS, FakeClock, app_for_tests, task
from remit.testing.workflows import Named

Look = Callable[[], Awaitable[None]]


class Said:
    """What is said of a run while its tool works: by its record, lists, strips, its summary and the live feed."""

    def __init__(self) -> None:
        self.app: App | None = None
        self.statuses: list[set[str]] = []
        self.before = 0

    async def look(self) -> None:
        """Ask everywhere."""
        assert self.app is not None
        (row,) = (await self.app.runs.list("local")).items
        listed = await self.app.runs.list("local", status="running")
        (strip,) = (await self.app.runs.strips("local", [row["agent_id"]])).items
        summary = await self.app.reading.summaries.show(row["run_id"], "local")
        told: LiveChanges = await self.app.live.since("local", self.before)
        assert [item["run_id"] for item in listed.items] == [row["run_id"]]
        assert (row["waiting_on"], summary.waiting_on) == ([], ())
        self.statuses.append({row["status"], summary.status, strip.runs[0].status, told.runs[-1].status})


def payer(look: Look) -> tuple[CodeAgent, FunctionTool]:
    """An agent whose two payments somebody has to allow, one after the other."""

    @tool(risk="L3", effect="keyed")
    async def pay(amount: int) -> str:
        """Pay."""
        await look()
        return f"paid {amount}"

    @agent(tools=[pay])
    async def paying(input: Any, memory: Any, context: Any) -> list[str]:
        """Pays."""
        return [await context.call("pay", amount=amount) for amount in (1, 2)]

    return paying, pay


async def status(app: App, run_id: str) -> str:
    """What the record of a run says."""
    row = await app.store.get("agent_run", (run_id,))
    assert row is not None
    return str(row["status"])


async def approve(app: App) -> None:
    """Let what waits happen."""
    (item,) = (await app.approvals.list("local", status="pending")).items
    await app.approvals.decide(decode(encode(item), Approval).approval_id, "local", BOSS, "approve")


async def test_a_run_that_goes_on_after_an_approval_is_running(store: Store, clock: FakeClock) -> None:
    """In its record, lists, strips and summary, and the live feed tells it; once it asks again, it waits again."""
    said = Said()
    paying, _ = payer(said.look)
    async with app_for_tests(paying, store=store, clock=clock) as app:
        said.app = app
        run_id = await app.runs.submit(task(paying))
        for _ in range(2):
            await app.worker.run_until_idle(run_id)
            assert await status(app, run_id) == "waiting"
            said.before = clock.now() + 3_600_000
            clock.advance(7200)
            await approve(app)
        await app.worker.run_until_idle(run_id)
        assert said.statuses == [{"running"}, {"running"}]
        assert await status(app, run_id) == "success"


async def test_a_run_that_a_timer_woke_is_running() -> None:
    """Nobody sent it anything: what it does next says so."""
    said = Said()

    @tool(effect="keyed")
    async def ring() -> str:
        """Ring."""
        await said.look()
        return "rang"

    call = {"Type": "Task", "Resource": "remit:tool:ring", "Arguments": {}, "End": True}
    pause = {"Type": "Wait", "Seconds": 3600, "Next": "ring"}
    document = {"QueryLanguage": "JSONata", "StartAt": "pause", "States": {"pause": pause, "ring": call}}
    clock = FakeClock()
    pack = Pack("p", tools=[ring], workflows=[Named("flow", document)])
    async with app_for_tests(packs=[pack], clock=clock) as app:
        said.app = app
        run_id = await app.runs.submit(Task("t1", "flow", actor_context=Actor("alice")))
        await app.worker.run_until_idle(run_id)
        assert await status(app, run_id) == "waiting"
        clock.advance(3600)
        said.before = clock.now()
        await app.worker.run_until_idle(run_id)
        assert said.statuses == [{"running"}]


async def test_it_costs_no_commit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record goes with an append that is made anyway, and with each append once at most."""
    appends: list[list[str]] = []
    paying, _ = payer(nothing)
    async with app_for_tests(paying) as app:
        append = app.store.append

        async def counted(*args: Any, **more: Any) -> int:
            assert more["entries"] or more["consumed"] or more["status"], "an append for the record alone"
            puts = [w for w in more["writes"] if isinstance(w, Put) and w.collection == "agent_run"]
            appends.append([str(put.item["status"]) for put in puts])
            return await append(*args, **more)

        monkeypatch.setattr(app.store, "append", counted)
        run_id = await app.runs.submit(task(paying))
        for _ in range(2):
            await app.worker.run_until_idle(run_id)
            await approve(app)
        await app.worker.run_until_idle(run_id)
    said = [statuses for statuses in appends if statuses]
    assert said == [["waiting"], ["running"], ["waiting"], ["running"], ["success"]]


async def test_a_run_whose_worker_died_waiting_is_running_for_the_next() -> None:
    """One that took it up and said nothing, and one that only claimed it: whoever goes on says that it runs."""
    seen: list[str] = []

    async def look() -> None:
        seen.append(await status(app, run_id))

    clock = FakeClock()
    paying, _ = payer(look)
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying))
        await app.worker.run_until_idle(run_id)
        await approve(app)
        taken = await app.store.lease(run_id, "dies at once", ttl_ms=1000)
        assert taken is not None
        clock.advance(60)
        lease = await app.store.lease(run_id, "dies after its claim", ttl_ms=1000)
        assert lease is not None
        assert lease.lapsed
        found = await deaths.count(app.kit, lease)
        assert found is not None
        number, seq, head = found
        await deaths.write(app.kit, lease, number, seq, head)
        clock.advance(60)
        assert await status(app, run_id) == "waiting"
        await app.worker.run_until_idle(run_id)
        assert seen == ["running"]


async def test_a_run_that_was_set_aside_unread_is_running_once_it_is_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its journal does not say that it waits, its record does."""
    monkeypatch.setattr(advance.deaths, "MOST_DEATHS", 1)
    seen: list[str] = []
    begun = asyncio.Event()

    @tool(effect="keyed")
    async def dig() -> str:
        """Dig."""
        seen.append(await status(app, run_id))
        return "dug"

    @agent(tools=[dig])
    async def digger(input: Any, memory: Any, context: Any) -> str:
        """Digs, once somebody lets it."""
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return str(await context.call("dig"))

    clock = FakeClock()
    async with app_for_tests(digger, clock=clock) as app:
        run_id = await app.runs.submit(task(digger))
        for worker in ("first", "second"):
            lease = await app.store.lease(run_id, worker, ttl_ms=1000)
            assert lease is not None
            found = await deaths.count(app.kit, lease)
            assert found is not None
            await deaths.write(app.kit, lease, *found)
            clock.advance(60)
        assert await app.engine.advance(run_id) == "waiting"
        assert await status(app, run_id) == "waiting"
        begun.set()
        await app.runs.resume(run_id, "local", BOSS)
        assert await app.engine.advance(run_id) == "ended"
        assert seen == ["running"]


async def test_a_worker_that_lost_a_run_says_nothing_about_it() -> None:
    """It still believes that the run goes on; its append is refused, and with it what it says."""
    clock = FakeClock()
    at_work, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        if not at_work.is_set():
            at_work.set()
            await may_end.wait()

    paying, _ = payer(slow)
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying))
        await app.worker.run_until_idle(run_id)
        await approve(app)
        late = asyncio.create_task(Engine(replace(app.kit, worker_id="late")).advance(run_id))
        await at_work.wait()
        head = await app.store.head(run_id)
        assert head is not None
        clock.advance(3600)
        lease = await app.store.lease(run_id, "other", ttl_ms=1000)
        assert lease is not None
        row = await app.store.get("agent_run", (run_id,))
        waits = Put("agent_run", {**(row or {}), "status": "waiting"})
        with pytest.raises(FencedError):
            await app.store.append(run_id, seq=head.seq, epoch=lease.epoch - 1, entries=[], writes=[waits])
        assert await status(app, run_id) == "running"
        await app.store.append(run_id, seq=head.seq, epoch=lease.epoch, entries=[], writes=[waits])
        may_end.set()
        assert await late == "lost"
        assert await status(app, run_id) == "waiting"


async def nothing() -> None:
    """Nobody looks."""
