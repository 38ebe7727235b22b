"""Shared key/value state (F6, P5): versions to write by, a time to live, one write however often it is sent."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.engine.any_store import clock, store  # noqa: F401

from remit import agent
from remit.core.errors import ConflictError
from remit.engine import records, shared_state
from remit.engine.shared_state import STATE, SharedStates, Slot
from remit.ports.shared_state import StateValue
from remit.ports.store import Put, Store
from remit.sdk import RunContext
from remit.testing import FakeClock, app_for_tests, task
from remit_packs.tools.state import delete_state, get_state, put_state

DAY_S = 86_400.0
SLOT = Slot("local", "tenant", "counter")
TOOLS = [get_state, put_state, delete_state]


def value(what: Any, scope: str = "tenant") -> StateValue:
    """A value to write."""
    return StateValue(scope, "counter", what, 0, "a", "r", 0, 0)


@pytest.fixture
async def states(store: Store, clock: FakeClock) -> SharedStates:
    """State over each kind of store, kept for a day."""
    await store.open()
    await store.declare([*shared_state.COLLECTIONS, *records.COLLECTIONS])
    return SharedStates(store, clock, ttl_s=DAY_S)


async def test_versions_count_and_decide(states: SharedStates) -> None:
    """A write under the version that is there goes through; under any other it is told which one there is."""
    first = await states.put(SLOT, value(1), write="w1", if_version=0)
    second = await states.put(SLOT, value(2), write="w2", if_version=first.version)
    assert (first.version, second.version) == (1, 2)
    for wrong in (0, 1, 3):
        with pytest.raises(ConflictError) as told:
            await states.put(SLOT, value(3), write=f"bad{wrong}", if_version=wrong)
        assert told.value.code == "E948"
        assert "version 2" in told.value.message
    assert await states.get(SLOT) == second
    assert await states.get(Slot("acme", "tenant", "counter")) is None
    assert await states.get(Slot("local", "team:x", "counter")) is None


async def test_of_many_writers_at_once_none_is_lost(states: SharedStates) -> None:
    """Twelve that count up by compare-and-set, trying again when they are told to, count to twelve."""

    async def count(name: str) -> None:
        for attempt in range(100):
            now = await states.get(SLOT)
            so_far, version = (now.value, now.version) if now else (0, 0)
            try:
                await states.put(SLOT, value(so_far + 1), write=f"{name}.{attempt}", if_version=version)
            except ConflictError:
                continue
            return
        raise AssertionError

    await asyncio.gather(*(count(f"writer{i}") for i in range(12)))
    now = await states.get(SLOT)
    assert now is not None
    assert (now.value, now.version) == (12, 12)


async def test_a_write_sent_again_is_the_same_write(states: SharedStates) -> None:
    """Also when others have written since: nothing newer is lost to a call that was repeated after a crash."""
    await states.put(SLOT, value("mine"), write="w1", if_version=0)
    await states.put(SLOT, value("newer"), write="w2", if_version=1)
    again = await states.put(SLOT, value("mine"), write="w1", if_version=0)
    assert (again.value, again.version) == ("newer", 2)


async def test_what_is_deleted_or_expired_leaves_its_version_behind(
    states: SharedStates, clock: FakeClock
) -> None:
    """Nothing is there, and whoever still holds an old version cannot write over what came later."""
    await states.put(SLOT, value("a"), write="w1")
    await states.put(SLOT, value(None), write="w2", delete=True)
    assert await states.get(SLOT) is None
    made = await states.put(SLOT, value("b"), write="w3", if_version=0, ttl_s=60)
    assert made.version == 3
    clock.advance(60)
    assert await states.get(SLOT) is None
    with pytest.raises(ConflictError):
        await states.put(SLOT, value("c"), write="w4", if_version=3)
    assert (await states.put(SLOT, value("c"), write="w5", if_version=0)).version == 4


async def test_what_has_expired_is_swept(states: SharedStates, store: Store, clock: FakeClock) -> None:
    """The value is gone from the store, and others stay."""
    await states.put(SLOT, value("secretword"), write="w1", ttl_s=60)
    await states.put(Slot("local", "tenant", "other"), value("stays"), write="w2")
    assert await states.sweep() == 0
    clock.advance(60)
    assert await states.sweep() == 1
    assert await store.get(STATE, (SLOT.place, "counter")) is None
    assert await states.get(Slot("local", "tenant", "other")) is not None


async def test_working_memory_lives_as_long_as_its_run_and_then_its_time(
    states: SharedStates,
    store: Store,
    clock: FakeClock,
) -> None:
    """A run that waits for a month keeps its state; a day after it has ended nobody reads it, and it is swept."""
    slot, row = Slot("local", "run:r1", "counter"), {"run_id": "r1", "tenant_id": "local", "end_ts": None}
    await store.transact([Put("agent_run", {**row, "start_ts": 1, "status": "waiting", "agent_id": "a"})])
    await states.put(slot, value("plan", "run:r1"), write="w1")
    for _ in range(3):
        clock.advance(10 * DAY_S)
        assert await states.sweep() == 0
        assert await states.get(slot) is not None
    ended = {**row, "start_ts": 1, "status": "success", "agent_id": "a", "end_ts": clock.now()}
    await store.transact([Put("agent_run", ended)])
    clock.advance(DAY_S - 1)
    assert await states.get(slot) is not None
    clock.advance(2)
    assert await states.get(slot) is None
    assert await states.sweep() == 1
    assert await store.get(STATE, (slot.place, "counter")) is None


async def test_a_supervisor_and_its_workers_share_the_state_of_a_run(store: Store, clock: FakeClock) -> None:
    """What a worker writes under `run` its supervisor reads, and no other run; a stale write is refused and told why."""

    @agent(tools=TOOLS)
    async def worker(given: Any, memory: Any, context: RunContext) -> Any:
        """Adds to the plan."""
        now = await context.call("get_state", key="plan")
        entry = await context.call(
            "put_state", key="plan", value=[*(now["value"] or []), given], if_version=now["version"]
        )
        return entry["version"]

    @agent(tools=TOOLS, delegates=[worker])
    async def boss(given: Any, memory: Any, context: RunContext) -> Any:
        """Delegates, then reads."""
        for part in given:
            await context.delegate("worker", "add", input=part)
        (stale,) = await context.call_all([("put_state", {"key": "plan", "value": [], "if_version": 1})])
        plan = await context.call("get_state", key="plan")
        await context.call("delete_state", key="plan")
        return {
            "plan": plan["value"],
            "stale": stale.code,
            "after": (await context.call("get_state", key="plan"))["version"],
        }

    async with app_for_tests(boss, worker, store=store, clock=clock) as app:
        first = await app.run(task(boss, "t1", input=["a", "b"]))
        assert first.result_payload == {"plan": ["a", "b"], "stale": "E948", "after": 0}
        second = await app.run(task(boss, "t2", input=["c", "d"]))
        assert second.result_payload["plan"] == ["c", "d"]
