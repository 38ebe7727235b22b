"""The head of a run as an item, and what a signal, a lease or an append makes of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.adapters.store.dynamodb.values import (
    APART,
    REV,
    Attributes,
    Value,
    binary,
    number,
    read,
    sortable,
    text,
)
from remit.ports.store import RunHead, Status

SHARDS = 8
"""Partitions over which the index of due runs is spread. More can be had later only by rewriting every head."""

Range = tuple[int, int]


class Head(Struct, frozen=True):
    """A run's head, and what only this store knows.

    `rev` names the commit that wrote it: who writes it next says so, which fences stale epochs, seqs and ended runs alike.
    Signals are numbered from 1 as they arrive; `delivered` is the last number, those up to `low` and in `done` are consumed.
    `since`: Unix milliseconds from which it is ready.
    """

    run: RunHead
    rev: str
    since: int
    delivered: int = 0
    low: int = 0
    done: tuple[Range, ...] = ()

    def waits(self, given: int) -> bool:
        """Whether the signal with this number was not consumed yet."""
        return given > self.low and not any(first <= given <= last for first, last in self.done)


def delivered(head: Head, now: int) -> Head:
    """The head after one more signal arrived."""
    since = head.since if head.run.status == "ready" else now
    head = replace(head, delivered=head.delivered + 1, since=since)
    return replace(head, run=replace(head.run, status="ready", inbox=head.run.inbox + 1))


def consumed(head: Head, numbers: Iterable[int]) -> Head:
    """The head after the signals with these numbers were consumed; those that were before count once."""
    fresh = sorted({given for given in numbers if head.waits(given)})
    if not fresh:
        return head
    ranges = _joined([*head.done, *((given, given) for given in fresh)])
    low = head.low
    if ranges[0][0] == low + 1:
        low = ranges[0][1]
        ranges = ranges[1:]
    run = replace(head.run, inbox=head.run.inbox - len(fresh))
    return replace(head, run=run, low=low, done=tuple(ranges))


def moved(head: Head, status: Status, wake_ts: int | None, now: int) -> Head:
    """The head after its status was set; a run does not wait while signals do."""
    if status == "ended":
        run = replace(head.run, status="ended", wake_ts=wake_ts, owner="", lease_until=0)
        return replace(head, run=run)
    after: Status = "ready" if head.run.inbox else status
    since = now if after == "ready" and head.run.status != "ready" else head.since
    return replace(head, run=replace(head.run, status=after, wake_ts=wake_ts), since=since)


def due_at(head: Head) -> int | None:
    """When a worker may take the run, Unix milliseconds; None: not before something happens."""
    run = head.run
    if run.status == "ready":
        return max(head.since, run.lease_until)
    if run.status == "waiting" and run.wake_ts is not None:
        return max(run.wake_ts, run.lease_until)
    return None


def shard_of(run_id: str) -> str:
    """The part of the index of due runs that a run is in."""
    return str(zlib.crc32(run_id.encode()) % SHARDS)


def due_key(tenant_id: str, *times: int) -> str:
    """The place of a run in that index: tenants one after the other, in each what may be taken first, then the oldest."""
    return APART.join([sortable(tenant_id), *(f"{time + 2**63:020d}" for time in times)])


def item(head: Head) -> Attributes:
    """The item of a head."""
    run = head.run
    made: Attributes = {
        "run_id": text(run.run_id),
        "tenant_id": text(run.tenant_id),
        "root_run": text(sortable(run.root_run)),
        "agent": text(run.agent),
        "status": text(run.status),
        "seq": number(run.seq),
        "hash": binary(run.hash),
        "epoch": number(run.epoch),
        "owner": text(run.owner),
        "lease_until": number(run.lease_until),
        "inbox": number(run.inbox),
        "created_ts": number(run.created_ts),
        REV: text(head.rev),
        "since": number(head.since),
        "delivered": number(head.delivered),
        "low": number(head.low),
    }
    if run.wake_ts is not None:
        made["wake_ts"] = number(run.wake_ts)
    if head.done:
        made["done"] = text(" ".join(f"{first}-{last}" for first, last in head.done))
    due = due_at(head)
    if due is not None:
        made["due_shard"] = text(shard_of(run.run_id))
        made["due"] = text(due_key(run.tenant_id, due, run.created_ts))
    return made


def parse(found: Mapping[str, Value]) -> Head:
    """The head of an item, or of its image in a stream's record."""
    values: dict[str, Any] = {name: read(value) for name, value in found.items()}
    root = "" if values["root_run"] == sortable("") else values["root_run"]
    run = RunHead(
        **{name: values[name] for name in _PLAIN},
        root_run=root,
        hash=values["hash"],
        wake_ts=values.get("wake_ts"),
    )
    return Head(
        run,
        rev=values[REV],
        since=values["since"],
        delivered=values["delivered"],
        low=values["low"],
        done=_ranges(values.get("done", "")),
    )


_PLAIN = (
    "run_id",
    "tenant_id",
    "agent",
    "status",
    "seq",
    "epoch",
    "owner",
    "lease_until",
    "inbox",
    "created_ts",
)


def _ranges(said: str) -> tuple[Range, ...]:
    pairs = (each.split("-") for each in said.split())
    return tuple((int(first), int(last)) for first, last in pairs)


def _joined(ranges: Sequence[Range]) -> list[Range]:
    """The same numbers in as few ranges as can be, in order."""
    made: list[Range] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(last, made[-1][1]))
        else:
            made.append((first, last))
    return made
