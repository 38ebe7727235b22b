"""What one call of the store changes: computed from what was there, nothing written yet.

Each change is a whole item and the commit that its predecessor must still be of. So the outcome is as if nobody else had
written between the reading and the writing, or nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from remit.adapters.store import items
from remit.adapters.store.dynamodb import heads
from remit.adapters.store.dynamodb.bodies import Body, packed_one
from remit.adapters.store.dynamodb.heads import Head
from remit.adapters.store.dynamodb.journal import Pack
from remit.adapters.store.dynamodb.records import Doc, Table, document_body
from remit.adapters.store.dynamodb.values import REV, Attributes, number, size, text
from remit.core.errors import FencedError, RunExistsError
from remit.ports.store import RunHead, Signal, Status, Write

Slot = tuple[str, items.Key]
SignalKey = tuple[str, str]

ABSENT = ""
"""A guard that says: there is no item. Any other is the commit that wrote the item; None guards nothing."""


ROOM = 2_000_000
"""Bytes of bodies in one transaction; what is beyond lies in the table `content`."""


class Change(Struct, frozen=True):
    """One item to write (`put`), to remove, or only to be as it was read (`check`)."""

    kind: Literal["put", "delete", "check"]
    table: str
    key: Attributes
    item: Attributes
    guard: str | None

    @property
    def bytes(self) -> int:
        """About how large it is."""
        return size(self.item) + size(self.key)


class Request(Struct):
    """A call of the store: `who` for a new run, `seq` and `epoch` for an append, neither for writes of records only."""

    run_id: str = ""
    who: tuple[str, str, str] | None = None
    now: int = 0
    seq: int = -1
    epoch: int = 0
    end: tuple[int, bytes] | None = None
    packs: Sequence[Pack] = ()
    contents: Sequence[Body] = ()
    writes: Sequence[Write] = ()
    consumed: Sequence[str] = ()
    status: Status | None = None
    wake_ts: int | None = None


class Snapshot(Struct):
    """What was there. `assumed`: some of it was not read just now, so that it allows a write but refuses none."""

    heads: dict[str, Head | None]
    signals: dict[SignalKey, int | None]
    docs: dict[Slot, Doc | None]
    assumed: bool


class Staged(Struct):
    """What a call would change."""

    rev: str
    changes: list[Change] = field(default_factory=list)
    large: list[Body] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    numbers: dict[SignalKey, int] = field(default_factory=dict)
    waiting: int = 0


class Names(Struct, frozen=True):
    """The names of the journal's tables."""

    head: str
    journal: str
    content: str
    signal: str


class Stage:
    """Computes one call over one snapshot."""

    def __init__(
        self, snapshot: Snapshot, tables: Mapping[str, Table], names: Names, *, rev: str, now: int
    ) -> None:
        self._before = snapshot
        self._tables = tables
        self._names = names
        self._now = now
        self._heads: dict[str, Head] = {}
        self._docs: dict[Slot, bytes | None] = {}
        self._signals: list[Change] = []
        self._made = Staged(rev)
        self._room = ROOM

    def run(self, request: Request) -> Staged:
        """What to write. Raises FencedError, RunExistsError, ConditionError, InputError."""
        if request.who is not None:
            self._create(request)
        elif request.run_id:
            self._append(request)
        for position, write in enumerate(request.writes):
            if not isinstance(write, Signal):
                self._write(position, write)
        for write in request.writes:
            if isinstance(write, Signal):
                self._deliver(write)
        made = self._made
        made.changes += [self._head_change(head) for head in self._heads.values()]
        made.changes += [self._pack_change(request.run_id, pack) for pack in request.packs]
        made.changes += self._signals
        for slot, data in self._docs.items():
            made.changes.append(self._doc_change(slot, data))
        made.heads = self._heads
        if request.run_id:
            made.waiting = self._heads[request.run_id].run.inbox
        return made

    def _create(self, request: Request) -> None:
        assert request.who is not None
        assert request.end is not None
        if self._before.heads[request.run_id] is not None:
            raise RunExistsError(f"run `{request.run_id}` exists already")
        tenant_id, root_run, agent = request.who
        run = RunHead(
            run_id=request.run_id,
            tenant_id=tenant_id,
            root_run=root_run,
            agent=agent,
            status="ready",
            seq=request.end[0],
            hash=request.end[1],
            epoch=0,
            owner="",
            lease_until=0,
            wake_ts=None,
            inbox=0,
            created_ts=request.now,
        )
        self._heads[request.run_id] = Head(run, self._made.rev, since=request.now)

    def _append(self, request: Request) -> None:
        head = self._before.heads[request.run_id]
        if (
            head is None
            or (head.run.seq, head.run.epoch) != (request.seq, request.epoch)
            or head.run.status == "ended"
        ):
            raise FencedError(
                f"run `{request.run_id}` is no longer at seq {request.seq} under epoch {request.epoch}"
            )
        given = (self._before.signals[request.run_id, each] for each in request.consumed)
        head = heads.consumed(head, [each for each in given if each is not None])
        if request.end is not None:
            head = replace(head, run=replace(head.run, seq=request.end[0], hash=request.end[1]))
        if request.status is not None:
            head = heads.moved(head, request.status, request.wake_ts, self._now)
        self._heads[request.run_id] = head

    def _write(self, position: int, write: Write) -> None:
        assert not isinstance(write, Signal)
        collection = self._tables[write.collection].collection
        key = items.key_for(collection, write)
        slot = (write.collection, key)
        if slot in self._docs:
            there = self._docs[slot]
        else:
            before = self._before.docs.get(slot)
            there = before.data if before is not None else None
        self._docs[slot] = items.outcome(collection, position, key, write, there)

    def _deliver(self, signal: Signal) -> None:
        head = self._heads.get(signal.run_id) or self._before.heads[signal.run_id]
        name = (signal.run_id, signal.signal_id)
        known = name in self._made.numbers or self._before.signals[name] is not None
        if head is None or head.run.status == "ended" or known:
            return
        head = heads.delivered(head, self._now)
        self._heads[signal.run_id] = head
        self._made.numbers[name] = head.delivered
        key = {"run_id": text(signal.run_id), "signal_id": text(signal.signal_id)}
        item = {
            **key,
            "number": number(head.delivered),
            **self._stowed(packed_one(signal.body)),
            REV: text(self._made.rev),
        }
        self._signals.append(Change("put", self._names.signal, key, item, ABSENT))

    def _head_change(self, head: Head) -> Change:
        run_id = head.run.run_id
        before = self._before.heads[run_id]
        head = replace(head, rev=self._made.rev)
        self._heads[run_id] = head
        guard = ABSENT if before is None else before.rev
        return head_change(self._names.head, head, guard)

    def _pack_change(self, run_id: str, pack: Pack) -> Change:
        key = {"run_id": text(run_id), "seq": number(pack.last)}
        item = {
            **key,
            "first": number(pack.first),
            **self._stowed(pack.body),
            REV: text(self._made.rev),
        }
        return Change("put", self._names.journal, key, item, ABSENT)

    def _doc_change(self, slot: Slot, data: bytes | None) -> Change:
        name, key = slot
        table = self._tables[name]
        guard = None
        if slot in self._before.docs:
            before = self._before.docs[slot]
            guard = ABSENT if before is None else before.rev
        if data is None:
            return Change("check" if guard == ABSENT else "delete", table.name, table.key(key), {}, guard)
        body = document_body(data)
        stowed = {} if body is None else self._stowed(body)
        return Change("put", table.name, table.key(key), table.item(data, self._made.rev, stowed), guard)

    def _stowed(self, body: Body) -> Attributes:
        """A body as an item has it: in the item while there is room in the transaction, else by reference."""
        if body.inline and len(body.data) <= self._room:
            self._room -= len(body.data)
            return body.attributes()
        self._made.large.append(body)
        return body.attributes(inline=False)


def head_change(table: str, head: Head, guard: str) -> Change:
    """The change that writes a head."""
    return Change("put", table, {"run_id": text(head.run.run_id)}, heads.item(head), guard)


def first_touched(writes: Sequence[Write], tables: Mapping[str, Table]) -> dict[Slot, Write]:
    """The first write of each item among these. Raises InputError for collections that were not declared."""
    found: dict[Slot, Write] = {}
    for write in writes:
        if isinstance(write, Signal):
            continue
        if write.collection not in tables:
            raise items.undeclared(write.collection)
        key = items.key_for(tables[write.collection].collection, write)
        found.setdefault((write.collection, key), write)
    return found
