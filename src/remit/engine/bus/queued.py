"""The bus with a queue that says whose turn it is, so that nobody needs to look for work: `remit.ports.bus.Bus`, on AWS.

The events, what every subscription still has to get, and all about retries lie in the store, as on the local bus. What the
queue carries are turns (see `turns`); a turn that is lost is found by `tick`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from remit.core.cloudevent import MOST_TEXT, UNTRUSTED, CloudEvent
from remit.core.errors import ConfigError, InputError, RemitError
from remit.core.rule import Redelivery
from remit.engine.bus import turns
from remit.engine.bus.claims import CLAIM_S, Spoken
from remit.engine.bus.consuming import Consumer
from remit.engine.bus.dispatcher import Waiting
from remit.engine.bus.local import OUTLET, LocalBus
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.publishing import OWN
from remit.engine.bus.records import ACTOR, AGENTS, READY, Subscribed
from remit.ports.bus import (
    DEPLOYMENT,
    EVERYBODY,
    INGRESS,
    Arrived,
    Handler,
    Published,
    Stop,
    Subscription,
)
from remit.ports.clock import Clock
from remit.ports.queue import Message, Queue, Received
from remit.ports.store import Put, Records, Write
from remit.ports.telemetry import Telemetry

log = logging.getLogger("remit.bus")

GRACE_MS = 10_000
"""How long a turn may take to come before it counts as missed."""

SWEEP_S, SWEEP_GRACE_MS = 2.0, 1000
"""How often a process that serves looks for missed turns, and from when on they are missed then."""

AGAIN_MS = 15_000
"""For how long the same missed turn is sent only once."""

TELL_S = 2.0
"""How long publishing waits for the queue; turns that are not sent by then are sent later."""

MOST_PAUSE_S, MOST_HIDDEN_S = 60.0, 43_000.0
PATIENCE = 6
"""How often a turn comes for a partition that is busy, or of somebody else, before it is left to `tick`."""

OUTSIDE = "outside"
"""Who published an event that came in from outside."""

SENT = Redelivery(attempts=24, base_s=1.0, max_s=900.0)
"""Sending an event out is tried for about three hours."""

Read = Callable[[str], Arrived]
"""Reads an event from a message's body. Raises InputError for what is none."""


class QueuedBus(LocalBus):
    """Publishes, delivers and keeps what could not be delivered; whoever consumes the queue of turns delivers."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        queue: Queue,
        *,
        owner: str,
        deployment: str,
        clean: Spoken = str,
        telemetry: Telemetry | None = None,
        outlets: Mapping[str, Handler] | None = None,
        inbound: Queue | None = None,
        read: Read | None = None,
        claim_s: float = CLAIM_S,
        most_writes: int = MOST_WRITES,
    ) -> None:
        """As `LocalBus`. `outlets` send events out, by name; `inbound` brings events in, which `read` reads."""
        super().__init__(
            store,
            clock,
            owner=owner,
            clean=clean,
            telemetry=telemetry,
            claim_s=claim_s,
            most_writes=most_writes,
        )
        self._queue = queue
        self._deployment = deployment
        self._inbound = inbound
        self._read = read
        self._telling: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()
        self._told_lately = 0
        self._stop: Stop = asyncio.Event()
        self._outlets.update({_outlet(name): handler for name, handler in (outlets or {}).items()})
        self.subscriptions.declare([_subscribed(name) for name in self._outlets])
        self.publisher.published = self._tell
        self._turns = Consumer(queue, clock, self.deliver, lambda received: received.body)
        self._arrivals = (
            None if inbound is None else Consumer(inbound, clock, self.receive, lambda r: r.message_id)
        )

    # telling

    async def publish(self, tenant_id: str, events: Sequence[CloudEvent]) -> list[Published]:
        """Accept events, in this order. Durable when it returns. Raises InputError E660, E661; StoreError."""
        published = await super().publish(tenant_id, events)
        if self._telling:  # a function may be frozen as soon as it has answered
            await asyncio.wait(set(self._telling), timeout=TELL_S)
        return published

    def _tell(self, writes: Sequence[Write]) -> None:
        """Send the turns of what was written, in the background."""
        ready = [w.item for w in writes if isinstance(w, Put) and w.collection == READY]
        task = asyncio.ensure_future(self._sent([turns.fresh(i["partition"], i["ticket"]) for i in ready]))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _sent(self, messages: Sequence[Message]) -> None:
        try:
            await self._queue.send(messages)
        except RemitError as error:
            log.error("%d turns are left to the next tick: %s", len(messages), error)

    async def ring(self, ready: Iterable[tuple[str, str]]) -> None:
        """Send the turns of items of the collection `bus_ready`, given by partition and ticket. Raises RemitError.

        Harmless for those whose turn was sent already: a stream of that collection may call this for every new item.
        """
        await self._queue.send([turns.fresh(partition, ticket) for partition, ticket in ready])

    # delivering

    async def deliver(self, received: Sequence[Received], stop: Stop | None = None) -> list[str]:
        """Take turns, until `stop` is set; the ids of the messages that shall come again. Never raises RemitError."""
        by_partition: dict[str, list[tuple[turns.Turn, Received]]] = {}
        again: list[str] = []
        for one in received:
            try:
                turn = turns.turn_of(one.body)
            except InputError as error:
                log.error(
                    "message %s is no turn, and ends in the dead-letter queue: %s", one.message_id, error
                )
                again.append(one.message_id)
                continue
            pause_s = ((turn.due_ts or 0) - self._clock.now()) / 1000
            if pause_s > 0:
                again += await self._hidden([one], min(pause_s, MOST_HIDDEN_S))
            else:
                by_partition.setdefault(turn.partition, []).append((turn, one))
        taken = [
            self._take(
                partition,
                [one for _, one in some],
                stop or self._stop,
                only_ready=all(turn.due_ts is None and one.receives == 1 for turn, one in some),
            )
            for partition, some in by_partition.items()
        ]
        return again + [id_ for ids in await asyncio.gather(*taken) for id_ in ids]

    async def _take(
        self, partition: str, some: Sequence[Received], stop: Stop, *, only_ready: bool
    ) -> list[str]:
        """Look after one partition; the ids of messages that shall come again."""
        receives = max(one.receives for one in some)
        try:
            attended = await self.dispatcher.attend(partition, stop, only_ready=only_ready)
            if attended.answer == "served":
                await self._go_on(partition, attended.next_due, unfinished=attended.unfinished)
                return []
        except Exception as error:
            # Nothing was taken out, so nothing is lost; other partitions are served meanwhile.
            log.error("events of partition %r cannot be delivered now: %s", partition, error)
            return await self._hidden(some, _pause_s(receives))
        if receives >= PATIENCE:
            return []
        return await self._hidden(some, _pause_s(receives))

    async def _go_on(self, partition: str, next_due: int | None, *, unfinished: bool) -> None:
        """Send the turn at which what is left in a partition is looked after."""
        if unfinished:
            await self._queue.send([turns.missed(partition, self._clock.now(), self._clock.new_id("turn"))])
        elif next_due is not None:
            await self._queue.send([turns.at(partition, next_due)])

    async def _hidden(self, some: Sequence[Received], seconds: float) -> list[str]:
        for one in some:
            try:
                await self._queue.hide(one, seconds)
            except RemitError as error:
                log.warning("a turn comes later than it should: %s", error)
        return [one.message_id for one in some]

    # what was missed

    async def tick(self, *, grace_ms: int = GRACE_MS) -> int:
        """Send the turns that were missed, and those of what became due; how many. Forgets old events. Raises RemitError."""
        now = self._clock.now()
        if now // AGAIN_MS != self._told_lately:
            self._told_lately, self._told = now // AGAIN_MS, set()
        late = [w for w in await self.dispatcher.waiting() if w.since_ts <= now - grace_ms]
        messages = [turns.missed(w.partition, w.since_ts, self._sign(w)) for w in late]
        fresh = [message for message in messages if message.once not in self._told]
        await self._queue.send(fresh)
        self._told.update(message.once for message in fresh)
        await self.dispatcher.forget_old()
        return len(fresh)

    def _sign(self, waiting: Waiting) -> str:
        """The same for all who find the same within some seconds."""
        return f"{waiting.sign}\x1f{self._told_lately}"

    async def serve(self, stop: Stop) -> None:
        """Consume turns, and what comes in, until `stop` is set; beside other processes and functions that do the same."""
        self._stop = stop
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._turns.serve(stop))
                group.create_task(self._sweep(stop))
                if self._arrivals is not None:
                    group.create_task(self._arrivals.serve(stop))
        finally:
            self._stop = asyncio.Event()

    async def _sweep(self, stop: Stop) -> None:
        while not stop.is_set():
            try:
                await self.tick(grace_ms=SWEEP_GRACE_MS)
            except RemitError as error:
                log.error("missed turns cannot be found now: %s", error)
            try:
                await asyncio.wait_for(stop.wait(), SWEEP_S)
            except TimeoutError:
                continue

    async def poll(self) -> int:
        """Take the turns, and what came in, that are there now; how many messages. Raises RemitError."""
        arrived = 0 if self._arrivals is None else await self._arrivals.once()
        return arrived + await self._turns.once()

    async def redrive_messages(self) -> int:
        """Send once more the messages that the queues put aside since nothing could be done with them; how many. Raises RemitError."""
        inbound = 0 if self._inbound is None else await self._inbound.redrive()
        return inbound + await self._queue.redrive()

    # coming in

    async def receive(self, received: Sequence[Received]) -> list[str]:
        """Publish what came in from outside; the ids of the messages that shall come again. Never raises RemitError."""
        ids = await asyncio.gather(*(self._receive(one) for one in received))
        return [id_ for id_ in ids if id_]

    async def _receive(self, one: Received) -> str:
        try:
            if self._read is None:
                raise ConfigError("events from outside cannot be read here", code="E674")
            arrived = self._read(one.body)
            if (
                arrived.event.extensions.get(DEPLOYMENT) != self._deployment
            ):  # else it is one of our own, come back
                await self.publish(arrived.tenant_id, [_foreign(arrived)])
        except InputError as error:
            log.error("message %s is refused, and ends in the dead-letter queue: %s", one.message_id, error)
        except RemitError as error:
            log.error("message %s cannot be taken now: %s", one.message_id, error)
        else:
            return ""
        if self._inbound is not None:
            try:
                await self._inbound.hide(one, _pause_s(one.receives))
            except RemitError as error:
                log.warning("a message comes later than it should: %s", error)
        return one.message_id


def queued(bus: LocalBus) -> QueuedBus:
    """The bus, if it has a queue. Raises ConfigError E674."""
    if isinstance(bus, QueuedBus):
        return bus
    raise ConfigError(
        "this bus has no queue",
        code="E674",
        help="set `REMIT_BUS=aws` and `REMIT_DEPLOYMENT`, or a bus of Kafka",
    )


def _outlet(name: str) -> str:
    return f"{OUTLET}:{name}"


def _subscribed(name: str) -> Subscribed:
    """The subscription of an outlet: all events of all tenants but those that came in from outside."""
    patterns = ({INGRESS: [{"exists": False}]},)
    return Subscribed(EVERYBODY, name, OUTLET, Subscription(name, patterns, EVERYBODY, SENT))


def _foreign(arrived: Arrived) -> CloudEvent:
    """The event, as one from outside: nobody's here, and by no name that only Remit itself gives."""
    event = arrived.event
    origin = str(event.extensions.get(DEPLOYMENT, OUTSIDE))
    if origin.startswith((AGENTS, OWN)):  # what it says of where it came from must not make it ours
        origin = OUTSIDE
    extensions = {**event.extensions, ACTOR: OUTSIDE}
    if not arrived.trusted:
        extensions[UNTRUSTED] = True
    extensions.setdefault(INGRESS, OUTSIDE)
    source = f"{origin}:{event.source}" if event.source.startswith(AGENTS) else event.source
    type_ = f"{origin}.{event.type}" if event.type.startswith(OWN) else event.type
    return replace(event, source=source[:MOST_TEXT], type=type_[:MOST_TEXT], extensions=extensions)


def _pause_s(receives: int) -> float:
    return min(MOST_PAUSE_S, 2.0 ** min(receives, 10))
