"""What the bus keeps, and under which keys.

An event is one item. What a subscription still has to get of it stands in a *partition*: the tenant, the subscription and
one of `LANES` lanes, chosen by the partition key, so that a key always has the same. In a partition's `ready` part, events
that were published together lie in one item, in order of their tickets; taking them out is deleting that item. An event
that failed, waits for a run, or stands behind one of its key that does, is `parked` on its own.

INVARIANT: what order and "once" rest on is read by keys, never by an index: those of DynamoDB lag behind. The place of a
parked event says in its key what it is: the head of its partition key, behind that head, or alone.
"""

from __future__ import annotations

import hashlib
import zlib
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from remit.core.cloudevent import MOST_TEXT, SENSITIVITY, UNTRUSTED, CloudEvent, Extension, stored_event
from remit.core.codec import plain
from remit.core.provenance import Labels, Sensitivity
from remit.ports.bus import Subscription
from remit.ports.clock import Clock
from remit.ports.store import Collection, Index

EVENT, READY, PARKED, CLAIM = "bus_event", "bus_ready", "bus_parked_event", "bus_claim"
SUBSCRIPTION, REVISION, DEAD, WAIT = "bus_subscription", "bus_revision", "bus_dead_letter", "bus_wait"

COLLECTIONS = (
    Collection(
        EVENT,
        ("tenant_id", "source", "id"),
        (
            Index("by_time", ("tenant_id", "ticket")),
            Index("by_type", ("tenant_id", "type", "ticket")),
            Index("by_day", ("day", "ticket")),
        ),
    ),
    Collection(READY, ("queue", "partition", "ticket")),
    Collection(
        PARKED,
        ("partition", "place"),
        (
            # Only what is to be tried again has `due_ts`; what stands behind it has not. `alone_ts` is that of events without a key.
            Index("by_due", ("queue", "due_ts")),
            Index("by_alone", ("partition", "alone_ts")),
        ),
    ),
    Collection(CLAIM, ("partition",)),
    Collection(SUBSCRIPTION, ("tenant_id", "name")),
    Collection(REVISION, ("tenant_id",)),
    Collection(
        DEAD,
        ("tenant_id", "dead_letter_id"),
        (Index("by_subscription", ("tenant_id", "subscription", "dead_letter_id")),),
    ),
    Collection(WAIT, ("tenant_id", "type", "wait_id")),
)

QUEUE = "main"
"""The first field of what is looked through for work: with it every look is a query of one key or index."""

LANES = 8
"""Parts of a subscription that different processes may serve at the same time."""

WAITS = "@waits"
"""The subscription that stands for runs that wait for an event."""

DAY_MS = 86_400_000
KEPT_DAYS = 7
"""How long an event is kept, and known as published before."""

ACTOR = "actorid"
"""The extension that says who published an event, set by Remit alone."""

AGENTS = "remit:agent:"
"""What the sources of events that agents publish begin with."""

_APART = "\x1f"


def said_of(run_id: str, actor_id: str, labels: Labels) -> dict[str, Extension]:
    """The extensions of an event that a run published: which run, for whom, and what it had read by then."""
    found: dict[str, Extension] = {"runid": run_id, SENSITIVITY: labels.sensitivity}
    if actor_id:
        found[ACTOR] = actor_id[:MOST_TEXT]
    if labels.untrusted:
        found[UNTRUSTED] = True
    return found


def labels_of(event: CloudEvent) -> Labels:
    """What a run that starts with this event has read: the most that the event says of itself, and nothing less than internal."""
    given = event.extensions.get(SENSITIVITY)
    level: Sensitivity = "internal" if given in (None, "public", "internal") else "secret"
    if given == "private":
        level = "private"
    return Labels(bool(event.extensions.get(UNTRUSTED)), level)


class Item(Struct):
    """One event in a partition. `attempt` counts from 1. `place` is where it is parked, empty when it is not.

    `due_ts` is when it is to be tried again, None for one that stands behind another.
    """

    ticket: str
    event: dict[str, Any]
    attempt: int = 1
    memo: str = ""
    place: str = ""
    problem: str = ""
    due_ts: int | None = None

    @property
    def key(self) -> str:
        """Its partition key, or an empty text."""
        return str(self.event.get("partitionkey", ""))


class Tickets:
    """Numbers that put the events published by this process in order, and those of others by time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._node = clock.new_id("n")[-8:]
        self._last = 0

    def next(self) -> str:
        """The next one: microseconds of the wall clock, never less than the one before."""
        self._last = max(self._last + 1, self._clock.now() * 1000)
        return f"{self._last:016x}-{self._node}"


def ticket_ms(ticket: str) -> int:
    """When a ticket was drawn, Unix milliseconds."""
    return int(ticket[:16], 16) // 1000


def partition_of(tenant_id: str, subscription: str, lane: int) -> str:
    """The name of a partition."""
    return f"{tenant_id}{_APART}{subscription}{_APART}{lane}"


def parts_of(partition: str) -> tuple[str, str]:
    """The tenant and the subscription of a partition."""
    tenant_id, subscription, _ = partition.split(_APART)
    return tenant_id, subscription


def lane_of(key: str) -> int:
    """The lane of a partition key."""
    return zlib.crc32(key.encode()) % LANES


def event_item(event: CloudEvent, shape: dict[str, Any], ticket: str) -> dict[str, Any]:
    """The item that keeps an event, whose JSON object is `shape`. `expires_s` is for stores that forget by themselves."""
    now = ticket_ms(ticket)
    return {
        "tenant_id": event.tenantid,
        "source": event.source,
        "id": event.id,
        "type": event.type,
        "ticket": ticket,
        "day": day_of(now),
        "expires_s": now // 1000 + KEPT_DAYS * 86_400,
        "event": shape,
    }


def day_of(ms: int) -> str:
    """The day of a time, as it is indexed."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def read_event(item: dict[str, Any]) -> CloudEvent:
    """The event that an item keeps."""
    return stored_event(item["event"])


def ready_item(partition: str, entries: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The item of events that lie ready together, in order."""
    return {"queue": QUEUE, "partition": partition, "ticket": entries[0][0], "events": entries}


HEADS = ("h", "h~")
"""Between these are the places of all heads."""


def head_place(key: str) -> str:
    """Where the event of a key is parked that is to be tried next."""
    return "h" + _short(key)


def behind_place(key: str, ticket: str) -> str:
    """Where an event is parked that stands behind the head of its key, in order of tickets."""
    return f"b{_short(key)}{ticket}"


def behind_places(key: str) -> tuple[str, str]:
    """Between these are the places of all that stands behind the head of a key."""
    return f"b{_short(key)}", f"b{_short(key)}~"


def alone_place(ticket: str) -> str:
    """Where an event without a key is parked."""
    return "k" + ticket


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def parked_item(partition: str, item: Item) -> dict[str, Any]:
    """The item of a parked event."""
    made: dict[str, Any] = {
        "partition": partition,
        "place": item.place,
        "ticket": item.ticket,
        "event": item.event,
        "attempt": item.attempt,
        "memo": item.memo,
        "problem": item.problem,
    }
    if item.due_ts is not None:
        made.update(queue=QUEUE, due_ts=item.due_ts)
        if not item.key:
            made["alone_ts"] = item.due_ts
    return made


def read_parked(item: dict[str, Any]) -> Item:
    """The parked event that an item keeps."""
    return Item(
        item["ticket"],
        item["event"],
        item["attempt"],
        item["memo"],
        item["place"],
        item["problem"],
        item.get("due_ts"),
    )


class Subscribed(Struct, frozen=True):
    """A subscription as it is kept: who gets which events, and what is done with them.

    `kind`: `handler` for code in some process, `rule` and `agent` start a run of `target`, `outlet` sends events out of
    Remit. `spec` holds what else the kind needs. One that is not `enabled` matches nothing.
    """

    tenant_id: str
    name: str
    kind: str
    subscription: Subscription
    enabled: bool = True
    target: str = ""
    spec: dict[str, Any] = {}


def subscribed_item(subscribed: Subscribed) -> dict[str, Any]:
    """The item that keeps a subscription."""
    made: dict[str, Any] = plain(subscribed)
    return made
