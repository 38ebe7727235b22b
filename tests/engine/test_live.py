"""What changes is told to all who listen: each change once, each tenant its own, at the cost of one watch."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.any_store import clock, store  # noqa: F401

from remit import agent
from remit.core.errors import StoreError
from remit.engine import live, records
from remit.engine.live import BEHIND_S, IDLE_S, LOOK_S, OVERLAP_MS, QUIET, Listener, Live
from remit.ports.store import Page, Put, Store
from remit.sdk import FunctionTool, tool
from remit.testing import BOSS, FakeClock, app_for_tests, task


def run_row(run_id: str, at: int, tenant: str = "local", status: str = "running") -> Put:
    """A run's record, written at `at`."""
    row = {"run_id": run_id, "tenant_id": tenant, "workflow_id": "", "agent_id": "a", "status": status}
    more = {"start_ts": at, "end_ts": None, "cost": "0", "trace_id": "t", "changed_ts": at}
    return Put("agent_run", {**row, **more})


@pytest.fixture
async def kept(store: Store) -> Store:
    """An open store with the platform's records."""
    await store.open()
    await store.declare(records.COLLECTIONS)
    return store


async def told(listener: Listener, clock: FakeClock, seconds: float = 60.0) -> live.LiveChanges:
    """What is told next; time is moved on until something is, or `seconds` have passed."""
    coming = asyncio.create_task(listener.next())
    passed = 0.0
    while not coming.done():
        assert passed < seconds, "nothing was told"
        clock.advance(LOOK_S)
        passed += LOOK_S
        await asyncio.wait({coming}, timeout=0.02)
    return coming.result()


async def test_a_change_is_told_once_to_each_who_listens(kept: Store, clock: FakeClock) -> None:
    """Whoever wrote it: the watch reads the records, which any process may have written."""
    watching = Live(kept, clock)
    with watching.listen("local") as one, watching.listen("local") as other:
        await kept.transact([run_row("r1", clock.now()), run_row("r2", clock.now())])
        for listener in (one, other):
            assert {run.run_id for run in (await told(listener, clock)).runs} == {"r1", "r2"}
        await kept.transact([run_row("r1", clock.now(), status="success")])
        for listener in (one, other):
            assert [(r.run_id, r.status) for r in (await told(listener, clock)).runs] == [("r1", "success")]
    assert watching.watched == 0


async def test_a_tenant_hears_of_its_own_alone(kept: Store, clock: FakeClock) -> None:
    """Neither in a stream nor in an answer."""
    watching = Live(kept, clock)
    with watching.listen("local") as mine, watching.listen("acme") as theirs:
        assert watching.watched == 2
        await kept.transact([run_row("r1", clock.now()), run_row("r2", clock.now(), "acme")])
        assert [run.run_id for run in (await told(mine, clock)).runs] == ["r1"]
        assert [run.run_id for run in (await told(theirs, clock)).runs] == ["r2"]
    assert [run.run_id for run in (await watching.since("acme", clock.now())).runs] == ["r2"]


async def test_what_lands_late_is_told_all_the_same(kept: Store, clock: FakeClock) -> None:
    """A transaction that commits after a look that its time lay before; and a writer whose clock is behind."""
    watching = Live(kept, clock)
    with watching.listen("local") as listener:
        await kept.transact([run_row("r1", clock.now())])
        await told(listener, clock)
        await kept.transact([run_row("late", clock.now() - OVERLAP_MS // 2)])
        assert [run.run_id for run in (await told(listener, clock)).runs] == ["late"]


async def test_whoever_comes_back_is_told_what_was_missed(kept: Store, clock: FakeClock) -> None:
    """From the mark of what was told last; without a mark there is nothing to tell but a mark."""
    watching = Live(kept, clock)
    first = await watching.since("local", None)
    assert (first.runs, first.mark) == ((), clock.now())
    clock.advance(3600)
    await kept.transact([run_row("r1", clock.now())])
    clock.advance(3600)
    missed = await watching.since("local", first.mark)
    assert [run.run_id for run in missed.runs] == ["r1"]
    assert (await watching.since("local", missed.mark)).runs == ()


async def test_too_much_at_once_is_said_and_not_told(
    kept: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one look reads is bounded, and so is what is kept for a listener that does not take it."""
    monkeypatch.setattr(live, "PAGE", 2)
    monkeypatch.setattr(live, "MOST_PAGES", 2)
    await kept.transact([run_row(f"r{i}", clock.now() + i) for i in range(6)])
    found = await Live(kept, clock).since("local", clock.now())
    assert (len(found.runs), found.incomplete) == (4, True)
    assert [run.run_id for run in found.runs] == ["r2", "r3", "r4", "r5"], "the newest, oldest first"

    monkeypatch.setattr(live, "MOST_HELD", 3)
    lazy = Listener(0)
    lazy.tell(found)
    changes = await lazy.next()
    assert (changes.runs, changes.incomplete) == ((), True)


class Counting:
    """Records that count their queries, and can be out of order."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.queries = 0
        self.is_down = False

    async def query(self, *args: Any, **more: Any) -> Page:
        """Count and pass on."""
        self.queries += 1
        if self.is_down:
            raise StoreError("the store is gone")
        return await self._inner.query(*args, **more)


async def test_many_listeners_cost_what_one_costs_and_silence_costs_little(clock: FakeClock) -> None:
    """Two queries a second while nothing changes, however many listen; none when nobody does."""
    async with app_for_tests(clock=clock) as app:
        counting = Counting(app.store)
        watching = Live(counting, clock)  # type: ignore[arg-type]
        listening = [watching.listen("local") for _ in range(50)]
        for each in listening:
            each.__enter__()
        for _ in range(QUIET + 2):
            await moved(clock, LOOK_S)
        before = counting.queries
        for _ in range(40):
            await moved(clock, LOOK_S)
        assert counting.queries - before == 2 * 40 * LOOK_S / IDLE_S
        for each in listening:
            each.__exit__(None, None, None)
        await moved(clock, IDLE_S)
        before = counting.queries
        await moved(clock, 60.0)
        assert counting.queries == before


async def test_a_store_that_fails_delays_and_loses_nothing(clock: FakeClock) -> None:
    """What changed meanwhile is told once the store is back."""
    async with app_for_tests(clock=clock) as app:
        counting = Counting(app.store)
        with Live(counting, clock).listen("local") as listener:  # type: ignore[arg-type]
            counting.is_down = True
            for _ in range(3):
                await moved(clock, BEHIND_S)
            await app.store.transact([run_row("r1", clock.now())])
            for _ in range(10):
                await moved(clock, BEHIND_S)
            counting.is_down = False
            assert [run.run_id for run in (await told(listener, clock)).runs] == ["r1"]


async def moved(clock: FakeClock, seconds: float) -> None:
    """Move time on, and let the watch do what it does then."""
    clock.advance(seconds)
    for _ in range(10):
        await asyncio.sleep(0)


def payer() -> tuple[Any, FunctionTool]:
    """An agent whose payment somebody has to allow."""

    @tool(risk="L3", effect="keyed")
    async def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    @agent(tools=[pay])
    async def paying(input, memory, context):  # type: ignore[no-untyped-def]
        """Pays."""
        return await context.call("pay", amount=input["amount"])

    return paying, pay


async def test_a_run_and_its_approval_are_told_as_they_go(clock: FakeClock) -> None:
    """Begun, waiting, decided, ended: every change of their records has a time of its own."""
    paying, _ = payer()
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying, input={"amount": 3}))
        started = await app.live.since("local", clock.now())
        assert [(r.run_id, r.status) for r in started.runs] == [(run_id, "running")]
        clock.advance(3600)
        await app.worker.run_until_idle(run_id)
        asked = await app.live.since("local", clock.now())
        assert [(r.status, r.changed_ts) for r in asked.runs] == [("waiting", clock.now())]
        (approval,) = asked.approvals
        assert (approval.status, approval.tool, approval.agent) == ("pending", "pay", "paying")
        assert approval.requested_by == "alice"
        clock.advance(3600)
        await app.approvals.decide(approval.approval_id, "local", BOSS, "approve")
        decided = await app.live.since("local", clock.now())
        assert [(a.status, a.changed_ts) for a in decided.approvals] == [("approved", clock.now())]
        clock.advance(3600)
        await app.worker.run_until_idle(run_id)
        ended = await app.live.since("local", clock.now())
        assert [(r.status, r.changed_ts) for r in ended.runs] == [("success", clock.now())]


async def test_an_approval_that_a_cancelled_run_withdraws_is_told(clock: FakeClock) -> None:
    """Nobody decides it any more."""
    paying, _ = payer()
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying, input={"amount": 3}))
        await app.worker.run_until_idle(run_id)
        clock.advance(3600)
        await app.runs.cancel(run_id, "local", BOSS, "not now")
        await app.worker.run_until_idle(run_id)
        told_then = await app.live.since("local", clock.now())
        assert [a.status for a in told_then.approvals] == ["cancelled"]
        assert [r.status for r in told_then.runs] == ["failure"]


async def test_a_run_that_is_set_aside_is_told(clock: FakeClock) -> None:
    """It waits for an operator from then on."""
    paying, _ = payer()
    async with app_for_tests(paying, clock=clock) as app:
        run_id = await app.runs.submit(task(paying, input={"amount": 3}))
        clock.advance(3600)
        await app.engine.set_aside(run_id, "it cannot be read")
        (row,) = (await app.live.since("local", clock.now())).runs
        assert (row.status, row.changed_ts) == ("waiting", clock.now())
