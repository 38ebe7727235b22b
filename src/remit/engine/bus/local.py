"""The bus on the store: `remit.ports.bus.Bus` without any service beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.cloudevent import MOST_TEXT, CloudEvent, stored_event, to_json
from remit.core.errors import InputError, NotFoundError
from remit.core.task import Actor
from remit.engine.bus.claims import CLAIM_S, Serving, Spoken
from remit.engine.bus.dispatcher import Dispatcher
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.publishing import Publisher
from remit.engine.bus.records import (
    ACTOR,
    AGENTS,
    DEAD,
    EVENT,
    READY,
    Subscribed,
    Tickets,
    lane_of,
    partition_of,
    read_event,
    ready_item,
)
from remit.engine.bus.starting import Starter
from remit.engine.bus.subscriptions import Subscriptions, check_name
from remit.ports.bus import DeadLetter, DeadLetters, Handler, Published, Stop, Subscription
from remit.ports.clock import Clock
from remit.ports.store import Delete, Put, Records
from remit.ports.telemetry import Telemetry

HANDLER, OUTLET = "handler", "outlet"


class StoredEvent(Struct, frozen=True):
    """A published event. `ticket` puts events in the order in which they were published."""

    ticket: str
    event: CloudEvent


class StoredEvents(Struct, frozen=True):
    """A page of events; `cursor` of the next page, or null at the end."""

    items: list[StoredEvent]
    cursor: str | None = None


class LocalBus:
    """Publishes, delivers and keeps what could not be delivered, for all tenants; several processes may share the store."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        *,
        owner: str,
        clean: Spoken = str,
        telemetry: Telemetry | None = None,
        claim_s: float = CLAIM_S,
        most_writes: int = MOST_WRITES,
    ) -> None:
        """`owner` names this process in claims, which others take over after `claim_s` silent seconds.

        `clean` takes secrets out of what a failure says. `most_writes` is how many writes the store takes in one transaction.
        """
        self._store = store
        self._clock = clock
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._outlets: dict[str, Handler] = {}
        self._starter: Starter | None = None
        self._tickets = Tickets(clock)
        self.subscriptions = Subscriptions(store, clock)
        self.publisher = Publisher(store, clock, self.subscriptions, telemetry, most_writes=most_writes)
        self.dispatcher = Dispatcher(
            Serving(store, clock, owner, clean, self._tickets, telemetry, claim_s, most_writes),
            self.subscriptions,
            self._handler_for,
        )
        self.publisher.published = lambda writes: self.dispatcher.wake()

    def start_with(self, starter: Starter) -> None:
        """Have rules and agents that subscribe served here."""
        self._starter = starter

    def _handler_for(self, subscribed: Subscribed) -> Handler | None:
        if subscribed.kind == HANDLER:
            return self._handlers.get((subscribed.tenant_id, subscribed.name))
        if subscribed.kind == OUTLET:
            return self._outlets.get(subscribed.name)
        return self._starter if self._starter is not None and self._starter.handles(subscribed) else None

    # publishing and subscribing

    async def publish(self, tenant_id: str, events: Sequence[CloudEvent]) -> list[Published]:
        """Accept events, in this order. Durable when it returns. Raises InputError E660, E661; StoreError."""
        return await self.publisher.publish(tenant_id, events)

    async def subscribe(self, subscription: Subscription, handler: Handler) -> None:
        """Have a handler in this process called from now on. Raises InputError E662, E665."""
        check_name(subscription.name)
        self._handlers[subscription.tenant_id, subscription.name] = handler
        made = Subscribed(subscription.tenant_id, subscription.name, HANDLER, subscription)
        if await self.subscriptions.find(subscription.tenant_id, subscription.name) != made:
            await self.subscriptions.put(made)
        self.dispatcher.wake()

    async def unsubscribe(self, tenant_id: str, name: str) -> None:
        """Forget a subscription: what is under way to it becomes dead letters. Harmless when there is none."""
        self._handlers.pop((tenant_id, name), None)
        await self.subscriptions.remove(tenant_id, name)

    async def serve(self, stop: Stop) -> None:
        """Deliver until `stop` is set, beside other processes that do the same."""
        await self.dispatcher.serve(stop)

    async def drain(self) -> int:
        """Deliver what is ready or due now, and return how many deliveries that were. Raises StoreError."""
        return await self.dispatcher.drain()

    async def close(self) -> None:
        """Let go of what it holds beside the store: nothing."""

    # looking

    async def events(
        self,
        tenant_id: str,
        *,
        type_: str = "",
        after: str = "",
        descending: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> StoredEvents:
        """Events of the last days, of one type or all, newest first; `after` only those behind a ticket."""
        index, equals = ("by_type", (tenant_id, type_)) if type_ else ("by_time", (tenant_id,))
        page = await self._store.query(
            EVENT,
            index,
            equals,
            lower=after + "\x01" if after else None,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        return StoredEvents([StoredEvent(i["ticket"], read_event(i)) for i in page.items], page.cursor)

    # dead letters

    async def dead_letters(
        self, tenant_id: str, *, subscription: str = "", limit: int = 50, cursor: str | None = None
    ) -> DeadLetters:
        """What could not be delivered, newest first."""
        index, equals = ("by_subscription", (tenant_id, subscription)) if subscription else ("", (tenant_id,))
        page = await self._store.query(DEAD, index, equals, descending=True, limit=limit, cursor=cursor)
        return DeadLetters([_dead_letter(item) for item in page.items], page.cursor)

    async def dead_letter(self, tenant_id: str, dead_letter_id: str) -> DeadLetter:
        """One dead letter. Raises NotFoundError."""
        item = await self._store.get(DEAD, (tenant_id, dead_letter_id))
        if item is None:
            raise NotFoundError(
                f"there is no dead letter `{dead_letter_id[:100]}`",
                help="`remit events dead-letters list` shows them",
            )
        return _dead_letter(item)

    async def redrive(self, tenant_id: str, dead_letter_id: str) -> None:
        """Deliver it once more, as if it came just now. Raises NotFoundError, ConditionError when somebody was faster."""
        dead = await self.dead_letter(tenant_id, dead_letter_id)
        partition = partition_of(tenant_id, dead.subscription, lane_of(dead.event.partitionkey))
        entries = [(self._tickets.next(), to_json(dead.event))]
        await self._store.transact([_taken_out(dead), Put(READY, ready_item(partition, entries))])
        self.dispatcher.wake()

    async def discard(self, tenant_id: str, dead_letter_id: str) -> None:
        """Forget it. Raises NotFoundError."""
        await self._store.transact([_taken_out(await self.dead_letter(tenant_id, dead_letter_id))])


def attributed(event: CloudEvent, actor: Actor) -> CloudEvent:
    """The event, said to be published by this actor, or whoever set that one off, and nobody else.

    Raises InputError E670 for one that would pass for an agent's own: for rules about that agent, or to take its id first.
    """
    if event.source.startswith(AGENTS):
        raise InputError(
            f"`{event.source[:100]}` is an agent, and only its own runs publish events of it",
            code="E670",
            help=f"choose a source that does not begin with `{AGENTS}`",
        )
    return replace(event, extensions={**event.extensions, ACTOR: actor.origin[:MOST_TEXT]})


def _taken_out(dead: DeadLetter) -> Delete:
    return Delete(DEAD, (dead.tenant_id, dead.dead_letter_id), {"dead_ts": dead.dead_ts})


def _dead_letter(item: dict[str, Any]) -> DeadLetter:
    return DeadLetter(**{**item, "event": stored_event(item["event"])})
