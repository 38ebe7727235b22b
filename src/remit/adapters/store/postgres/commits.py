"""Group commit: the requests of the moment become one transaction of two round trips.

First trip: lock and read every row they concern. Then `Batch` decides. Second trip: all changes and the COMMIT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import psycopg

from remit.adapters.store import items
from remit.adapters.store.postgres import batch as deciding
from remit.adapters.store.postgres import failures, records
from remit.adapters.store.postgres.batch import Batch, Request, Run, Slot
from remit.adapters.store.postgres.records import Connection, Tables
from remit.adapters.store.requests import drain
from remit.core.errors import CommitUnknownError, StoreError

LARGEST_BATCH = 200
ATTEMPTS = 6
PAYLOAD = 7000

_LOCK_RUNS = """SELECT run_id, seq, hash, epoch, status, wake_ts, inbox FROM runs
    WHERE run_id = ANY(%s) ORDER BY run_id FOR UPDATE"""
_SIGNALS = """SELECT run_id, signal_id, inbox.body IS NULL FROM inbox JOIN runs ON runs.key = run_key
    WHERE (run_id, signal_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""
_VERSION = "SELECT coalesce(sum(version), 0)::bigint FROM collections"
_INSERT_RUNS = """INSERT INTO runs
    (run_id, tenant_id, root_run, agent, status, seq, hash, epoch, owner, lease_until, wake_ts, inbox, created_ts)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 0, '', 0, %s, %s, %s)"""
_UPDATE_RUNS = """UPDATE runs SET seq = new.seq, hash = new.hash, status = new.status, wake_ts = new.wake_ts,
        inbox = new.inbox, owner = CASE WHEN new.status = 'ended' THEN '' ELSE owner END,
        lease_until = CASE WHEN new.status = 'ended' THEN 0 ELSE lease_until END
    FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::text[], %s::bigint[], %s::integer[])
        AS new (run_id, seq, hash, status, wake_ts, inbox) WHERE runs.run_id = new.run_id"""
_INSERT_EVENTS = """INSERT INTO events (run_key, seq, hash, body)
    SELECT key, new.seq, new.hash, new.body
    FROM unnest(%s::text[], %s::bigint[], %s::bytea[], %s::bytea[]) AS new (run_id, seq, hash, body)
    JOIN runs ON runs.run_id = new.run_id"""
_INSERT_CONTENTS = """INSERT INTO contents SELECT * FROM unnest(%s::bytea[], %s::integer[], %s::bytea[])
    ON CONFLICT DO NOTHING"""
_INSERT_SIGNALS = """INSERT INTO inbox (run_key, signal_id, body) SELECT key, new.signal_id, new.body
    FROM unnest(%s::text[], %s::text[], %s::bytea[]) WITH ORDINALITY AS new (run_id, signal_id, body, place)
    JOIN runs ON runs.run_id = new.run_id ORDER BY new.place"""
_CONSUME = """UPDATE inbox SET body = NULL FROM runs, unnest(%s::text[], %s::text[]) AS old (run_id, signal_id)
    WHERE runs.run_id = old.run_id AND run_key = runs.key AND inbox.signal_id = old.signal_id"""


class Stale(Exception):
    """Another process has declared something since this one read the declarations."""


class GroupCommit:
    """The only writer of this process; `connect` opens its connection, again after it was lost."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        channel: str,
        relaxed: bool,
        wake: Callable[[Iterable[str]], None],
    ) -> None:
        self.tables: Tables = {}
        self._version = -1
        self._connect = connect
        self._channel = channel
        self._relaxed = relaxed
        self._wake = wake
        self._db: Connection | None = None
        self._closed = False
        self._queue: asyncio.Queue[Request | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._serve(), name="remit-postgres-writer")

    def submit(self, request: Request) -> asyncio.Future[int]:
        """Have the request committed."""
        if self._closed:
            raise StoreError("the store is closed", code="E806")
        self._queue.put_nowait(request)
        return request.future

    async def close(self) -> None:
        """Finish what was asked and stop."""
        self._closed = True
        self._queue.put_nowait(None)
        await self._task
        await self._disconnect()

    async def reload(self, db: Connection) -> None:
        """Read the declarations."""
        self.tables, self._version = await records.load(db)

    async def _serve(self) -> None:
        more = True
        while more:
            requests, more = await drain(self._queue, LARGEST_BATCH)
            await self._commit(requests)
            self._settle(requests)

    def _settle(self, requests: Sequence[Request]) -> None:
        self._wake([request.run_id for request in requests if request.run_id and request.error is None])
        for request in requests:
            if request.future.done():
                continue
            if request.error is not None:
                request.future.set_exception(request.error)
            else:
                request.future.set_result(request.result)

    async def _commit(self, requests: Sequence[Request]) -> None:
        """Commit the requests together; what fails the transaction is tried again, and then one by one."""
        failure: BaseException = StoreError("the database was too busy", code="E804")
        for _ in range(ATTEMPTS if requests else 0):
            for request in requests:
                request.error = None
            try:
                await self._attempt(requests)
                return
            except (*failures.AGAIN, Stale) as error:
                failure = error
                await self._rollback()
            except CommitUnknownError as error:
                await self._disconnect()
                _fail(requests, error)
                return
            except Exception as error:
                failure = error
                if not failures.is_lost(error):
                    await self._rollback()
                    break
                # Nothing was asked to be committed yet, so a new connection may simply try again.
                await self._disconnect()
        await self._one_by_one(requests, failure)

    async def _one_by_one(self, requests: Sequence[Request], failure: BaseException) -> None:
        if len(requests) > 1 and not failures.is_lost(failure):
            for request in requests:
                await self._commit([request])
        elif requests:
            _fail(requests, failures.remit_error(failure))

    async def _attempt(self, requests: Sequence[Request]) -> None:
        if self._db is None or self._db.closed:
            self._db = await self._connect()
        db = self._db
        if self._version < 0 or deciding.unknown_collections(requests, self.tables):
            await self.reload(db)
        batch = await self._read(db, requests)
        for request in requests:
            batch.take(request)
        if all(request.error is not None for request in requests):
            await self._rollback()
            return
        sent = False
        try:
            async with db.pipeline() as pipeline:
                await self._write(db, batch)
                sent = True
                # An error of any statement before it turns this COMMIT into a rollback.
                await db.execute("COMMIT")
                await pipeline.sync()
        except (psycopg.Error, OSError) as error:
            if sent and failures.is_lost(error):
                raise CommitUnknownError(
                    "the connection to the database was lost during a commit",
                    help="read the run again before going on",
                ) from error
            raise

    async def _read(self, db: Connection, requests: Sequence[Request]) -> Batch:
        """First trip: lock and read. The version is read last, under the locks that keep declarations out."""
        runs = deciding.concerned_runs(requests)
        signals = deciding.concerned_signals(requests)
        slots = deciding.concerned_slots(requests, self.tables)
        relaxed = self._relaxed and not any(request.durable for request in requests)
        documents = {}
        async with db.pipeline():
            await db.execute("BEGIN")
            if relaxed:
                await db.execute("SET LOCAL synchronous_commit = off")
            heads = await db.execute(_LOCK_RUNS, (runs,), binary=True)
            known = await db.execute(_SIGNALS, _columns(signals, 2)) if signals else None
            for name, keys in slots.items():
                table = self.tables[name]
                rows = [table.key(key) for key in keys]
                documents[name] = await db.execute(table.lock, _columns(rows, len(table.collection.key)))
            version = await db.execute(_VERSION) if slots else None
        if version is not None and (await version.fetchone())[0] != self._version:  # type: ignore[index]
            self._version = -1
            raise Stale
        batch = Batch(
            tables=self.tables,
            runs={row[0]: Run(*row[1:]) for row in await heads.fetchall()},
            signals={(row[0], row[1]): row[2] for row in (await known.fetchall() if known else [])},
            documents={},
            stored=set(),
        )
        for name, cursor in documents.items():
            collection = self.tables[name].collection
            for *_, document in await cursor.fetchall():
                slot = (name, items.key_of(collection, items.parse(document)))
                batch.documents[slot] = document.encode()
                batch.stored.add(slot)
        return batch

    async def _write(self, db: Connection, batch: Batch) -> None:
        """Second trip: every change of the batch."""
        new = [run.created for run in batch.runs.values() if run.created]
        for request in new:
            await db.execute(_INSERT_RUNS, _run_row(request, batch.runs[request.run_id]))
        old = [
            (run_id, run.seq, run.hash, run.status, run.wake_ts, run.inbox)
            for run_id, run in sorted(batch.runs.items())
            if run.changed and not run.created
        ]
        events = [(run_id, entry.seq, entry.hash, entry.body) for run_id, entry in batch.events]
        signals = [(signal.run_id, signal.signal_id, signal.body) for signal in batch.delivered]
        contents = sorted(batch.contents.values())
        for statement, rows, width in (
            (_UPDATE_RUNS, old, 6),
            (_INSERT_EVENTS, events, 4),
            (_INSERT_CONTENTS, contents, 3),
            (_INSERT_SIGNALS, signals, 3),
            (_CONSUME, batch.consumed, 2),
        ):
            if rows:
                await db.execute(statement, _columns(rows, width))
        for slot in sorted(batch.touched, key=lambda slot: (slot[0], self.tables[slot[0]].key(slot[1]))):
            await self._write_item(db, batch, slot)
        for payload in _payloads({run_id for run_id, _ in batch.events}):
            await db.execute("SELECT pg_notify(%s, %s)", (self._channel, payload))

    async def _write_item(self, db: Connection, batch: Batch, slot: Slot) -> None:
        name, key = slot
        table = self.tables[name]
        document = batch.documents[slot]
        if document is None:
            await db.execute(table.delete, table.key(key))
        else:
            # An item that was not there could not be locked: a plain INSERT finds out who was first.
            statement = table.upsert if slot in batch.stored else table.insert
            await db.execute(statement, table.row(key, document))

    async def _rollback(self) -> None:
        if self._db is not None:
            try:
                await self._db.rollback()
                # `rollback` does nothing unless psycopg knows of the transaction.
                if self._db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                    await self._db.execute("ROLLBACK")
            except (psycopg.Error, OSError):
                await self._disconnect()

    async def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            await db.close()


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as one array a column."""
    return [[row[place] for row in rows] for place in range(width)]


def _run_row(request: Request, run: Run) -> tuple[Any, ...]:
    assert request.who is not None
    return (
        request.run_id,
        *request.who,
        run.status,
        run.seq,
        run.hash,
        run.wake_ts,
        run.inbox,
        request.now,
    )


def _payloads(run_ids: Iterable[str]) -> list[str]:
    """Run ids, as few notifications as PostgreSQL's limit of 8000 bytes allows; one too long is left to the poll."""
    payloads: list[str] = []
    for run_id in sorted(run_ids):
        if payloads and len(payloads[-1].encode()) + len(run_id.encode()) < PAYLOAD:
            payloads[-1] += f"\n{run_id}"
        elif len(run_id.encode()) < PAYLOAD:
            payloads.append(run_id)
    return payloads


def _fail(requests: Iterable[Request], error: Any) -> None:
    for request in requests:
        if request.error is None:
            request.error = type(error)(error.message, code=error.code, help=error.help)
