"""A process that publishes its share of events, delivers whatever there is, and is killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from remit.adapters.clock.system import SystemClock
from remit.bootstrap.adapters import open_store
from remit.core.cloudevent import CloudEvent
from remit.core.rule import Redelivery
from remit.engine.bus.local import LocalBus
from remit.engine.bus.records import COLLECTIONS, EVENT, LANES, PARKED, QUEUE, READY, partition_of
from remit.ports.bus import Delivery, Subscription
from remit.ports.store import Store
from remit.settings import Settings

TENANT = "acme"
KEYS = 5
TOGETHER = 7
PAUSE_S = 0.003
"""What a handler and a publisher take, so that there is something to be killed."""

STUBBORN = 13
"""Every so many events the first attempt fails."""

SUBSCRIPTION = Subscription(
    "ledger",
    ({"type": ["killed.test"]},),
    TENANT,
    retry=Redelivery(attempts=100, base_s=0.01, max_s=0.05),
)


def opened(url: str) -> Store:
    """The store at a URL."""
    return open_store(Settings(home=Path("/nonexistent"), store=url), SystemClock())


def event(name: str, share: int, number: int) -> CloudEvent:
    """One event of a share; those of one key are published in order of their numbers."""
    key = f"{name}-{share}-{number % KEYS}"
    return CloudEvent(
        id=f"{name}-{share}-{number}",
        source="test",
        type="killed.test",
        data={"key": key, "n": number // KEYS},
        partitionkey=key,
    )


def work(url: str, ledger: str, name: str, share: int, count: int, claim_s: float) -> None:
    """Publish the share again from its start (what is there already is there), and deliver, until killed."""
    asyncio.run(_work(url, ledger, name, share, count, claim_s))


async def _work(url: str, ledger: str, name: str, share: int, count: int, claim_s: float) -> None:
    store, clock = opened(url), SystemClock()
    await store.open()
    await store.declare(COLLECTIONS)
    book = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    bus = LocalBus(store, clock, owner=f"{name}-{share}-{os.getpid()}", claim_s=claim_s)

    async def handle(delivery: Delivery) -> None:
        data = delivery.event.data
        if data["n"] % STUBBORN == STUBBORN - 1 and delivery.attempt == 1:
            raise ValueError("not at the first attempt")
        await clock.sleep(PAUSE_S)
        os.write(book, f"{delivery.event.id} {data['key']} {data['n']}\n".encode())

    await bus.subscribe(SUBSCRIPTION, handle)
    serving = asyncio.create_task(bus.serve(asyncio.Event()))
    for start in range(0, count, TOGETHER):
        numbers = range(start, min(start + TOGETHER, count))
        await bus.publish(TENANT, [event(name, share, number) for number in numbers])
        await clock.sleep(PAUSE_S)
    await serving


async def acknowledged(store: Store, name: str) -> set[str]:
    """Events that are published and that no subscription still has to get. What is read first changes first."""
    published = await _ids(store, EVENT, (TENANT, "test"))
    waiting = await _ids(store, READY, (QUEUE,))
    waiting |= {i for p in await _partitions(store) for i in await _ids(store, PARKED, (p,))}
    return {i for i in published - waiting if i.startswith(f"{name}-")}


async def _ids(store: Store, collection: str, equals: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = await store.query(collection, "", equals, limit=500, cursor=cursor)
        for item in page.items:
            events = [e for _, e in item["events"]] if collection == READY else [item.get("event", item)]
            found.update(str(e["id"]) for e in events)
        cursor = page.cursor
        if cursor is None:
            return found


async def _partitions(store: Store) -> list[str]:
    return [partition_of(TENANT, SUBSCRIPTION.name, lane) for lane in range(LANES)]
