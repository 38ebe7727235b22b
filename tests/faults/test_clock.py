"""F9: clocks that jump. Leases do not fall early, approvals do not expire early, timers fire once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger

from remit import Agent, agent, tool
from remit.adapters.store.memory import MemoryStore
from remit.core import event as ev
from remit.core.errors import ConflictError
from remit.core.task import Actor, Constraints
from remit.sdk import RunContext
from remit.testing import FakeClock, app_for_tests, call, task

PAT = Actor("pat", ("approver",))
MINUTES_5 = 300.0
STARTS = {
    "2038": 2_147_483_647_000,
    "dst-spring": 1_774_746_000_000,
    "leap-second": 1_483_228_799_000,
    "epoch": 1_000,
    "year-9999": 253_402_300_799_000,
}


def wiper(made: list[str]) -> Agent:
    """An agent whose call needs a person."""

    @tool(risk="L3")
    async def wipe(disk: str) -> str:
        """Wipe a disk."""
        made.append(disk)
        return "wiped"

    return Agent("wiper", instructions="Wipe.", tools=[wipe])


def nudged(clock: FakeClock, chance: random.Random) -> Any:
    """Before each charge the clock jumps, up to five minutes either way."""

    def jump(ref: str) -> None:
        seconds = chance.uniform(0, MINUTES_5)
        if chance.random() < 0.5:
            clock.set_back(seconds)
        else:
            clock.advance(seconds)

    return jump


async def test_jumps_of_five_minutes_between_any_two_effects_change_nothing(
    request: pytest.FixtureRequest,
) -> None:
    """Whatever the clock does, every effect happens once and the run ends the same."""
    for seed in range(1000 if request.config.getoption("--nightly") else 40):
        clock = FakeClock()
        ledger = Ledger(nudged(clock, random.Random(seed)))
        async with app_for_tests(ledger.agent(9), clock=clock) as app:
            result = await app.run(task("charger"))
            assert result.status == "success", result.problem
            checked = await check_invariants(app, result.run_id, ledger.entries)
            assert len(ledger.entries) == 9
            assert checked.asked == 0


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
async def test_a_run_across_a_special_instant_ends_and_its_approval_is_decided(start: int) -> None:
    """2038, a change to summer time, a leap second: times are whole milliseconds and nothing else."""
    clock, made = FakeClock(start), list[str]()
    async with app_for_tests(wiper(made), replies=[call("wipe", disk="a"), "done"], clock=clock) as app:
        run_id = (await app.run(task("wiper"))).run_id
        clock.advance(2)
        (waiting,) = (await app.approvals.list(TENANT)).items
        await app.approvals.decide(waiting["approval_id"], TENANT, PAT, "approve")
        await app.worker.run_until_idle()
        checked = await check_invariants(app, run_id)
        assert checked.run.finished is not None
        assert made == ["a"]


async def test_a_clock_set_back_expires_no_approval_early() -> None:
    """Expiry counts on the wall clock: going back makes it later, never sooner, and then it comes once."""
    clock, made = FakeClock(), list[str]()
    async with app_for_tests(wiper(made), replies=[call("wipe", disk="a"), "done"], clock=clock) as app:
        run_id = (await app.run(task("wiper"))).run_id
        (waiting,) = (await app.approvals.list(TENANT)).items
        left = (waiting["expires_ts"] - clock.now()) / 1000
        clock.advance(left - 1)
        clock.set_back(MINUTES_5)
        await app.worker.run_until_idle()
        assert (await app.approvals.get(waiting["approval_id"], TENANT)).open
        clock.advance(MINUTES_5 + 1)
        for _ in range(5):
            await app.worker.run_until_idle()
        with pytest.raises(ConflictError):
            await app.approvals.decide(waiting["approval_id"], TENANT, PAT, "approve")
        checked = await check_invariants(app, run_id)
        assert sum(isinstance(e.data, ev.RunFinished) for e in checked.events) == 1
        assert not checked.run.approvals[waiting["approval_id"]].open
        assert made == []


async def test_a_deadline_fires_once_and_only_when_it_is_due() -> None:
    """A run that waits ends at its deadline, with one last event, however often somebody looks."""
    clock, made = FakeClock(), list[str]()
    limits = Constraints(deadline_ts=clock.now() + 60_000)
    async with app_for_tests(wiper(made), replies=[call("wipe", disk="a")], clock=clock) as app:
        run_id = (await app.run(task("wiper", constraints=limits))).run_id
        clock.advance(59)
        await app.worker.run_until_idle()
        assert (await app.store.head(run_id)).status == "waiting"
        clock.advance(1)
        for _ in range(5):
            await app.worker.run_until_idle()
        checked = await check_invariants(app, run_id)
        assert checked.run.finished is not None
        assert checked.run.finished.problem is not None
        assert checked.run.finished.problem.code == "E511"
        assert sum(isinstance(e.data, ev.RunFinished) for e in checked.events) == 1
        assert not (await app.approvals.list(TENANT)).items, "nobody is asked for a run that ended"


async def test_a_run_overdue_with_an_effect_in_doubt_waits_without_spinning() -> None:
    """A deadline that passed does not wake a run again and again while a person is asked."""
    clock = FakeClock()

    def break_it(ref: str) -> None:
        clock.advance(120)
        raise ConnectionError("cut")

    ledger = Ledger(break_it)
    limits = Constraints(deadline_ts=clock.now() + 60_000)

    @agent(name="payer", tools=ledger.tools())
    async def act(given: Any, memory: Any, context: RunContext) -> str:
        """Charge once."""
        return await context.call("charge_plain", ref="one")

    async with app_for_tests(act, clock=clock) as app:
        run_id = (await app.run(task("payer", constraints=limits))).run_id
        seq = (await app.store.head(run_id)).seq
        for _ in range(20):
            await app.worker.run_until_idle()
        assert (await app.store.head(run_id)).seq <= seq + 3, "the journal grew while nothing happened"
        (waiting,) = (await app.approvals.list(TENANT)).items
        await app.approvals.decide(waiting["approval_id"], TENANT, PAT, "reject")
        await app.worker.run_until_idle()
        checked = await check_invariants(app, run_id)
        assert checked.run.finished is not None


async def test_a_lease_ends_by_time_and_its_old_holder_writes_nothing_more() -> None:
    """After the lease another worker takes the run; a clock set back never shortens a lease."""
    clock = FakeClock()
    store, ledger = MemoryStore(clock), Ledger()
    async with app_for_tests(ledger.agent(9), store=store, clock=clock) as app:
        run_id = await app.runs.submit(task("charger"))
        held = await store.lease(run_id, "gone", ttl_ms=15_000)
        assert held is not None
        clock.set_back(MINUTES_5)
        assert await app.engine.advance(run_id) == "busy"
        clock.advance(MINUTES_5 + 16)
        assert await app.engine.advance(run_id) == "ended"
        assert await store.renew(held, ttl_ms=15_000) is None
        await check_invariants(app, run_id, ledger.entries)
        assert len(ledger.entries) == 9


async def test_a_clock_far_ahead_lets_another_worker_in_and_no_effect_doubles() -> None:
    """One machine's clock runs an hour ahead and steals each lease: fencing holds, every effect happens once."""
    clock, taken = FakeClock(), list[Any]()
    store = MemoryStore(clock)
    thief_store = store
    apps: list[Any] = []

    async def steal(run_id: str) -> None:
        taken.append(await thief_store.lease(run_id, "ahead", ttl_ms=1))

    ledger = Ledger()
    tools = ledger.tools()

    @agent(name="robbed", tools=tools)
    async def act(given: Any, memory: Any, context: RunContext) -> str:
        """Charge thrice; somebody takes the run before the second."""
        await context.call("charge_keyed", ref="one")
        if not taken:
            clock.advance(3600)
            await steal(context.run_id)
            clock.advance(1)
        await context.call("charge_plain", ref="two")
        await context.call("charge_lookup", ref="three")
        return "done"

    async with app_for_tests(act, store=store, clock=clock) as app:
        apps.append(app)
        run_id = await app.runs.submit(task("robbed"))
        assert await app.engine.advance(run_id) == "lost"
        assert [e["ref"] for e in ledger.entries] == ["one"], "no effect under a lost lease"
        assert await app.engine.advance(run_id) == "ended"
        checked = await check_invariants(app, run_id, ledger.entries)
        assert [e["ref"] for e in ledger.entries] == ["one", "two", "three"]
        assert checked.asked == 0
