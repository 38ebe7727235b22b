"""A bus whose AWS throttles, fails, cuts connections and takes parts of batches: no event is lost, none comes out of order."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from tests.adapters.bus.deployed import Deployed, all_of
from tests.adapters.bus.proxy import Fault, Proxy
from tests.adapters.emulator import URL, emulated

from remit.adapters.clock.system import SystemClock
from remit.adapters.store.memory import MemoryStore
from remit.core.cloudevent import CloudEvent
from remit.core.rule import Redelivery
from remit.engine.bus.records import COLLECTIONS
from remit.ports.bus import Delivery, Subscription

KEYS = 5
FAULTS: tuple[Fault, ...] = ("throttle", "fail", "cut before", "cut after", "part")


@pytest.mark.service
@pytest.mark.slow
async def test_an_unreliable_aws_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Two processes that share the work through it handle every event once, in order per key; EventBridge gets each."""
    count = 2000 if request.config.getoption("--nightly") else 60
    deployed = Deployed(emulated(monkeypatch))
    arn = deployed.with_dead("consumer", "", {})
    deployed.rule("all", {"source": ["shop"]}, arn)
    dice = random.Random(11)

    def faults(action: str, number: int) -> Fault:
        if dice.random() > 0.25:
            return ""
        fault = dice.choice(FAULTS)
        batched = action in ("SendMessageBatch", "PutEvents")
        return fault if fault != "part" or batched else "fail"

    clock = SystemClock()
    store = MemoryStore(clock)
    await store.open()
    await store.declare(COLLECTIONS)
    taken: list[tuple[str, int]] = []

    async def handler(delivery: Delivery) -> None:
        number = delivery.event.data["n"]
        if number % 13 == 12 and delivery.attempt == 1:
            raise ValueError("not at the first attempt")
        await asyncio.sleep(0)
        taken.append((delivery.event.partitionkey, number))

    retry = Redelivery(attempts=50, base_s=0.05, max_s=0.1)
    subscription = Subscription("orders", ({"source": ["shop"]},), "acme", retry)
    stop = asyncio.Event()
    with Proxy(URL, faults) as proxy:
        buses = [deployed.bus(store, clock, f"b{n}", url=proxy.url) for n in range(2)]
        for bus in buses:
            await bus.subscribe(subscription, handler)
        serving = [asyncio.create_task(bus.serve(stop)) for bus in buses]
        for start in range(0, count, 10):
            events = [
                CloudEvent(
                    id=f"e{n}", source="shop", type="order", data={"n": n}, partitionkey=f"k{n % KEYS}"
                )
                for n in range(start, start + 10)
            ]
            await buses[start // 10 % 2].publish("acme", events)
        async with asyncio.timeout(300):
            while await buses[0].dispatcher.waiting() or await _parked(store):
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*serving)
    assert sorted(n for _, n in taken) == list(range(count))
    for key in range(KEYS):
        mine = [n for k, n in taken if k == f"k{key}"]
        assert mine == sorted(mine)
    mirrored = [json.loads(m.body)["detail"]["id"] for m in await all_of(deployed.queue("consumer", clock))]
    assert set(mirrored) == {f"e{n}" for n in range(count)}
    assert (await buses[0].dead_letters("acme")).items == []
    assert set(proxy.seen) >= {"SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "PutEvents"}
    await store.close()


async def _parked(store: MemoryStore) -> bool:
    page = await store.query("bus_parked_event", "by_due", ("main",), limit=1)
    return bool(page.items)
