"""The reference store: everything in this process's memory, gone with it. For tests and for reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from remit.adapters.store import items
from remit.adapters.store.paging import Query, plan
from remit.adapters.store.waiters import Waiters
from remit.core.errors import FencedError, RunExistsError
from remit.ports.clock import Clock
from remit.ports.store import (
    Collection,
    Entry,
    Lease,
    Page,
    RunHead,
    Signal,
    Status,
    Write,
)

Slot = tuple[str, items.Key]


class _Run:
    """A run as this store holds it."""

    def __init__(self, head: RunHead, entries: Sequence[Entry]) -> None:
        self.head = head
        self.entries = list(entries)
        self.inbox: dict[str, Signal] = {}
        self.seen: set[str] = set()


class MemoryStore:
    """A `Store` without a disk. One event loop; every call is atomic because none of them awaits half-way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._runs: dict[str, _Run] = {}
        self._contents: dict[str, bytes] = {}
        self._collections: dict[str, Collection] = {}
        self._items: dict[Slot, bytes] = {}
        self._waiters = Waiters()

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go."""

    async def ping(self) -> None:
        """Memory always accepts a write."""

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`."""
        return {
            "events": sum(len(entry.body) + 32 for run in self._runs.values() for entry in run.entries),
            "contents": sum(map(len, self._contents.values())),
            "records": sum(map(len, self._items.values())),
        }

    async def create(
        self,
        run_id: str,
        *,
        tenant_id: str,
        root_run: str,
        agent: str,
        entries: Sequence[Entry],
        contents: Mapping[str, bytes] = {},
        writes: Sequence[Write] = (),
        now: int,
    ) -> None:
        """Start a run at epoch 0, status `ready`."""
        items.check_first(entries)
        if run_id in self._runs:
            raise RunExistsError(f"run `{run_id}` exists already")
        staged, signals = self._stage(writes)
        head = RunHead(
            run_id=run_id,
            tenant_id=tenant_id,
            root_run=root_run,
            agent=agent,
            status="ready",
            seq=entries[-1].seq,
            hash=entries[-1].hash,
            epoch=0,
            owner="",
            lease_until=0,
            wake_ts=None,
            inbox=0,
            created_ts=now,
        )
        self._runs[run_id] = _Run(head, entries)
        self._commit(run_id, contents, staged, signals)

    async def append(
        self,
        run_id: str,
        *,
        seq: int,
        epoch: int,
        entries: Sequence[Entry],
        contents: Mapping[str, bytes] = {},
        writes: Sequence[Write] = (),
        consumed: Sequence[str] = (),
        status: Status | None = None,
        wake_ts: int | None = None,
        durable: bool = False,
    ) -> int:
        """Append entries after `seq` under `epoch`; returns how many signals wait."""
        items.check_sequence(entries, seq + 1)
        run = self._runs.get(run_id)
        if run is None or (run.head.seq, run.head.epoch) != (seq, epoch) or run.head.status == "ended":
            raise FencedError(f"run `{run_id}` is no longer at seq {seq} under epoch {epoch}")
        staged, signals = self._stage(writes)
        run.entries += entries
        for signal_id in consumed:
            run.inbox.pop(signal_id, None)
        run.head = replace(run.head, inbox=len(run.inbox))
        if entries:
            run.head = replace(run.head, seq=entries[-1].seq, hash=entries[-1].hash)
        if status is not None:
            run.head = _moved(run.head, status, wake_ts)
        self._commit(run_id, contents, staged, signals)
        return run.head.inbox

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order."""
        run = self._runs.get(run_id)
        first = max(after + 1, 0)
        return run.entries[first : first + limit] if run else []

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""
        return {digest: self._contents[digest] for digest in digests if digest in self._contents}

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""
        run = self._runs.get(run_id)
        return run.head if run else None

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run unless somebody else holds it or it ended."""
        run = self._runs.get(run_id)
        now = self._clock.now()
        if run is None or run.head.status == "ended":
            return None
        if run.head.lease_until > now and run.head.owner != worker:
            return None
        lapsed = run.head.owner not in ("", worker)
        run.head = replace(run.head, epoch=run.head.epoch + 1, owner=worker, lease_until=now + ttl_ms)
        return Lease(run_id, worker, run.head.epoch, run.head.lease_until, lapsed)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""
        run = self._held(lease)
        if run is None:
            return None
        run.head = replace(run.head, lease_until=self._clock.now() + ttl_ms)
        return replace(lease, until=run.head.lease_until)

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""
        run = self._held(lease)
        if run is not None:
            run.head = replace(run.head, owner="", lease_until=0)

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""
        run = self._runs.get(run_id)
        return list(run.inbox.values()) if run else []

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first."""
        now = self._clock.now()
        heads = [run.head for run in self._runs.values() if _is_due(run.head, now)]
        heads = [head for head in heads if tenant_id in (None, head.tenant_id)]
        heads = [head for head in heads if root_run in (None, head.root_run)]
        turns: dict[str, int] = {}
        order = []
        for head in sorted(heads, key=lambda head: (head.created_ts, head.run_id)):
            turns[head.tenant_id] = turns.get(head.tenant_id, 0) + 1
            order.append((turns[head.tenant_id], head.created_ts, head.run_id))
        return [run_id for _, _, run_id in sorted(order)[:limit]]

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`."""
        with self._waiters.of(run_id) as woken:
            if not self._is_past(run_id, after):
                await asyncio.wait([woken], timeout=timeout_s)
        return self._is_past(run_id, after)

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Remember the collections."""
        for new in collections:
            self._collections[new.name] = items.merged(self._collections.get(new.name), new)

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""
        found = self._items.get((collection, items.given_key(self._declared(collection), key)))
        return None if found is None else items.parse(found)

    async def query(
        self,
        collection: str,
        index: str,
        equals: tuple[Any, ...],
        *,
        lower: Any = None,
        upper: Any = None,
        descending: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Items of an index, paged."""
        declared = self._declared(collection)
        query = plan(
            declared,
            index,
            equals,
            lower=lower,
            upper=upper,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        stored = (items.parse(data) for (name, _), data in self._items.items() if name == collection)
        found = [item for item in stored if _matches(query, item)]
        found.sort(key=lambda item: _place(item, query), reverse=descending)
        return query.page(found[: limit + 1])

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none."""
        staged, signals = self._stage(writes)
        self._commit("", {}, staged, signals)

    def _declared(self, name: str) -> Collection:
        if name not in self._collections:
            raise items.undeclared(name)
        return self._collections[name]

    def _held(self, lease: Lease) -> _Run | None:
        run = self._runs.get(lease.run_id)
        held = run is not None and (run.head.epoch, run.head.owner) == (lease.epoch, lease.worker)
        return run if held else None

    def _is_past(self, run_id: str, after: int) -> bool:
        run = self._runs.get(run_id)
        return run is not None and run.head.seq > after

    def _stage(self, writes: Sequence[Write]) -> tuple[dict[Slot, bytes | None], list[Signal]]:
        """What the writes would change; nothing is changed yet, so that a failing one leaves no trace."""
        staged: dict[Slot, bytes | None] = {}
        signals = []
        for position, write in enumerate(writes):
            if isinstance(write, Signal):
                signals.append(write)
            else:
                collection = self._declared(write.collection)
                key = items.key_for(collection, write)
                slot = (write.collection, key)
                there = staged[slot] if slot in staged else self._items.get(slot)
                staged[slot] = items.outcome(collection, position, key, write, there)
        return staged, signals

    def _commit(
        self,
        run_id: str,
        contents: Mapping[str, bytes],
        staged: Mapping[Slot, bytes | None],
        signals: Sequence[Signal],
    ) -> None:
        """Make it so: nothing here can fail."""
        for digest, data in contents.items():
            self._contents.setdefault(digest, data)
        for slot, document in staged.items():
            if document is None:
                self._items.pop(slot, None)
            else:
                self._items[slot] = document
        for signal in signals:
            self._deliver(signal)
        self._waiters.wake([run_id])

    def _deliver(self, signal: Signal) -> None:
        run = self._runs.get(signal.run_id)
        if run is None or run.head.status == "ended" or signal.signal_id in run.seen:
            return
        run.seen.add(signal.signal_id)
        run.inbox[signal.signal_id] = signal
        run.head = replace(run.head, inbox=len(run.inbox), status="ready")


def _moved(head: RunHead, status: Status, wake_ts: int | None) -> RunHead:
    """The head after its status was set; a run does not wait while signals do."""
    if status == "ended":
        return replace(head, status="ended", wake_ts=wake_ts, owner="", lease_until=0)
    return replace(head, status="ready" if head.inbox else status, wake_ts=wake_ts)


def _is_due(head: RunHead, now: int) -> bool:
    if head.status == "ended" or head.lease_until > now:
        return False
    return head.status == "ready" or head.inbox > 0 or (head.wake_ts is not None and head.wake_ts <= now)


def _sortable(value: Any) -> tuple[bool, Any]:
    """Integers before strings, as databases order them; strings by their UTF-8 bytes."""
    return isinstance(value, str), value


def _place(item: Mapping[str, Any], query: Query) -> list[tuple[bool, Any]]:
    return [_sortable(item[name]) for name in query.order]


def _matches(query: Query, item: Mapping[str, Any]) -> bool:
    if any(item.get(name) is None for name in query.present):
        return False
    if any(item[name] != value for name, value in query.equal):
        return False
    following = _sortable(item[query.order[0]])
    if query.lower is not None and following < _sortable(query.lower):
        return False
    if query.upper is not None and following > _sortable(query.upper):
        return False
    if query.after is None:
        return True
    place, start = _place(item, query), [_sortable(value) for value in query.after]
    return place < start if query.descending else place > start
