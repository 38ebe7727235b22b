"""The `Store` port on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import psycopg
from msgspec.structs import replace
from psycopg.types.string import TextBinaryLoader, TextLoader
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from remit.adapters.store import _sql, items
from remit.adapters.store.packing import Packed, digest_key, pack, unpack
from remit.adapters.store.paging import plan
from remit.adapters.store.postgres import failures, records, schema
from remit.adapters.store.postgres.batch import Request
from remit.adapters.store.postgres.commits import GroupCommit
from remit.adapters.store.postgres.records import Connection, Table, sortable
from remit.adapters.store.postgres.schema import raw
from remit.adapters.store.waiters import Waiters
from remit.core.errors import ConfigError, StoreError
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

POLL_S = 1.0
LARGE = 8 * 1024

# Leases and wake times go by the database's clock: it is the only one that all workers share.
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_HEAD = """SELECT run_id, tenant_id, root_run, agent, status, seq, hash, epoch, owner, lease_until, wake_ts, inbox,
    created_ts FROM runs WHERE run_id = %s"""
_READ = """SELECT events.seq, body, events.hash FROM events JOIN runs ON runs.key = run_key
    WHERE run_id = %s AND events.seq > %s ORDER BY run_key, events.seq LIMIT %s"""
_INBOX = """SELECT run_id, signal_id, inbox.body FROM inbox JOIN runs ON runs.key = run_key
    WHERE run_id = %s AND inbox.body IS NOT NULL ORDER BY id"""
_LEASE = f"""WITH free AS (SELECT key, owner AS held FROM runs
        WHERE run_id = %s AND status <> 'ended' AND (lease_until <= {_NOW} OR owner = %s) FOR UPDATE)
    UPDATE runs SET epoch = epoch + 1, owner = %s, lease_until = {_NOW} + %s FROM free WHERE runs.key = free.key
    RETURNING run_id, owner, epoch, lease_until, held NOT IN ('', owner)"""
_RENEW = f"""UPDATE runs SET lease_until = {_NOW} + %s WHERE run_id = %s AND epoch = %s AND owner = %s
    RETURNING lease_until"""
_RELEASE = "UPDATE runs SET owner = '', lease_until = 0 WHERE run_id = %s AND epoch = %s AND owner = %s"
_DUE = f"""WITH now AS MATERIALIZED (SELECT {_NOW} AS ms),
    open AS (
        SELECT run_id, tenant_id, root_run, created_ts FROM runs, now WHERE status = 'ready' AND lease_until <= ms
        UNION ALL SELECT run_id, tenant_id, root_run, created_ts FROM runs, now
            WHERE status = 'waiting' AND wake_ts <= ms AND lease_until <= ms),
    turns AS (
        SELECT run_id, created_ts,
            row_number() OVER (PARTITION BY tenant_id ORDER BY created_ts, run_id COLLATE "C") AS turn
        FROM open WHERE (%(tenant)s::text IS NULL OR tenant_id = %(tenant)s)
            AND (%(root)s::text IS NULL OR root_run = %(root)s))
    SELECT run_id FROM turns ORDER BY turn, created_ts, run_id COLLATE "C" LIMIT %(limit)s"""


class PostgresStore:
    """A `Store` in the schema `schema` of the database at `dsn`.

    `durability="durable"`: every commit survives the power loss of the database server. `"relaxed"`: only what the
    port calls durable does; the last moments (three times `wal_writer_delay`) of the rest may be lost with it.
    """

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        *,
        schema: str = "remit",
        durability: Literal["durable", "relaxed"] = "durable",
        pool_size: int = 8,
        timeout_s: float = 10.0,
    ) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,40}", schema):
            raise ConfigError(f"`{schema}` cannot name a schema", code="E212")
        self._dsn = dsn
        self._clock = clock
        self._schema = schema
        self._relaxed = durability == "relaxed"
        self._pool_size = pool_size
        self._timeout_s = timeout_s
        self._channel = f"remit_{schema}"
        self._waiters = Waiters()
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._commits: GroupCommit | None = None
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and migrate the schema. Raises ConfigError for a schema newer than this code."""
        if self._pool is not None:
            return
        try:
            async with await self._connect() as db:
                await schema.migrate(db, self._schema)
        except (psycopg.Error, OSError) as error:
            raise failures.remit_error(error) from error
        pool = AsyncConnectionPool(
            self._dsn,
            kwargs={"autocommit": True, "options": self._options()},
            configure=_configure,
            min_size=1,
            max_size=self._pool_size,
            timeout=self._timeout_s,
            open=False,
            name="remit",
        )
        await pool.open()
        self._pool = pool
        self._commits = GroupCommit(
            self._connect, channel=self._channel, relaxed=self._relaxed, wake=self._waiters.wake
        )

    async def close(self) -> None:
        """Finish what is queued and let go."""
        commits, self._commits = self._commits, None
        pool, self._pool = self._pool, None
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener
        if commits is not None:
            await commits.close()
        if pool is not None:
            await pool.close()

    async def ping(self) -> None:
        """Raise StoreError unless a write would be accepted now."""
        await self._rows("UPDATE pings SET count = count + 1 RETURNING count")

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`."""
        found = {
            "events": "SELECT coalesce(sum(length(hash) + length(body)), 0)::bigint FROM events",
            "contents": "SELECT coalesce(sum(length(digest) + length(body)), 0)::bigint FROM contents",
        }
        sizes = {name: int((await self._rows(text))[0][0]) for name, text in found.items()}
        sizes["records"] = 0
        for name in await self._collections():
            text = f"SELECT coalesce(sum(octet_length(doc::text)), 0)::bigint FROM {_sql.table(name)}"
            sizes["records"] += int((await self._rows(text))[0][0])
        return sizes

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
        await self._submit(
            run_id=run_id,
            who=(tenant_id, root_run, agent),
            entries=entries,
            contents=await self._pack(contents),
            writes=writes,
            now=now,
        )

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
        return await self._submit(
            run_id=run_id,
            seq=seq,
            epoch=epoch,
            entries=entries,
            contents=await self._pack(contents) if contents else (),
            writes=writes,
            consumed=consumed,
            status=status,
            wake_ts=wake_ts,
            durable=durable,
        )

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order."""
        rows = await self._rows(_READ, (run_id, after, limit))
        return [Entry(seq=seq, body=body, hash=hash) for seq, body, hash in rows]

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""
        keys = {digest_key(digest): digest for digest in digests}
        rows = await self._rows(
            "SELECT digest, packed, body FROM contents WHERE digest = ANY(%s)", (list(keys),)
        )
        return {keys[bytes(key)]: unpack(packed, body) for key, packed, body in rows}

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""
        rows = await self._rows(_HEAD, (run_id,))
        return RunHead(*rows[0]) if rows else None

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run unless somebody else holds it or it ended."""
        rows = await self._rows(_LEASE, (run_id, worker, worker, ttl_ms))
        return Lease(*rows[0]) if rows else None

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""
        rows = await self._rows(_RENEW, (ttl_ms, lease.run_id, lease.epoch, lease.worker))
        return replace(lease, until=rows[0][0]) if rows else None

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""
        await self._rows(f"{_RELEASE} RETURNING 1", (lease.run_id, lease.epoch, lease.worker))

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""
        return [Signal(*row) for row in await self._rows(_INBOX, (run_id,))]

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first."""
        given = {"limit": limit, "tenant": tenant_id, "root": root_run}
        return [row[0] for row in await self._rows(_DUE, given)]

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="remit-postgres-listener")
        with self._waiters.of(run_id) as woken:
            while not await self._is_past(run_id, after):
                left = deadline - time.monotonic()
                if left <= 0 or woken.done():
                    return False
                # A notification may be lost with its connection, so look now and then all the same.
                await asyncio.wait([woken], timeout=min(POLL_S, left))
        return True

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Make the collections and indexes exist."""

        async def work(db: Connection) -> None:
            known, _ = await records.load(db)
            if any(_is_new(known, collection) for collection in collections):
                async with db.transaction():
                    await records.declare(db, self._schema, collections)
            await self._writer().reload(db)

        for collection in collections:
            items.check_declaration(collection)
        await self._use(work)

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""
        table = await self._table(collection)
        rows = await self._rows(table.get, table.key(items.given_key(table.collection, key)))
        return items.parse(rows[0][0]) if rows else None

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
        table = await self._table(collection, index)
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
        text, values = _sql.select(wanted, table.collection, _sql.table(collection), "%s", sortable)
        return wanted.page([items.parse(row[0]) for row in await self._rows(text, values)])

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none."""
        await self._submit(writes=writes)

    def _writer(self) -> GroupCommit:
        if self._commits is None:
            raise StoreError("the store is not open", code="E806")
        return self._commits

    async def _submit(self, **given: Any) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await self._writer().submit(Request(future=future, **given))

    def _options(self) -> str:
        timeout_ms = int(self._timeout_s * 1000)
        return f"-c search_path={self._schema} -c lock_timeout={timeout_ms} -c application_name=remit-{self._schema}"

    async def _connect(self) -> Connection:
        timeout = max(2, int(self._timeout_s))
        db = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, connect_timeout=timeout, options=self._options()
        )
        await _configure(db)
        return db

    async def _use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Work on a connection of the pool; once more on a fresh one if it turns out to be dead."""
        for attempt in range(2):
            if self._pool is None:
                raise StoreError("the store is not open", code="E806")
            try:
                async with self._pool.connection() as db:
                    return await work(db)
            except (psycopg.Error, PoolTimeout, OSError) as error:
                if attempt or not failures.is_lost(error):
                    raise failures.remit_error(error) from error
                # After a restart of the server every pooled connection is dead.
                await self._pool.check()
        raise AssertionError("unreachable")

    async def _rows(self, text: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        async def work(db: Connection) -> list[tuple[Any, ...]]:
            cursor = await db.execute(raw(text), values, binary=True)
            return await cursor.fetchall()

        return await self._use(work)

    async def _pack(self, contents: Mapping[str, bytes]) -> Sequence[Packed]:
        """Rows for the contents; many bytes are compressed on a thread, and only those that are not there yet."""
        if sum(map(len, contents.values())) < LARGE:
            return pack(contents)
        keys = [digest_key(digest) for digest in contents]
        rows = await self._rows("SELECT digest FROM contents WHERE digest = ANY(%s)", (keys,))
        there = {bytes(row[0]) for row in rows}
        new = {digest: body for digest, body in contents.items() if digest_key(digest) not in there}
        return await asyncio.to_thread(pack, new) if new else ()

    async def _collections(self) -> dict[str, Table]:
        await self._use(self._writer().reload)
        return self._writer().tables

    async def _table(self, name: str, index: str = "") -> Table:
        """A collection (with an index), declared here or by another process."""
        found = self._writer().tables.get(name)
        if found is None or (index and index not in found.indexes):
            found = (await self._collections()).get(name)
        if found is None:
            raise items.undeclared(name)
        return found

    async def _is_past(self, run_id: str, after: int) -> bool:
        head = await self.head(run_id)
        return head is not None and head.seq > after

    async def _listen(self) -> None:
        """Pass on notifications, for ever; while the database is away the poll has to do."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                async with await self._connect() as db:
                    await db.execute(raw(f'LISTEN "{self._channel}"'))
                    # Whatever was announced before this moment went unheard.
                    self._waiters.wake(self._waiters.runs())
                    async for notice in db.notifies():
                        self._waiters.wake(notice.payload.split("\n"))
            await asyncio.sleep(POLL_S)


async def _configure(db: Connection) -> None:
    """Documents are read as text, to be parsed by the same code for every store."""
    db.adapters.register_loader("json", TextLoader)
    db.adapters.register_loader("json", TextBinaryLoader)


def _is_new(known: Mapping[str, Table], collection: Collection) -> bool:
    table = known.get(collection.name)
    return table is None or items.merged(table.collection, collection) != table.collection
