"""Publishing: an event and what every subscription has to get of it become durable in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from remit.core.cloudevent import CloudEvent, checked_json
from remit.core.errors import ConditionError, InputError, StoreError
from remit.core.semconv import EVENTS
from remit.core.times import rfc3339
from remit.engine.bus.portions import MOST_WRITES, fits
from remit.engine.bus.records import (
    EVENT,
    LANES,
    READY,
    WAITS,
    Tickets,
    event_item,
    lane_of,
    partition_of,
    ready_item,
)
from remit.engine.bus.subscriptions import Matching, Subscriptions
from remit.ports.bus import Published
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Put, Records, Write
from remit.ports.telemetry import Telemetry

TOGETHER = 100
"""Events that lie ready in one item, at most."""

TOGETHER_BYTES = 131_072
OWN = "remit."
"""What the types of Remit's own events begin with; see `announcing`."""

AT_ONCE = 1000
"""Events in one transaction, at most."""

ATTEMPTS = 20

Shaped = list[tuple[CloudEvent, dict[str, Any]]]
Ids = set[tuple[str, str, str]]
Entries = list[tuple[str, dict[str, Any]]]


class Call(NamedTuple):
    """One call of `publish` on its way."""

    tenant_id: str
    events: Shaped
    done: asyncio.Future[list[Published]]


class Publisher:
    """Publishes for all tenants. Calls that come while a transaction is under way share the next one."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        subscriptions: Subscriptions,
        telemetry: Telemetry | None = None,
        *,
        most_writes: int = MOST_WRITES,
    ) -> None:
        """`most_writes` is how many writes the store takes in one transaction."""
        self._store = store
        self._clock = clock
        self._subscriptions = subscriptions
        self._telemetry = telemetry
        self._tickets = Tickets(clock)
        self._waiting: list[Call] = []
        self._committing: asyncio.Task[None] | None = None
        self._lane = 0
        self._most_writes = most_writes
        self.published: Callable[[Sequence[Write]], None] = lambda writes: None
        """Called with what was written when events have become ready here."""

    async def publish(self, tenant_id: str, events: Sequence[CloudEvent]) -> list[Published]:
        """Accept events, in this order. Raises InputError E660, E661; then none of them was published. Raises StoreError.

        More than the store takes in one transaction are published in several: after a StoreError some may be there already.
        """
        made = self._completed(tenant_id, events)
        if not made:
            return []
        for event, _ in made:
            if event.type.startswith(OWN):
                raise InputError(
                    f"`{event.type[:100]}` is an event that only Remit itself publishes",
                    code="E670",
                    help=f"choose a type that does not begin with `{OWN}`",
                )
        done: asyncio.Future[list[Published]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Call(tenant_id, made, done))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.ensure_future(self._commit_all())
        return await done

    async def writes_for(self, tenant_id: str, events: Sequence[CloudEvent]) -> list[Write]:
        """The writes that publish events, to ride in a transaction of somebody else's that happens only once.

        They are delivered at the next look after it. Raises InputError E660, E661.
        """
        return self.riding(tenant_id, await self._subscriptions.of(tenant_id), events)

    def riding(self, tenant_id: str, matching: Matching, events: Sequence[CloudEvent]) -> list[Write]:
        """As `writes_for`, to those who are known to subscribe."""
        made = self._completed(tenant_id, events)
        self._count(len(made))
        return self._writes([(tenant_id, matching, made)], expect=None)

    def _count(self, events: int) -> None:
        if self._telemetry is not None:
            self._telemetry.count(EVENTS, events, {})

    def _completed(self, tenant_id: str, events: Sequence[CloudEvent]) -> Shaped:
        """The events with what they lack, and each as JSON. Raises InputError E660, E661."""
        if not tenant_id or any(ord(c) < 32 for c in tenant_id):
            raise InputError(f"`{tenant_id!r}` is no tenant", code="E660", help="events are of one tenant")
        now = rfc3339(self._clock.now())
        made: Shaped = []
        for event in events:
            if event.tenantid != tenant_id or not event.time:
                event = replace(event, tenantid=tenant_id, time=event.time or now)
            made.append((event, checked_json(event)))
        return made

    async def _commit_all(self) -> None:
        while self._waiting:
            calls: list[Call] = []
            count = 0
            most = min(AT_ONCE, self._most_writes // 3)
            while self._waiting and (not calls or count + len(self._waiting[0].events) <= most):
                calls.append(self._waiting.pop(0))
                count += len(calls[-1].events)
            try:
                if not await self._commit(calls):
                    for call in calls:
                        await self._commit_alone(call)
            except BaseException as error:
                for call in calls:
                    _refuse(call, error)
                if not isinstance(error, Exception):
                    raise

    async def _commit_alone(self, call: Call) -> None:
        """Publish the events of one call; what is wrong with it concerns no other call."""
        try:
            await self._commit_fresh(call)
        except Exception as error:
            _refuse(call, error)

    async def _commit(self, calls: Sequence[Call]) -> bool:
        """Publish all events of these calls, in one transaction. False when they do not all go together.

        One of them was published before, or cannot be published: each call is then seen to by itself.
        """
        ids: Ids = set()
        groups = []
        try:
            for call in calls:
                groups.append((call.tenant_id, await self._subscriptions.of(call.tenant_id), call.events))
                ids.update((call.tenant_id, e.source, e.id) for e, _ in call.events)
            if len(ids) < sum(len(call.events) for call in calls):
                return False
            writes = self._writes(groups, expect=ABSENT)
            if not fits(writes, self._most_writes):
                return False
            await self._store.transact(writes)
        except StoreError:
            raise
        except Exception:
            return False
        self.published(writes)
        self._count(len(ids))
        for call in calls:
            if not call.done.done():
                call.done.set_result([Published(event) for event, _ in call.events])
        return True

    async def _commit_fresh(self, call: Call) -> None:
        """Publish the events of one call that were not published before."""
        for _ in range(ATTEMPTS):
            seen: Ids = set()
            answer: list[Published] = []
            for event, _ in call.events:
                key = (call.tenant_id, event.source, event.id)
                fresh = key not in seen and await self._store.get(EVENT, key) is None
                seen.add(key)
                answer.append(Published(event, fresh))
            events = [shaped for shaped, p in zip(call.events, answer, strict=True) if p.fresh]
            matching = await self._subscriptions.of(call.tenant_id)
            try:
                await self._commit_parts(call.tenant_id, matching, events)
            except ConditionError:
                continue
            self._count(len(events))
            if not call.done.done():
                call.done.set_result(answer)
            return
        raise ConditionError("the same events are being published by others all the time")

    async def _commit_parts(self, tenant_id: str, matching: Matching, events: Shaped) -> None:
        """Write fresh events, in as few transactions as the store needs, in order."""
        if not events:
            return
        writes = self._writes([(tenant_id, matching, events)], expect=ABSENT)
        if len(events) > 1 and not fits(writes, self._most_writes):
            half = len(events) // 2
            await self._commit_parts(tenant_id, matching, events[:half])
            await self._commit_parts(tenant_id, matching, events[half:])
            return
        await self._store.transact(writes)
        self.published(writes)

    def _writes(self, groups: Sequence[tuple[str, Matching, Shaped]], *, expect: Any) -> list[Write]:
        """Events, and the items by which subscriptions and waiting runs get them."""
        writes: list[Write] = []
        ready: dict[str, Entries] = {}
        self._lane = (self._lane + 1) % LANES
        for tenant_id, matching, events in groups:
            waits = ready.setdefault(partition_of(tenant_id, WAITS, 0), [])
            for event, shape in events:
                ticket = self._tickets.next()
                writes.append(Put(EVENT, event_item(event, shape, ticket), expect))
                waits.append((ticket, {"type": event.type, "source": event.source, "id": event.id}))
                lane = lane_of(event.partitionkey) if event.partitionkey else self._lane
                for subscribed in matching.of(shape):
                    ready.setdefault(partition_of(tenant_id, subscribed.name, lane), []).append(
                        (ticket, shape)
                    )
        for partition, entries in ready.items():
            writes += [Put(READY, ready_item(partition, some)) for some in _bundles(entries)]
        return writes


def _refuse(call: Call, error: BaseException) -> None:
    if not call.done.done():
        call.done.set_exception(error)


def _bundles(entries: Entries) -> list[Entries]:
    """Entries in portions that are neither many nor large."""
    made: list[Entries] = []
    size = 0
    for entry in entries:
        weight = len(str(entry[1].get("data", ""))) + 300
        if not made or len(made[-1]) >= TOGETHER or size + weight > TOGETHER_BYTES:
            made.append([])
            size = 0
        made[-1].append(entry)
        size += weight
    return made
