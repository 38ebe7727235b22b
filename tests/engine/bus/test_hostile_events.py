"""What the bus must stand: claims under load, other tenants' mistakes, patterns that cannot be used, and content that is not trusted."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit import agent, tool
from remit.adapters.clock.system import SystemClock
from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent
from remit.core.errors import DeniedError, InputError
from remit.core.task import Actor, Task
from remit.engine import loading
from remit.engine.bus.dispatcher import PAGE
from remit.engine.bus.local import LocalBus, attributed
from remit.engine.bus.partition import BEHIND, ROUND_S
from remit.engine.bus.records import CLAIM, COLLECTIONS, SUBSCRIPTION, WAITS, partition_of
from remit.ports.bus import Delivery, Later, Subscription
from remit.ports.store import Put, Store
from remit.sdk import Pack
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import Named

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
SERVICE = [pytest.mark.service, pytest.mark.skipif(not DSN, reason="REMIT_TEST_POSTGRES names no PostgreSQL")]
PATTERN = ({"type": ["paid"]},)


def paid(number: int, **fields: Any) -> CloudEvent:
    """Something was paid."""
    return CloudEvent(
        **{"id": f"e{number}", "source": "till", "type": "paid", "data": {"n": number}, **fields}
    )


@pytest.fixture
def clock() -> FakeClock:
    """The test's own time."""
    return FakeClock()


@pytest_asyncio.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=SERVICE)])
async def store(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Store]:
    """A store with the bus's collections."""
    made: Store = MemoryStore(clock)
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "bus.db", clock)
    if request.param == "postgres":
        made = PostgresStore(DSN, clock, schema=f"bus_{secrets.token_hex(6)}")
    await made.open()
    await made.declare(COLLECTIONS)
    yield made
    await made.close()


async def test_a_claim_is_held_while_handlers_end_one_after_the_other() -> None:
    """Handlers that end all the time do not keep a claim from being renewed: no other process delivers the same again."""
    clock = SystemClock()
    store = MemoryStore(clock)
    await store.open()
    await store.declare(COLLECTIONS)
    seen: Counter[str] = Counter()

    async def handler(delivery: Delivery) -> None:
        seen[delivery.event.id] += 1
        await asyncio.sleep(0.25 * delivery.event.data["n"])

    buses = [LocalBus(store, clock, owner=f"process {n}", claim_s=0.9) for n in range(2)]
    for bus in buses:
        await bus.subscribe(Subscription("s", PATTERN), handler)
    await buses[0].publish("acme", [paid(n) for n in range(1, 7)])
    stop = asyncio.Event()
    serving = [asyncio.ensure_future(bus.serve(stop)) for bus in buses]
    async with asyncio.timeout(20):
        while (await store.query("bus_ready", "", ("main",))).items:
            await clock.sleep(0.02)
    stop.set()
    await asyncio.gather(*serving)
    assert seen == {f"e{n}": 1 for n in range(1, 7)}
    await store.close()


async def test_a_long_queue_of_one_key_is_taken_out_as_it_is_handled(store: Store, clock: FakeClock) -> None:
    """A process that dies after a while of slow events repeats the last ones at most, and the order stays."""
    taken: list[int] = []
    done = asyncio.Event()

    async def slow(delivery: Delivery) -> None:
        if len(taken) == 12:
            done.set()
            await asyncio.Event().wait()
        taken.append(delivery.event.data["n"])
        clock.advance(ROUND_S / 4)

    bus = LocalBus(store, clock, owner="one")
    await bus.subscribe(Subscription("s", PATTERN, timeout_s=600.0), slow)
    await bus.publish("acme", [paid(n, partitionkey="k") for n in range(40)])
    serving = asyncio.ensure_future(bus.drain())
    await asyncio.wait_for(done.wait(), 20)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    first = list(taken)
    assert first == list(range(12))

    async def quick(delivery: Delivery) -> None:
        taken.append(delivery.event.data["n"])

    clock.advance(60)
    other = LocalBus(store, clock, owner="two")
    await other.subscribe(Subscription("s", PATTERN, timeout_s=600.0), quick)
    await other.drain()
    again = taken[12:]
    assert again == list(range(again[0], 40))
    assert 8 <= again[0] <= 12


async def test_whoever_is_stopped_begins_no_more(store: Store, clock: FakeClock) -> None:
    """A queue of slow events does not hold up the end of a process; what was not begun is left to others."""
    taken: list[int] = []
    stop = asyncio.Event()

    async def handler(delivery: Delivery) -> None:
        taken.append(delivery.event.data["n"])
        stop.set()

    bus = LocalBus(store, clock, owner="one")
    await bus.subscribe(Subscription("s", PATTERN), handler)
    await bus.publish("acme", [paid(n, partitionkey="k") for n in range(20)])
    await asyncio.wait_for(bus.serve(stop), 20)
    assert taken == [0]
    other = LocalBus(store, clock, owner="two")
    await other.subscribe(Subscription("s", PATTERN), handler)
    await other.drain()
    assert taken == list(range(20))


async def test_what_is_wrong_with_one_tenant_refuses_no_other(store: Store, clock: FakeClock) -> None:
    """Events of several tenants share a transaction only as long as that is no matter to any of them."""
    bus = LocalBus(store, clock, owner="one")
    broken = {
        "tenant_id": "bad",
        "name": "rule:x",
        "kind": "rule",
        "subscription": {"name": "rule:x", "patterns": [{"type": [{"nothing": 1}]}], "tenant_id": "bad"},
    }
    await store.transact([Put(SUBSCRIPTION, broken)])
    answers = await asyncio.gather(
        bus.publish("bad", [paid(1)]),
        bus.publish("good", [paid(1)]),
        bus.publish("bad", [paid(2)]),
        bus.publish("good", [paid(2)]),
        return_exceptions=True,
    )
    assert [isinstance(a, InputError) for a in answers] == [True, False, True, False]
    assert len((await bus.events("good")).items) == 2


async def test_a_claim_on_waiting_runs_that_another_holds_is_left_alone(
    store: Store, clock: FakeClock
) -> None:
    """Whoever finds them taken looks again a little later, and does not look all the time."""
    bus = LocalBus(store, clock, owner="one")
    claim = {"partition": partition_of("acme", WAITS, 0), "token": "t", "owner": "two", "until_ts": 2**60}
    await store.transact([Put(CLAIM, claim)])
    await bus.publish("acme", [paid(1)])
    async with asyncio.timeout(10):
        assert await bus.drain() == 0


AWAITS = {
    "QueryLanguage": "JSONata",
    "StartAt": "W",
    "States": {
        "W": {
            "Type": "Task",
            "Resource": "remit:event:paid.waitForEvent",
            "Arguments": "{% $states.input %}",
            "End": True,
        }
    },
}


async def waiting(app: App, name: str, input: Any) -> str:
    """A run of the workflow that waits for `paid`."""
    return await app.runs.submit(Task(name, "flow", input=input, actor_context=Actor("ana", ("operator",))))


async def settle(app: App) -> None:
    """Deliver events and advance runs until nothing is left to do now."""
    await app.worker.run_until_idle()
    while await app.bus.drain():
        await app.worker.run_until_idle()


@pytest.mark.parametrize("pattern", [{"type": [{"nothing": 1}]}, "paid", [], {}])
async def test_a_pattern_that_cannot_be_used_fails_only_who_waits_with_it(pattern: Any) -> None:
    """Patterns are computed when a state is entered: a wrong one is that state's failure, and in nobody else's way."""
    async with app_for_tests(packs=[Pack("p", workflows=[Named("flow", AWAITS)])]) as app:
        bad = await waiting(app, "bad", {"pattern": pattern})
        good = await waiting(app, "good", {"pattern": {"type": ["paid"]}})
        await settle(app)
        await app.bus.publish("local", [paid(1)])
        await settle(app)
        failed, done = [await app.runs.result(r, "local") for r in (bad, good)]
        assert failed is not None
        assert done is not None
        assert (failed.status, failed.problem and failed.problem.code) == ("failure", "E640")
        assert failed.problem is not None
        assert "Remit.InvalidInput" in failed.problem.message
        assert done.status == "success"


@pytest.mark.parametrize("said", [{}, {"untrusted": True, "sensitivity": "private"}])
async def test_an_awaited_event_brings_its_labels_along(said: dict[str, Any]) -> None:
    """A run that waited for an event has read it: what its publisher had read of strangers, so has the run."""
    async with app_for_tests(packs=[Pack("p", workflows=[Named("flow", AWAITS)])]) as app:
        run_id = await waiting(app, "t", {})
        await settle(app)
        before = (await loading.load(app.store, run_id))[0].labels
        assert not before.untrusted
        await app.bus.publish("local", [paid(1, extensions=said)])
        await settle(app)
        run = (await loading.load(app.store, run_id))[0]
        assert run.finished is not None
        assert (run.labels.untrusted, run.labels.private) == (bool(said), bool(said))


async def test_a_delivery_that_waits_keeps_its_key_in_order(store: Store, clock: FakeClock) -> None:
    """Asked to come again later, an event holds back those behind it, whatever comes meanwhile and whoever serves them."""
    taken: list[tuple[int, str]] = []

    async def handler(delivery: Delivery) -> Later | None:
        taken.append((delivery.event.data["n"], delivery.memo))
        return None if delivery.memo or delivery.event.data["n"] else Later(10.0, "seen")

    bus = LocalBus(store, clock, owner="one")
    await bus.subscribe(Subscription("s", PATTERN), handler)
    for n in range(3):
        await bus.publish("acme", [paid(n, partitionkey="k")])
        await bus.drain()
    clock.advance(11)
    other = LocalBus(store, clock, owner="two")
    await other.subscribe(Subscription("s", PATTERN), handler)
    await other.publish("acme", [paid(3, partitionkey="k")])
    await other.drain()
    assert taken == [(0, ""), (0, "seen"), (1, ""), (2, ""), (3, "")]


@tool(risk="L3")
def pay(amount: int) -> str:
    """Pay somebody."""
    return f"paid {amount}"


@agent(tools=[pay], publishes=["paid.again"])
async def payer(input: Any, memory: Any, context: Any) -> Any:
    """Pays what an event says; the first time it tells others so beforehand."""
    if input["type"] == "paid":
        await context.publish("paid.again", {"n": 1})
        return None
    return await context.call("pay", amount=5)


async def test_nobody_approves_what_their_own_event_has_set_off() -> None:
    """Neither who wrote the rule nor who published the first of the events that led there; anybody else may."""
    async with app_for_tests(payer, tools=[pay]) as app:
        for kind in ("paid", "paid.again"):
            body = {"pattern": {"type": [kind]}, "target": "payer"}
            await app.registry.create("local", "rule", kind, body, actor=Actor("ada"), reason="a test")
        mallory = Actor("mallory", ("approver",))
        await app.bus.publish("local", [attributed(paid(1), mallory)])
        await settle(app)
        (asked,) = (await app.approvals.list("local")).items
        approval_id = asked["approval_id"]
        for who in (mallory, Actor("ada", ("approver",))):
            with pytest.raises(DeniedError, match="their own request"):
                await app.approvals.decide(approval_id, "local", who, "approve")
        await app.approvals.decide(approval_id, "local", BOSS, "approve")
        await settle(app)
        done = await app.runs.result(asked["run_id"], "local")
        assert done is not None
        assert done.status == "success"


async def test_what_cannot_be_delivered_here_keeps_nobody_waiting(store: Store, clock: FakeClock) -> None:
    """Hundreds of overdue deliveries of a handler that only others have do not hide those that are due here."""

    async def fails(delivery: Delivery) -> None:
        raise ValueError("not today")

    gone = LocalBus(store, clock, owner="gone")
    await gone.subscribe(Subscription("elsewhere", PATTERN, "acme"), fails)
    await gone.publish("acme", [paid(n) for n in range(3 * PAGE)])
    await gone.drain()
    clock.advance(5)
    taken: list[int] = []

    async def second(delivery: Delivery) -> None:
        if delivery.attempt == 1:
            raise ValueError("not at once")
        taken.append(delivery.event.data["n"])

    here = LocalBus(store, clock, owner="here")
    await here.subscribe(Subscription("s", PATTERN, "globex"), second)
    await here.publish("globex", [paid(1)])
    await here.drain()
    clock.advance(5)
    for _ in range(5):
        await here.drain()
    assert taken == [1]


def test_nobody_passes_for_an_agent() -> None:
    """An event of an agent comes from a run of that agent: no rule about its source is set off from outside."""
    with pytest.raises(InputError, match="only its own runs publish"):
        attributed(paid(1, source="remit:agent:approver"), Actor("mallory"))
    assert attributed(paid(1, source="remit:cli"), Actor("ada")).extensions == {"actorid": "ada"}


@pytest.mark.parametrize("many", [1, 3 * BEHIND])
async def test_an_event_of_a_slower_clock_is_not_forgotten_behind_its_key(
    store: Store, clock: FakeClock, many: int
) -> None:
    """Machines do not agree about the time: what stands behind a failing event is delivered whatever its ticket."""
    behind = FakeClock(clock.now() - 60_000)
    taken: list[int] = []

    async def handler(delivery: Delivery) -> None:
        if delivery.event.data["n"] == 0 and delivery.attempt == 1:
            raise ValueError("not at once")
        taken.append(delivery.event.data["n"])

    bus, slower = LocalBus(store, clock, owner="one"), LocalBus(store, behind, owner="two")
    await bus.subscribe(Subscription("s", PATTERN, "acme"), handler)
    await bus.publish("acme", [paid(0, partitionkey="k")])
    await bus.drain()
    await slower.publish("acme", [paid(n, partitionkey="k") for n in range(1, many + 1)])
    await bus.drain()
    assert taken == []
    clock.advance(5)
    await bus.drain()
    assert taken == list(range(many + 1))
    await bus.publish("acme", [paid(many + 1, partitionkey="k")])
    await bus.drain()
    assert taken[-1] == many + 1
