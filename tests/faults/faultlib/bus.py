"""A process that publishes its share of events, delivers whatever there is, and is killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

from remit.adapters.aws.session import Session
from remit.adapters.bus.sqs import SqsQueue
from remit.adapters.clock.system import SystemClock
from remit.bootstrap.adapters import open_store
from remit.core.cloudevent import CloudEvent
from remit.core.rule import Redelivery
from remit.engine.bus.local import LocalBus
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.queued import QueuedBus
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
    settings = Settings(
        home=Path("/nonexistent"), store=url, aws_endpoint=os.environ.get("AWS_ENDPOINT_URL", "")
    )
    return open_store(settings, SystemClock())


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


class Place(NamedTuple):
    """Where the bus is: its store, how AWS is reached, and the deployment whose queue says whose turn it is, if there is one."""

    store_url: str
    environment: dict[str, str]
    deployment: str = ""


def work(place: Place, ledger: str, name: str, share: int, count: int, claim_s: float) -> None:
    """Publish the share again from its start (what is there already is there), and deliver, until killed."""
    os.environ.update(place.environment)
    asyncio.run(_work(place, ledger, name, share, count, claim_s))


def _bus(store: Store, clock: SystemClock, owner: str, claim_s: float, place: Place) -> LocalBus:
    most = 90 if place.store_url.startswith("dynamodb:") else MOST_WRITES
    if not place.deployment:
        return LocalBus(store, clock, owner=owner, claim_s=claim_s, most_writes=most)
    session = Session(region="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    queue = SqsQueue(session, f"{place.deployment}-deliveries.fifo", clock)
    return QueuedBus(
        store,
        clock,
        queue,
        owner=owner,
        deployment=place.deployment,
        claim_s=claim_s,
        most_writes=most,
    )


async def _work(place: Place, ledger: str, name: str, share: int, count: int, claim_s: float) -> None:
    store, clock = opened(place.store_url), SystemClock()
    await store.open()
    await store.declare(COLLECTIONS)
    book = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    bus = _bus(store, clock, f"{name}-{share}-{os.getpid()}", claim_s, place)

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
