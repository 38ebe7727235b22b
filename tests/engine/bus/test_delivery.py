"""What the local bus adds to the port: transactions it rides in, runs that wait, claims, forgetting, and what it costs idle."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.store import redis_world

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import SqliteStore
from remit.adapters.telemetry.prometheus import PrometheusTelemetry
from remit.core.cloudevent import CloudEvent
from remit.core.codec import decode
from remit.core.errors import ConditionError, InputError
from remit.core.rule import Redelivery
from remit.core.signal import SignalBody, TaskAnswered
from remit.engine.bus.dispatcher import SWEEP_MS
from remit.engine.bus.local import LocalBus
from remit.engine.bus.records import COLLECTIONS, DAY_MS, EVENT, READY, WAIT
from remit.ports.bus import Delivery, Subscription
from remit.ports.store import ABSENT, Put, Store
from remit.testing import FakeClock
from remit.testing.contracts.store import entries

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
TENANT = "acme"
PATTERN = ({"type": ["paid"]},)
SERVICE = [pytest.mark.service, pytest.mark.skipif(not DSN, reason="REMIT_TEST_POSTGRES names no PostgreSQL")]


def paid(number: int, **fields: Any) -> CloudEvent:
    """Something was paid."""
    return CloudEvent(
        **{"id": f"e{number}", "source": "till", "type": "paid", "data": {"n": number}, **fields}
    )


@pytest.fixture
def clock() -> FakeClock:
    """The test's own time."""
    return FakeClock()


STORES = [
    "memory",
    "sqlite",
    pytest.param("postgres", marks=SERVICE),
    pytest.param("redis", marks=[pytest.mark.service, pytest.mark.nightly]),
]


@pytest_asyncio.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Store]:
    """A store with the bus's collections."""
    made: Store = MemoryStore(clock)
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "bus.db", clock)
    if request.param == "postgres":
        made = PostgresStore(DSN, clock, schema=f"bus_{secrets.token_hex(6)}")
    if request.param == "redis":
        async with redis_world.opened() as made:
            await made.declare(COLLECTIONS)
            yield made
        return
    await made.open()
    await made.declare(COLLECTIONS)
    yield made
    await made.close()


@pytest.fixture
def bus(store: Store, clock: FakeClock) -> LocalBus:
    """A bus on it."""
    return LocalBus(store, clock, owner="here")


def takes(into: list[int]) -> Any:
    """A handler that writes down numbers."""

    async def handler(delivery: Delivery) -> None:
        into.append(delivery.event.data["n"])

    return handler


async def test_events_ride_in_somebody_elses_transaction(store: Store, bus: LocalBus) -> None:
    """They are published exactly when it commits."""
    taken: list[int] = []
    await bus.subscribe(Subscription("s", PATTERN, TENANT), takes(taken))
    other = Put("bus_revision", {"tenant_id": "other", "revision": "r"}, ABSENT)
    await store.transact([other, *await bus.publisher.writes_for(TENANT, [paid(1)])])
    with pytest.raises(ConditionError):
        await store.transact([other, *await bus.publisher.writes_for(TENANT, [paid(2)])])
    await bus.drain()
    assert taken == [1]
    assert [e.event.id for e in (await bus.events(TENANT)).items] == ["e1"]


async def waiting(
    store: Store, run: str, *, pattern: Any = None, since: int = 0, tenant: str = TENANT
) -> None:
    """A run that waits for `paid`."""
    given = {"tenant_id": tenant, "root_run": run, "agent": "w", "entries": entries(run, 1), "now": 1}
    row = {"wait_id": f"{run}/s1", "tenant_id": tenant, "type": "paid", "pattern": pattern, "run_id": run}
    await store.create(run, writes=[Put(WAIT, {**row, "visit": "v1", "since_ts": since})], **given)


async def answers(store: Store, run: str) -> list[TaskAnswered]:
    """What a run was told."""
    return [decode(s.body, SignalBody) for s in await store.inbox(run)]  # type: ignore[arg-type, misc]


async def test_a_run_that_waits_gets_the_first_event_that_fits(
    store: Store, bus: LocalBus, clock: FakeClock
) -> None:
    """Of its type, its pattern, its tenant, and since it began to wait; then the wait is over."""
    run = f"run_{secrets.token_hex(6)}"
    await waiting(store, f"{run}any")
    await waiting(store, f"{run}big", pattern={"data": {"n": [{"numeric": [">", 5]}]}})
    await waiting(store, f"{run}other", tenant="zeta")
    await waiting(store, f"{run}future", since=clock.now() + 60_000)
    await bus.publish(TENANT, [paid(0, type="else"), paid(1), paid(9), paid(10)])
    await bus.drain()
    (any_,) = await answers(store, f"{run}any")
    (big,) = await answers(store, f"{run}big")
    assert (any_.visit, any_.output["id"], big.output["data"]) == ("v1", "e1", {"n": 9})
    assert await answers(store, f"{run}other") == []
    assert await answers(store, f"{run}future") == []
    await bus.publish(TENANT, [paid(11)])
    await bus.drain()
    assert len(await answers(store, f"{run}any")) == 1
    clock.advance(61)
    await bus.publish(TENANT, [paid(12)])
    await bus.drain()
    (late,) = await answers(store, f"{run}future")
    assert late.output["id"] == "e12"


async def test_a_claim_that_ran_out_is_taken_over(store: Store, bus: LocalBus, clock: FakeClock) -> None:
    """While it holds, nobody else delivers; after it, the slow one writes nothing any more, and the event is handled again."""
    began, go_on = asyncio.Event(), asyncio.Event()
    taken: list[str] = []

    async def slow(delivery: Delivery) -> None:
        began.set()
        await go_on.wait()
        taken.append("slow")

    async def quick(delivery: Delivery) -> None:
        taken.append("quick")

    subscription = Subscription("s", PATTERN, TENANT, retry=Redelivery(attempts=1))
    other = LocalBus(store, clock, owner="there")
    await bus.subscribe(subscription, slow)
    await other.subscribe(subscription, quick)
    await bus.publish(TENANT, [paid(1)])
    first = asyncio.create_task(bus.drain())
    await began.wait()
    await other.drain()
    assert taken == []
    clock.advance(16)
    await other.drain()
    assert taken == ["quick"]
    go_on.set()
    await first
    assert taken == ["quick", "slow"]
    await bus.drain()
    await other.drain()
    assert taken == ["quick", "slow"]
    assert (await store.query(READY, "", ("main",))).items == []


async def test_a_new_subscription_is_seen_by_other_processes_at_once(
    store: Store, bus: LocalBus, clock: FakeClock
) -> None:
    """Whoever publishes looks whether something changed."""
    other = LocalBus(store, clock, owner="there")
    await other.publish(TENANT, [paid(1)])
    taken: list[int] = []
    await bus.subscribe(Subscription("s", PATTERN, TENANT), takes(taken))
    await other.publish(TENANT, [paid(2)])
    await bus.drain()
    assert taken == [2]


async def test_events_are_forgotten_after_a_week(store: Store, bus: LocalBus, clock: FakeClock) -> None:
    """What is older than that is gone, and what is not stays."""
    await bus.publish(TENANT, [paid(n) for n in range(3)])
    clock.advance(5 * DAY_MS / 1000)
    await bus.publish(TENANT, [paid(3)])
    clock.advance(4 * DAY_MS / 1000)
    stop = asyncio.Event()
    serving = asyncio.create_task(bus.serve(stop))
    async with asyncio.timeout(10):
        while await store.get(EVENT, (TENANT, "till", "e0")) is not None:
            await asyncio.sleep(0.01)
    stop.set()
    await serving
    assert SWEEP_MS < DAY_MS
    assert [e.event.id for e in (await bus.events(TENANT)).items] == ["e3"]


async def test_one_tenants_flood_does_not_hold_up_another(store: Store, bus: LocalBus) -> None:
    """With thousands of one tenant's events ready, another's is among the first to be handled."""
    taken: list[str] = []

    async def handler(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        taken.append(delivery.tenant_id)

    await bus.subscribe(Subscription("s", PATTERN), handler)
    for start in range(0, 3000, 500):
        await bus.publish("loud", [paid(n, partitionkey="one") for n in range(start, start + 500)])
    await bus.publish("quiet", [paid(1)])
    await bus.drain()
    assert len(taken) == 3001
    assert taken.index("quiet") < 1500


async def test_events_are_listed_by_type_and_from_a_ticket_on(bus: LocalBus) -> None:
    """Newest first, or in the order in which they were published, paged."""
    await bus.publish(TENANT, [paid(n, type=("paid", "sent")[n % 2]) for n in range(6)])
    page = await bus.events(TENANT, type_="paid", limit=2)
    rest = await bus.events(TENANT, type_="paid", limit=2, cursor=page.cursor)
    assert [e.event.id for e in (*page.items, *rest.items)] == ["e4", "e2", "e0"]
    forward = await bus.events(TENANT, descending=False)
    after = await bus.events(TENANT, after=forward.items[3].ticket, descending=False)
    assert [e.event.id for e in after.items] == ["e4", "e5"]


async def test_a_handler_that_cancels_itself_has_failed(bus: LocalBus) -> None:
    """It takes neither the bus nor other deliveries with it."""
    taken: list[int] = []

    async def odd(delivery: Delivery) -> None:
        if delivery.event.data["n"] == 1:
            raise asyncio.CancelledError
        taken.append(delivery.event.data["n"])

    await bus.subscribe(Subscription("s", PATTERN, TENANT, retry=Redelivery(attempts=1)), odd)
    await bus.publish(TENANT, [paid(n) for n in range(3)])
    await bus.drain()
    assert sorted(taken) == [0, 2]
    assert [d.event.id for d in (await bus.dead_letters(TENANT)).items] == ["e1"]


async def test_a_subscription_that_cannot_be_read_stops_no_other_tenant(store: Store, bus: LocalBus) -> None:
    """Its own tenant is told; everybody else's events are delivered."""
    taken: list[int] = []
    await bus.subscribe(Subscription("s", PATTERN, TENANT), takes(taken))
    await bus.subscribe(Subscription("s", PATTERN, "broken"), takes([]))
    await bus.publish("broken", [paid(1)])
    bad = {"tenant_id": "broken", "name": "s", "kind": "rule", "subscription": {"patterns": 5}}
    await store.transact(
        [Put("bus_subscription", bad), Put("bus_revision", {"tenant_id": "broken", "revision": "x"})]
    )
    await bus.publish(TENANT, [paid(2)])
    await bus.drain()
    assert taken == [2]
    with pytest.raises(InputError):
        await bus.publish("broken", [paid(3)])
    with pytest.raises(InputError):
        await bus.publish("a\x1fb", [paid(3)])


async def test_what_a_failure_says_is_clean(store: Store, clock: FakeClock) -> None:
    """No secret reaches a dead letter."""
    bus = LocalBus(store, clock, owner="here", clean=lambda text: text.replace("hunter2", "***"))

    async def leaky(delivery: Delivery) -> None:
        raise ValueError("the password is hunter2")

    await bus.subscribe(Subscription("s", PATTERN, TENANT, retry=Redelivery(attempts=1)), leaky)
    await bus.publish(TENANT, [paid(1)])
    await bus.drain()
    assert (await bus.dead_letters(TENANT)).items[0].problem == "ValueError: the password is ***"


async def test_what_happens_is_counted(store: Store, clock: FakeClock) -> None:
    """Events published, deliveries by their outcome, and how old the oldest was when it was handled."""
    telemetry = PrometheusTelemetry()
    bus = LocalBus(store, clock, owner="here", telemetry=telemetry)

    async def picky(delivery: Delivery) -> None:
        if delivery.event.data["n"] == 0:
            raise ValueError

    await bus.subscribe(Subscription("s", PATTERN, TENANT, retry=Redelivery(attempts=1)), picky)
    await bus.publish(TENANT, [paid(n) for n in range(4)])
    await bus.publish(TENANT, [paid(3), paid(4)])
    clock.advance(2)
    await bus.drain()
    text = telemetry.render()
    assert "remit_events_published_total 5" in text
    assert 'remit_event_deliveries_total{outcome="done"} 4' in text
    assert 'remit_event_deliveries_total{outcome="dead"} 1' in text
    assert "remit_event_lag_seconds_count" in text
