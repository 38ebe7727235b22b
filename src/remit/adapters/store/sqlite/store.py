"""The `Store` port on one SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from remit.adapters.store import items
from remit.adapters.store.packing import Packed, pack
from remit.adapters.store.paging import plan
from remit.adapters.store.sqlite import failures, journal, records, schema
from remit.adapters.store.sqlite.commits import GroupCommit
from remit.adapters.store.sqlite.records import Table, Tables
from remit.adapters.store.waiters import Waiters
from remit.core.errors import StoreError
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

T = TypeVar("T")

POLL_S = 0.05
MISSED_POLLS = 10
"""Polls that found the writer busy before waiters look for themselves."""
READ_TIMEOUT_S = 2.0
FEW = 8
"""Items that a query reads on the event loop itself."""
LARGE = 8 * 1024
LARGE_LOG_PAGES = 4000


class SqliteStore:
    """A `Store` in the file at `path`; several processes may use it at once.

    `durability="normal"`: a commit survives the death of the process; what the port calls durable is fsynced and
    survives power loss too. `"full"`: every commit is fsynced.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Clock,
        *,
        durability: Literal["normal", "full"] = "normal",
        busy_timeout_s: float = 10.0,
    ) -> None:
        self._path = os.fspath(path)
        self._clock = clock
        self._full = durability == "full"
        self._busy_timeout_s = busy_timeout_s
        self._waiters = Waiters()
        self._polling: set[asyncio.AbstractEventLoop] = set()
        self._version: int | None = None
        self._missed = 0
        self._tables: Tables = {}
        self._reading = threading.Lock()
        self._open: _Open | None = None

    async def open(self) -> None:
        """Connect and migrate the schema. Raises ConfigError for a schema newer than this code."""
        if self._open is None:
            self._open = await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """Finish what is queued and let go."""
        if self._open is not None:
            # What was gathered in this turn of the loop is handed over at its end.
            await asyncio.sleep(0)
            opened, self._open = self._open, None
            await asyncio.to_thread(opened.close)

    async def ping(self) -> None:
        """Raise StoreError unless a write would be accepted now."""
        await self._write(lambda db: db.execute("UPDATE pings SET count = count + 1"))

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`, and `file` with its write-ahead log."""
        return await self._query(self._sizes)

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
        packed = await self._pack(contents)
        self._know(writes)
        who = (run_id, tenant_id, root_run, agent)

        def work(db: sqlite3.Connection) -> None:
            journal.create(db, who, entries, packed, now)
            records.apply(db, self._tables, writes)

        await self._write(work, durable=True, risky=True, size=_size(entries, packed), wakes=run_id)

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
        packed = await self._pack(contents) if contents else ()
        if writes:
            self._know(writes)

        def work(db: sqlite3.Connection) -> int:
            key, waiting = journal.fence(db, run_id, seq, epoch, entries, packed)
            if consumed:
                waiting -= journal.consume(db, key, consumed)
            if status is not None:
                journal.move(db, key, status, wake_ts)
            if writes:
                records.apply(db, self._tables, writes)
                if any(isinstance(write, Signal) for write in writes):  # one may be for this very run
                    return journal.waiting(db, key)
            return waiting

        size = _size(entries, packed)
        return await self._write(work, durable=durable, risky=bool(writes), size=size, wakes=run_id)

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order."""
        return self._look(lambda db: journal.read(db, run_id, after, limit))

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""
        return await self._query(lambda db: journal.contents(db, digests))

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""
        return self._look(lambda db: journal.head(db, run_id))

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run unless somebody else holds it or it ended."""

        def work(db: sqlite3.Connection) -> Lease | None:
            # The time is read under the write lock: a batch may have waited for it.
            now = self._clock.now()
            return journal.lease(db, run_id, worker, now, now + ttl_ms)

        return await self._write(work)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""

        def work(db: sqlite3.Connection) -> Lease | None:
            until = self._clock.now() + ttl_ms
            return replace(lease, until=until) if journal.renew(db, lease, until) else None

        return await self._write(work)

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""
        await self._write(lambda db: journal.release(db, lease))

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""
        return self._look(lambda db: journal.inbox(db, run_id))

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first."""
        now = self._clock.now()
        if root_run is not None:  # a tree is a few runs, found by index
            return self._look(lambda db: journal.due(db, now, limit, tenant_id, root_run))
        return await self._query(lambda db: journal.due(db, now, limit, tenant_id, None))

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`."""
        with self._waiters.of(run_id) as woken:
            if not self._is_past(run_id, after):
                self._poll_soon()
                await asyncio.wait([woken], timeout=timeout_s)
        return self._is_past(run_id, after)

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Make the collections and indexes exist."""
        for collection in collections:
            items.check_declaration(collection)
        # A declaration that changes nothing costs a read, not an fsync: every process declares when it starts.
        known = self._look(records.load)
        if any(_is_new(known, collection) for collection in collections):
            known = await self._write(lambda db: records.declare(db, collections), durable=True, risky=True)
        self._tables = known

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""
        table = self._table(collection)
        return self._look(lambda db: records.get(db, table, key))

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
        table = self._table(collection, index)
        wanted = plan(
            table.collection,
            index,
            equals,
            lower=lower,
            upper=upper,
            descending=descending,
            limit=limit,
            cursor=cursor,
        )
        # Most pages are short: those need no detour over the reading thread.
        few = replace(wanted, limit=min(FEW, wanted.limit))
        found = self._look(lambda db: records.query(db, table, index, few))
        if few.limit < wanted.limit and len(found) > FEW:
            found = await self._query(lambda db: records.query(db, table, index, wanted))
        return wanted.page(found)

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none."""
        self._know(writes)
        await self._write(lambda db: records.apply(db, self._tables, writes), durable=True, risky=True)

    def _connect(self) -> _Open:
        """Connect, on a thread. While others open or close the file SQLite may say busy, whatever its timeout."""
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                return _Open(self)
            except sqlite3.Error as error:
                if not failures.is_busy(error) or time.monotonic() > deadline:
                    raise failures.store_error(error, self._path) from error
            time.sleep(0.01)

    def _opened(self) -> _Open:
        if self._open is None:
            raise StoreError(f"the store at `{self._path}` is not open", code="E806")
        return self._open

    def _write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = False,
        risky: bool = False,
        size: int = 0,
        wakes: str = "",
    ) -> asyncio.Future[T]:
        commits = self._opened().commits
        return commits.submit(work, durable=durable, risky=risky, size=size, wakes=wakes)

    def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A short read, on the event loop itself: some microseconds, and writers never block it."""
        opened = self._opened()
        try:
            with self._reading:
                return work(opened.reads)
        except sqlite3.Error as error:
            raise failures.store_error(error, self._path) from error

    async def _query(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A read that may be long, on the reading thread."""
        opened = self._opened()
        try:
            return await asyncio.wrap_future(opened.reader.submit(work, opened.queries))
        except sqlite3.Error as error:
            raise failures.store_error(error, self._path) from error

    async def _pack(self, contents: Mapping[str, bytes]) -> Sequence[Packed]:
        """Rows for the contents; many bytes are compressed on a thread, and only those that are not there yet."""
        if sum(map(len, contents.values())) < LARGE:
            return pack(contents)
        missing = self._look(lambda db: journal.missing(db, list(contents)))
        new = {digest: body for digest, body in contents.items() if digest in missing}
        return await asyncio.to_thread(pack, new) if new else ()

    def _know(self, writes: Sequence[Write]) -> None:
        """Learn of collections that another process declared."""
        if any(not isinstance(write, Signal) and write.collection not in self._tables for write in writes):
            self._tables = self._look(records.load)

    def _table(self, name: str, index: str = "") -> Table:
        """A collection (with an index), declared here or by another process."""
        found = self._tables.get(name)
        if found is None or (index and index not in found.indexes):
            self._tables = self._look(records.load)
            found = self._tables.get(name)
        if found is None:
            raise items.undeclared(name)
        return found

    def _is_past(self, run_id: str, after: int) -> bool:
        head = self._look(lambda db: journal.head(db, run_id))
        return head is not None and head.seq > after

    def _poll_soon(self) -> None:
        """Look every 50 ms whether another process has committed, as long as anybody waits on this loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._polling:
            self._polling.add(loop)
            loop.call_later(POLL_S, self._poll, loop)

    def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        self._polling.discard(loop)
        waited = self._waiters.runs()
        if self._open is None or not waited:
            return
        version = self._open.commits.foreign_version()
        self._missed = self._missed + 1 if version is None else 0
        if self._missed >= MISSED_POLLS or (version is not None and version != self._version):
            self._missed = 0
            self._version = version
            self._waiters.wake(waited)
        self._polling.add(loop)
        loop.call_later(POLL_S, self._poll, loop)

    def _sizes(self, db: sqlite3.Connection) -> dict[str, int]:
        parts = {
            "events": "SELECT coalesce(sum(length(hash) + length(body)), 0) FROM events",
            "contents": "SELECT coalesce(sum(length(digest) + length(body)), 0) FROM contents",
        }
        found = {name: int(db.execute(text).fetchone()[0]) for name, text in parts.items()}
        found["records"] = sum(records.size(db, table) for table in records.load(db).values())
        files = (self._path, f"{self._path}-wal")
        found["file"] = sum(os.path.getsize(file) for file in files if os.path.exists(file))
        return found


class _Open:
    """Connections and threads of a store that is open."""

    def __init__(self, store: SqliteStore) -> None:
        self._path = store._path
        with contextlib.ExitStack() as undo:
            self.writes = undo.enter_context(contextlib.closing(schema.connect(self._path, 0)))
            schema.migrate(self.writes, self._path, store._busy_timeout_s)
            # The writer may run on an event loop: it never waits for a lock there. Readers hardly ever meet one.
            self.writes.execute("PRAGMA busy_timeout=0")
            self.reads = undo.enter_context(contextlib.closing(schema.connect(self._path, READ_TIMEOUT_S)))
            self.queries = undo.enter_context(contextlib.closing(schema.connect(self._path, READ_TIMEOUT_S)))
            self._checkpoints = undo.enter_context(contextlib.closing(schema.connect(self._path, 0)))
            store._tables = records.load(self.reads)
            undo.pop_all()
        self.reader = ThreadPoolExecutor(1, "remit-sqlite-reader")
        self._checkpointer = ThreadPoolExecutor(1, "remit-sqlite-checkpointer")
        self.commits = GroupCommit(
            self.writes,
            self._path,
            full=store._full,
            busy_timeout_s=store._busy_timeout_s,
            wake=store._waiters.wake,
            checkpoint=self._checkpoint_soon,
        )

    def close(self) -> None:
        """Finish and disconnect. Blocks."""
        self.commits.close()
        self.reader.shutdown()
        self._checkpointer.shutdown()
        for db in (self.reads, self.queries, self._checkpoints, self.writes):
            db.close()

    def _checkpoint_soon(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._checkpointer.submit(self._checkpoint)

    def _checkpoint(self) -> None:
        """Move pages from the log into the file without blocking anybody; empty a log that has grown all the same."""
        with contextlib.suppress(sqlite3.Error):
            _, pages, _ = self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > LARGE_LOG_PAGES:
                self.commits.restart_log()


def _size(entries: Sequence[Entry], packed: Sequence[Packed]) -> int:
    size = sum([len(entry.body) for entry in entries])
    return size + sum([len(row.body) for row in packed]) if packed else size


def _is_new(known: Tables, collection: Collection) -> bool:
    table = known.get(collection.name)
    return table is None or items.merged(table.collection, collection) != table.collection
