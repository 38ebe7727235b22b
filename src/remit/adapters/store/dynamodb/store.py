"""The `Store` port on DynamoDB."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from remit.adapters.store import items
from remit.adapters.store.dynamodb import due, journal, schema
from remit.adapters.store.dynamodb.bodies import Bodies, packed
from remit.adapters.store.dynamodb.calls import Calls
from remit.adapters.store.dynamodb.commits import Commits
from remit.adapters.store.dynamodb.heads import Head
from remit.adapters.store.dynamodb.making import Maker
from remit.adapters.store.dynamodb.queries import Queries
from remit.adapters.store.dynamodb.reading import pages
from remit.adapters.store.dynamodb.records import Table, document
from remit.adapters.store.dynamodb.staging import Names, Request
from remit.adapters.store.dynamodb.values import Attributes, Value, number, read, text
from remit.adapters.store.paging import plan
from remit.adapters.store.waiters import Waiters
from remit.ports.blobs import Blobs
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

FIRST_POLL_S, LONGEST_POLL_S = 0.05, 0.5


class DynamoStore:
    """A `Store` in the tables of one deployment, `PREFIX-run_head` and so on; without a prefix they have bare names.

    `clients("dynamodb", ...)` gives a boto3 client. `create=False`: tables and indexes are the deployment's, and `declare`
    makes none. `blobs`: where bodies over 350 KB go; without it they are split. Leases go by `clock`, so the clocks of
    workers must agree within a fraction of a lease.
    """

    def __init__(
        self,
        clock: Clock,
        clients: Callable[..., Any],
        *,
        prefix: str = "",
        create: bool = True,
        blobs: Blobs | None = None,
    ) -> None:
        self._clock = clock
        self._prefix = prefix
        self._create = create
        self._definitions = {each.collection: each for each in schema.journal_tables(prefix)}
        self._names = Names(*(each.name for each in self._definitions.values()))
        self._tables: dict[str, Table] = {}
        self._declared: dict[str, Collection] = {}
        self._waiters = Waiters()
        self._calls = Calls(clients)
        self._bodies = Bodies(self._calls, self._names.content, blobs)
        self._commits = Commits(self._calls, self._bodies, self._names, self._tables, clock)
        self._queries = Queries(self._calls, self._bodies)

    async def open(self) -> None:
        """Connect, and make the journal's tables if this store makes tables."""
        self._calls.open()
        if self._create:
            await self._maker().journal(self._definitions.values())

    async def close(self) -> None:
        """Finish what is queued and let go."""
        self._calls.close()

    async def ping(self) -> None:
        """Raise StoreError unless a write would be accepted now."""
        item = {"digest": text("ping"), "at": number(self._clock.now())}
        await self._calls("put_item", {"TableName": self._names.content, "Item": item})

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`, as DynamoDB last counted them (about every six hours)."""
        records = [table.name for table in self._tables.values()]
        counted = await asyncio.gather(
            *(self._size(name) for name in (self._names.journal, self._names.content, *records))
        )
        return {"events": counted[0], "contents": counted[1], "records": sum(counted[2:])}

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
            entries,
            contents,
            run_id=run_id,
            who=(tenant_id, root_run, agent),
            now=now,
            writes=writes,
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
        """Append entries after `seq` under `epoch`; returns how many signals wait. Every commit is durable."""
        items.check_sequence(entries, seq + 1)
        return await self._submit(
            entries,
            contents,
            run_id=run_id,
            seq=seq,
            epoch=epoch,
            writes=writes,
            consumed=consumed,
            status=status,
            wake_ts=wake_ts,
        )

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order."""
        found: list[Entry] = []
        given = {
            "TableName": self._names.journal,
            "KeyConditionExpression": "run_id = :r AND seq > :s",
            "ExpressionAttributeValues": {":r": text(run_id), ":s": number(after)},
            "ConsistentRead": True,
            "Limit": max(1, min(limit, 1000)),
        }
        async for page in pages(self._calls, "query", given):
            for item in page:
                found += [entry for entry in await self.entries_of(item) if entry.seq > after]
                if len(found) >= limit:
                    return found[:limit]
        return found

    async def entries_of(self, item: Mapping[str, Value]) -> list[Entry]:
        """The entries of an item of the journal's table, or of its image in a record of the table's stream."""
        return journal.unpacked(journal.first_of(item), await self._bodies.of(item))

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""
        return await self._bodies.read(digests) if digests else {}

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""
        head = await self._commits.head(run_id)
        return head.run if head else None

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run unless somebody else holds it or it ended."""
        now, lapsed = self._clock.now(), False

        def take(head: Head) -> Head | None:
            nonlocal lapsed
            run = head.run
            if run.status == "ended" or (run.lease_until > now and run.owner != worker):
                return None
            lapsed = run.owner not in ("", worker)
            taken = replace(run, epoch=run.epoch + 1, owner=worker, lease_until=now + ttl_ms)
            return replace(head, run=taken)

        head = await self._commits.rewrite(run_id, take)
        return Lease(run_id, worker, head.run.epoch, head.run.lease_until, lapsed) if head else None

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""
        until = self._clock.now() + ttl_ms
        held = functools.partial(_held, lease, owner=lease.worker, until=until)
        head = await self._commits.rewrite(lease.run_id, held)
        return replace(lease, until=until) if head else None

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""
        await self._commits.rewrite(lease.run_id, functools.partial(_held, lease, owner="", until=0))

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""
        head = await self._commits.head(run_id)
        if head is None or not head.run.inbox:
            return []
        given = {
            "TableName": self._names.signal,
            "IndexName": schema.BY_NUMBER,
            "KeyConditionExpression": "run_id = :r AND #n > :n",
            "ExpressionAttributeNames": {"#n": "number"},
            "ExpressionAttributeValues": {":r": text(run_id), ":n": number(head.low)},
            "ConsistentRead": True,
        }
        found: list[Attributes] = []
        async for page in pages(self._calls, "query", given):
            found += [item for item in page if head.waits(read(item["number"]))]
        self._commits.numbered(run_id, {read(item["signal_id"]): read(item["number"]) for item in found})
        bodies = await asyncio.gather(*(self._bodies.of(item) for item in found))
        ids = [str(read(item["signal_id"])) for item in found]
        return [Signal(run_id, signal_id, body) for signal_id, body in zip(ids, bodies, strict=True)]

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first.

        The index follows a write within about a second, so a run may be missing or be there too long: whoever takes it
        from here leases it first.
        """
        return await due.due(
            self._calls,
            self._names.head,
            now=self._clock.now(),
            limit=limit,
            tenant_id=tenant_id,
            root_run=root_run,
        )

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`. Looks often at first, then twice a second."""
        now = asyncio.get_running_loop().time
        deadline = now() + timeout_s
        pause = FIRST_POLL_S
        with self._waiters.of(run_id) as woken:
            while not await self._is_past(run_id, after):
                left = deadline - now()
                if left <= 0 or woken.done():
                    return False
                await asyncio.wait([woken], timeout=min(pause, left))
                pause = min(LONGEST_POLL_S, pause * 1.5)
        return True

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Make the collections and indexes exist; with `create=False` only remember what is asked of them."""
        after = {each.name: items.merged(self._declared.get(each.name), each) for each in collections}
        new = [each for each in after.values() if self._declared.get(each.name) != each]
        if not new:
            return
        tables = (
            await self._maker().records(new) if self._create else [Table(each, self._prefix) for each in new]
        )
        for collection, table in zip(new, tables, strict=True):
            self._declared[collection.name] = collection
            self._tables[collection.name] = table

    async def fill(self) -> int:
        """Write what the declared indexes need into items that older programs wrote; how many lacked some."""
        return sum([await self._maker().fill(table) for table in self._tables.values()])

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""
        table = self._table(collection)
        wanted = table.key(items.given_key(table.collection, key))
        given = {"TableName": table.name, "Key": wanted, "ConsistentRead": True}
        found = (await self._calls("get_item", given)).get("Item")
        return items.parse((await document(self._bodies, found)).data) if found else None

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
        """Items of an index, paged. What is returned is as it is now; an index may not yet know of the latest items."""
        table = self._table(collection)
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
        return wanted.page(await self._queries.answer(table, index, wanted))

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none."""
        await self._submit((), {}, writes=writes)

    async def _submit(self, entries: Sequence[Entry], contents: Mapping[str, bytes], **given: Any) -> int:
        bodies, packs = await self._calls.work(lambda: (packed(contents), journal.packs(entries)))
        end = (entries[-1].seq, entries[-1].hash) if entries else None
        waiting = await self._commits.submit(Request(packs=packs, contents=bodies, end=end, **given))
        if entries:
            self._waiters.wake([given["run_id"]])
        return waiting

    async def _is_past(self, run_id: str, after: int) -> bool:
        given = {
            "TableName": self._names.head,
            "Key": {"run_id": text(run_id)},
            "ProjectionExpression": "seq",
            "ConsistentRead": True,
        }
        found = (await self._calls("get_item", given)).get("Item")
        return found is not None and int(read(found["seq"])) > after

    async def _size(self, name: str) -> int:
        answer = await self._calls("describe_table", {"TableName": name})
        return int(answer["Table"].get("TableSizeBytes", 0))

    def _maker(self) -> Maker:
        return Maker(self._calls, self._bodies, self._prefix)

    def _table(self, collection: str) -> Table:
        if collection not in self._tables:
            raise items.undeclared(collection)
        return self._tables[collection]


def _held(lease: Lease, head: Head, *, owner: str, until: int) -> Head | None:
    """The head under another end of this lease; None when the lease is no more."""
    if (head.run.epoch, head.run.owner) != (lease.epoch, lease.worker):
        return None
    return replace(head, run=replace(head.run, owner=owner, lease_until=until))
