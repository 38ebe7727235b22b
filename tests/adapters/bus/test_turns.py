"""Turns: lost, doubled, late, out of order, poisoned, and for partitions that others have. No event is lost, none is early."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from tests.adapters.bus.deployed import Deployed, all_of, deliver_all
from tests.adapters.emulator import FailingAws, emulated

from remit.adapters.clock.system import SystemClock
from remit.adapters.store.memory import MemoryStore
from remit.core.cloudevent import CloudEvent
from remit.core.errors import ConfigError
from remit.core.rule import Redelivery
from remit.engine.bus.consuming import Until
from remit.engine.bus.queued import PATIENCE, queued
from remit.engine.bus.records import COLLECTIONS, partition_of
from remit.ports.bus import Delivery, Subscription
from remit.ports.queue import Message, Received
from remit.testing import FakeClock, app_for_tests

pytestmark = pytest.mark.service

TENANT = "acme"
ORDERS = Subscription("orders", ({"type": ["order.placed"]},), TENANT)


def order(number: int, key: str = "") -> CloudEvent:
    """The event that an order was placed."""
    return CloudEvent(
        id=f"e{number}", source="shop", type="order.placed", data={"n": number}, partitionkey=key
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest_asyncio.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    made = MemoryStore(clock)
    await made.open()
    await made.declare(COLLECTIONS)
    yield made
    await made.close()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    return Deployed(emulated(monkeypatch))


def taker(into: list[int]) -> Callable[[Delivery], Awaitable[None]]:
    """A handler that writes down numbers."""

    async def handler(delivery: Delivery) -> None:
        into.append(delivery.event.data["n"])

    return handler


async def received_all(deployed: Deployed, clock: FakeClock) -> list[Received]:
    """All turns that are in the queue, out of it."""
    return await all_of(deployed.queue("deliveries.fifo", clock))


async def test_turns_may_be_doubled_and_out_of_order(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """Whoever is given whichever turns, however often: each event is handled once, those of a key in order."""
    taken: list[tuple[str, int]] = []

    async def handler(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        taken.append((delivery.event.partitionkey, delivery.event.data["n"]))

    buses = [deployed.bus(store, clock, f"b{n}") for n in range(3)]
    for bus in buses:
        await bus.subscribe(ORDERS, handler)
    dice = random.Random(5)
    for start in range(0, 60, 6):
        await buses[0].publish(TENANT, [order(n, f"k{n % 4}") for n in range(start, start + 6)])
    turns = await received_all(deployed, clock)
    told = [(dice.choice(buses), dice.sample(turns, 10)) for _ in range(20)]
    await asyncio.gather(*(bus.deliver(some) for bus, some in told))
    await deliver_all(buses[0])
    assert sorted(n for _, n in taken) == list(range(60))
    for key in range(4):
        mine = [n for k, n in taken if k == f"k{key}"]
        assert mine == sorted(mine)


async def test_a_turn_that_is_told_twice_is_one_turn(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """The publisher tells of what it wrote, and a stream of the store may tell of the same again."""
    bus = deployed.bus(store, clock, "here")
    await bus.subscribe(ORDERS, taker([]))
    await bus.publish(TENANT, [order(1)])
    ready = [i async for i in _ready(store)]
    assert {partition.split("\x1f")[1] for partition, _ in ready} == {
        "@waits",
        "orders",
        "outlet:eventbridge",
    }
    await bus.ring(ready)
    await bus.ring(ready)
    assert len(await received_all(deployed, clock)) == len(ready)


async def _ready(store: MemoryStore) -> AsyncIterator[tuple[str, str]]:
    page = await store.query("bus_ready", "", ("main",), limit=100)
    for item in page.items:
        yield item["partition"], item["ticket"]


async def test_what_was_written_and_not_told_is_found(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """A process that dies, or reaches no queue, after it wrote its events has published them: the next tick tells."""
    taken: list[int] = []
    with FailingAws((500, "InternalFailure")) as aws:
        cut_off = deployed.bus(store, clock, "cut off", url=aws.url)
        await cut_off.subscribe(ORDERS, taker(taken))
        assert [p.fresh for p in await cut_off.publish(TENANT, [order(1), order(2)])] == [True, True]
    bus = deployed.bus(store, clock, "here")
    await bus.subscribe(ORDERS, taker(taken))
    while await bus.poll():
        pass
    assert taken == []
    assert await bus.tick() == 0, "it may still be told"
    clock.advance(11)
    assert await bus.tick() == 3
    assert await bus.tick() == 0, "not again so soon"
    while await bus.poll():
        pass
    assert taken == [1, 2]


async def test_what_failed_comes_again_by_itself(deployed: Deployed) -> None:
    """In its time, by its own turn, without anybody who looks for what is due."""
    clock = SystemClock()
    store = MemoryStore(clock)
    await store.open()
    await store.declare(COLLECTIONS)
    bus = deployed.bus(store, clock, "here")
    tries: list[int] = []

    async def handler(delivery: Delivery) -> None:
        tries.append(clock.now())
        if delivery.attempt == 1:
            raise ValueError("not at the first attempt")

    retry = Redelivery(attempts=3, base_s=1.5, max_s=1.5)
    await bus.subscribe(Subscription("orders", ORDERS.patterns, TENANT, retry), handler)
    await bus.publish(TENANT, [order(1)])
    async with asyncio.timeout(20):
        while len(tries) < 2:
            await bus.poll()
    assert 700 <= tries[1] - tries[0] <= 8000
    await store.close()


async def test_only_what_could_not_be_done_comes_again(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """Of a batch, the turns that are served are done, also beside one that is none, and one whose time has not come."""
    taken: list[int] = []
    bus = deployed.bus(store, clock, "here")
    await bus.subscribe(ORDERS, taker(taken))
    await bus.publish(TENANT, [order(1)])
    good = await received_all(deployed, clock)
    bad = Received("bad", "r", "{")
    turn = {"partition": partition_of(TENANT, "orders", 0), "due_ts": clock.now() + 5000}
    early = Received("early", "r", json.dumps(turn))
    assert sorted(await bus.deliver([*good, bad, early])) == ["bad", "early"]
    assert taken == [1]
    clock.advance(5)
    assert await bus.deliver([early]) == []


async def test_a_message_that_is_no_turn_is_put_aside(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore, clock: FakeClock
) -> None:
    """After the queue's patience it is in the dead-letter queue, from where it can be sent once more."""
    deployed = Deployed(emulated(monkeypatch), most_receives=2)
    bus, queue = deployed.bus(store, clock, "here"), deployed.queue("deliveries.fifo", clock)
    dead = deployed.queue("deliveries-dead.fifo", clock)
    await queue.send([Message("no turn", "g", "o")])
    for _ in range(2):
        (received,) = await queue.receive()
        assert await bus.deliver([received]) == [received.message_id]
        await queue.hide(received, 0)
    assert await queue.receive() == []
    assert await queue.redrive() == 1
    assert [r.body for r in await all_of(queue)] == ["no turn"]
    assert await all_of(dead) == []


async def test_a_partition_that_somebody_else_has_is_asked_for_again(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """While its claim stands; one whose process died is taken over when the claim has run out."""
    entered, go_on = asyncio.Event(), asyncio.Event()
    taken: list[int] = []

    async def slow(delivery: Delivery) -> None:
        entered.set()
        await go_on.wait()

    first, second = deployed.bus(store, clock, "first"), deployed.bus(store, clock, "second")
    await first.subscribe(ORDERS, slow)
    await second.subscribe(ORDERS, taker(taken))
    await first.publish(TENANT, [order(1)])
    turns = [t for t in await received_all(deployed, clock) if "orders" in t.body]
    dying = asyncio.create_task(first.deliver(turns))
    await entered.wait()
    assert await second.deliver(turns) == [turns[0].message_id]
    dying.cancel()
    await asyncio.wait({dying})
    clock.advance(60)
    assert await second.deliver(turns) == []
    assert taken == [1]


async def test_a_turn_for_nobody_here_is_left_to_others_and_then_let_go(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """It does not end in the dead-letter queue, since nothing is wrong with it; who has the handler is told again."""
    taken: list[int] = []
    bus, other = deployed.bus(store, clock, "here"), deployed.bus(store, clock, "other")
    await bus.subscribe(ORDERS, taker(taken))
    await other.publish(TENANT, [order(1)])
    (turn,) = [t for t in await received_all(deployed, clock) if "orders" in t.body]
    assert await other.deliver([turn]) == [turn.message_id]
    late = Received(turn.message_id, turn.receipt, turn.body, PATIENCE)
    assert await other.deliver([late]) == []
    clock.advance(60)
    await other.tick()
    assert not [t for t in await received_all(deployed, clock) if "orders" in t.body]
    await deliver_all(bus)
    assert taken == [1]


async def test_a_function_that_must_stop_hands_on(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """What it did not get to has a turn again."""
    taken: list[int] = []
    bus = deployed.bus(store, clock, "here")

    async def handler(delivery: Delivery) -> None:
        taken.append(delivery.event.data["n"])
        clock.advance(1)

    await bus.subscribe(ORDERS, handler)
    await bus.publish(TENANT, [order(n, "k") for n in range(10)])
    turns = [t for t in await received_all(deployed, clock) if "orders" in t.body]
    assert await bus.deliver(turns, Until(clock, 3)) == []
    assert taken == [0, 1, 2]
    turns = [t for t in await received_all(deployed, clock) if "orders" in t.body]
    assert await bus.deliver(turns, Until(clock, 0)) == []
    assert taken == [0, 1, 2], "no time is left at all"
    while await bus.poll():
        pass
    assert taken == list(range(10))


async def test_a_queue_that_is_not_there_is_told(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """By its name, and by the command that makes it."""
    queue = deployed.queue("nothing.fifo", clock)
    for call in (queue.receive(), queue.send([Message("", "g", "o")])):
        with pytest.raises(ConfigError, match=r"-nothing\.fifo") as raised:
            await call
        assert raised.value.code == "E656"
        assert "remit deploy apply" in raised.value.help


async def test_only_a_bus_with_a_queue_is_one(
    deployed: Deployed, store: MemoryStore, clock: FakeClock
) -> None:
    """A function that is given the local bus says which setting is missing."""
    bus = deployed.bus(store, clock, "here")
    assert queued(bus) is bus
    async with app_for_tests() as app:
        with pytest.raises(ConfigError, match="no queue"):
            queued(app.bus)
