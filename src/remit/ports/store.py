"""The store: journals of runs and collections of records behind one transaction boundary.

They are one port, since an approval, a child's result or a budget slice must land together with the event that
speaks of it. Every adapter passes `remit.testing.contracts.store`.

Rules an adapter keeps:
- `append` succeeds only when the run's head is at `seq` **and** its lease epoch is `epoch`; else FencedError and
  nothing is written. An acknowledged event is never lost, changed or reordered.
- Everything in one call (events, contents, writes, signals consumed, status) lands together or not at all.
- A failed condition fails its own call only, also when many calls share one commit (group commit).
- A commit whose fate is unknown raises CommitUnknownError, never a plain failure.
- `durable=True` means: survives power loss before the call returns (fsync).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

Status = Literal["ready", "waiting", "ended"]
"""`ready`: a worker should advance it. `waiting`: a signal or `wake_ts` makes it ready. `ended`: nothing more happens."""


class Entry(Struct, frozen=True):
    """One journal entry as stored: exact bytes of the event and the chain hash (32 bytes) that covers them."""

    seq: int
    body: bytes
    hash: bytes


class RunHead(Struct, frozen=True):
    """Where a run stands. `seq` is the last entry's, `hash` its chain hash, `inbox` how many signals wait."""

    run_id: str
    tenant_id: str
    root_run: str
    agent: str
    status: Status
    seq: int
    hash: bytes
    epoch: int
    owner: str
    lease_until: int
    wake_ts: int | None
    inbox: int
    created_ts: int


class Lease(Struct, frozen=True):
    """The right to write a run, until `until` (Unix milliseconds by the store's clock), under `epoch`.

    `lapsed`: another worker held it before and never gave it back.
    """

    run_id: str
    worker: str
    epoch: int
    until: int
    lapsed: bool = False


class Signal(Struct, frozen=True):
    """Something from outside for a run: a decision, a cancel request, a child's end. Idempotent by (run_id, signal_id)."""

    run_id: str
    signal_id: str
    body: bytes


class Index(Struct, frozen=True):
    """A secondary index: equality on `fields[:-1]` or all of them, order and range on the last."""

    name: str
    fields: tuple[str, ...]


class Collection(Struct, frozen=True):
    """A declared collection: `key` fields identify an item, `indexes` answer its queries. Items are JSON objects.

    Key and index fields are top-level strings or integers; an item without an index's field is not in that index.
    `numbers`: key fields that are always integers, for stores whose keys have a type (DynamoDB); others ignore it.
    """

    name: str
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    numbers: tuple[str, ...] = ()


class Put(Struct, frozen=True):
    """Write an item. `expect`: None = whatever is there; ABSENT = nothing there; a mapping = these fields have these values now."""

    collection: str
    item: Mapping[str, Any]
    expect: Mapping[str, Any] | None = None


class Delete(Struct, frozen=True):
    """Remove an item, if it is there; `expect` as in Put (a mapping on a missing item fails)."""

    collection: str
    key: tuple[Any, ...]
    expect: Mapping[str, Any] | None = None


class Add(Struct, frozen=True):
    """Add integers to top-level integer fields of an existing item. Fails when a field in `floor` would fall below it.

    Fails with ConditionError too when the item is not there. This is how shared envelopes are reserved.
    """

    collection: str
    key: tuple[Any, ...]
    increments: Mapping[str, int]
    floor: Mapping[str, int] = {}


Write = Put | Delete | Add | Signal

ABSENT: Mapping[str, Any] = {"": "absent"}
"""`expect` value that says: no item has this key."""


class Page(Struct, frozen=True):
    """Items of a query, and the cursor of the next page (`None` at the end)."""

    items: list[dict[str, Any]]
    cursor: str | None = None


class Journal(Protocol):
    """The journals of runs."""

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
        """Start a run at epoch 0, status `ready`. Raises RunExistsError; ConditionError for a write. Durable."""

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
        """Append entries after `seq` under `epoch`; remove `consumed` signals; set status and wake time if `status` is given.

        Returns how many signals wait. A run set to `waiting` while signals wait stays `ready`.
        `ended` also clears the lease. Raises FencedError, ConditionError, CommitUnknownError, StoreError.
        """

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order, at most `limit`. An unknown run has none."""

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run if nobody holds an unexpired lease (or `worker` does): epoch + 1. None if held or ended."""

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now: ready or woken by time or signal, and not leased; tenants take turns."""

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`. May return early; never hangs longer."""


class Records(Protocol):
    """Collections of records."""

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Make the collections and indexes exist. Idempotent; adding an index to old data fills it."""

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""

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
        """Items of an index whose first fields equal `equals`, in order of the next field, then of the key.

        `lower` and `upper` bound that next field, both inclusive. `index` may be "" for the key itself.
        """

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none. Raises ConditionError that names the first write whose condition failed. Durable."""


class Store(Journal, Records, Protocol):
    """Both, behind one transaction boundary."""

    async def open(self) -> None:
        """Connect and migrate the schema. Raises ConfigError for a schema newer than this code."""

    async def close(self) -> None:
        """Finish what is queued and let go."""

    async def ping(self) -> None:
        """Raise StoreError unless a write would be accepted now."""

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`, and `file` where there is one."""


def tail(journal: Journal, run_id: str, *, after: int = -1, poll_s: float = 15.0) -> AsyncIterator[Entry]:
    """Entries of a run from `after` on, for ever: stored ones first, then each new one. The caller stops iterating."""

    async def entries() -> AsyncIterator[Entry]:
        seen = after
        while True:
            batch = await journal.read(run_id, after=seen)
            for entry in batch:
                seen = entry.seq
                yield entry
            if not batch:
                await journal.changed(run_id, after=seen, timeout_s=poll_s)

    return entries()
