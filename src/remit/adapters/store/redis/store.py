"""The `Store` port on Redis."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from remit.adapters.store import items
from remit.adapters.store.packing import Packed, digest_key, pack, unpack
from remit.adapters.store.paging import plan
from remit.adapters.store.redis import failures, scripts
from remit.adapters.store.redis.commits import GroupCommit, Request, unpacked
from remit.adapters.store.redis.declarations import REVISION, Declarations
from remit.adapters.store.redis.places import Table, place
from remit.adapters.store.redis.server import Durability, Server
from remit.adapters.store.waiters import Waiters
from remit.core.errors import ConfigError, StoreError
from remit.ports.store import Collection, Entry, Lease, Page, RunHead, Signal, Status, Write

POLL_S = 1.0
LARGE = 8 * 1024
SCHEMA = 1
"""Layout of the keys; a newer Remit that changes it counts on."""


class RedisStore:
    """A `Store` in the database at `url` of one Redis server, under keys that start with `prefix`.

    `durability`: `durable` refuses a server that acknowledges before it is on disk; `stated` takes the operator's word
    for it, where CONFIG is forbidden; `relaxed` accepts that the last moments are lost when the server fails.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "remit",
        durability: Durability = "durable",
        ca_file: str = "",
        pool_size: int = 16,
        timeout_s: float = 10.0,
    ) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", prefix):
            raise ConfigError(
                f"`{prefix}` cannot start the keys of a store",
                code="E212",
                help="use a small letter, then up to 40 small letters, digits, `_` and `-`",
            )
        self._server = Server(url, timeout_s=timeout_s, durability=durability, ca_file=ca_file)
        self._prefix = prefix
        self._pool_size = pool_size
        self._timeout_s = timeout_s
        # Messages are heard in every database of a server, keys are not.
        self._channel = f"{prefix}:news"
        self._waiters = Waiters()
        self._client: Any = None
        self._commits: GroupCommit | None = None
        self._declarations = Declarations(prefix)
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and see that the server keeps what it takes. Raises ConfigError where it does not, or for a newer schema."""
        if self._client is not None:
            return
        connection = await self._server.connect()
        pool = BlockingConnectionPool(
            connection_class=self._server.kind,
            max_connections=self._pool_size,
            timeout=self._timeout_s,
            # After a restart of the server every pooled connection is dead.
            retry=Retry(NoBackoff(), 1, supported_errors=(exceptions.ConnectionError,)),
            **self._server.arguments,
        )
        client = Redis(connection_pool=pool)
        try:
            await self._check_schema(client)
        except BaseException:
            await client.aclose()
            await pool.aclose()
            await connection.disconnect(nowait=True)
            raise
        self._client = client
        self._commits = GroupCommit(
            self._server,
            connection,
            self._declarations,
            prefix=self._prefix,
            timeout_s=self._timeout_s,
            wake=self._waiters.wake,
        )

    async def close(self) -> None:
        """Finish what is queued and let go."""
        commits, self._commits = self._commits, None
        client, self._client = self._client, None
        listener, self._listener = self._listener, None
        while listener is not None and not listener.done():
            # Up to Python 3.11 `wait_for`, which the client uses, may swallow a cancellation.
            listener.cancel()
            await asyncio.wait([listener], timeout=0.05)
        if commits is not None:
            await commits.close()
        if client is not None:
            await client.aclose()
            await client.connection_pool.aclose()

    async def ping(self) -> None:
        """Raise StoreError unless a write would be accepted now."""
        await self._ask("INCR", f"{self._prefix}:pings")

    async def sizes(self) -> dict[str, int]:
        """Bytes stored: `events`, `contents`, `records`."""
        names = ("events", "contents", "records")
        found = await self._ask("HMGET", f"{self._prefix}:sizes", *names)
        return {name: int(bytes_ or 0) for name, bytes_ in zip(names, found, strict=True)}

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
        """Append entries after `seq` under `epoch`; returns how many signals wait. Durable, asked or not."""
        del durable
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
        )

    async def read(self, run_id: str, *, after: int = -1, limit: int = 1000) -> list[Entry]:
        """Entries with seq > `after`, in order."""
        first = max(after + 1, 0)
        if limit < 1:
            return []
        rows = await self._ask("LRANGE", f"{self._prefix}:log:{run_id}", first, first + limit - 1)
        return [unpacked(seq, row) for seq, row in enumerate(rows, first)]

    async def contents(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The stored contents that exist among `digests`."""
        if not digests:
            return {}
        rows = await self._ask("MGET", *map(self._content, digests))
        found = zip(digests, rows, strict=True)
        return {digest: unpack(row[:1] == b"1", row[1:]) for digest, row in found if row is not None}

    async def head(self, run_id: str) -> RunHead | None:
        """Where the run stands, or None."""
        found = await self._ask("HGETALL", f"{self._prefix}:run:{run_id}")
        return _head(run_id, found) if found else None

    async def lease(self, run_id: str, worker: str, *, ttl_ms: int) -> Lease | None:
        """Take the run unless somebody else holds it or it ended."""
        found = await self._script("lease", verb="take", run=run_id, worker=worker, ttl=ttl_ms)
        if not found:
            return None
        epoch, until, lapsed = map(int, found)
        return Lease(run_id, worker, epoch, until, bool(lapsed))

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Hold on; None when the epoch has moved on."""
        found = await self._script("lease", verb="renew", ttl=ttl_ms, **_held(lease))
        return replace(lease, until=int(found[1])) if found else None

    async def release(self, lease: Lease) -> None:
        """Give the run back; harmless when the epoch has moved on."""
        await self._script("lease", verb="release", **_held(lease))

    async def inbox(self, run_id: str) -> list[Signal]:
        """Signals that wait, oldest first."""
        ids = await self._ask("ZRANGE", f"{self._prefix}:inbox:{run_id}", 0, -1)
        if not ids:
            return []
        bodies = await self._ask("HMGET", f"{self._prefix}:signals:{run_id}", *ids)
        # One that was consumed in between has no body any more.
        return [
            Signal(run_id, each.decode(), body[1:]) for each, body in zip(ids, bodies, strict=True) if body
        ]

    async def due(
        self, *, limit: int, tenant_id: str | None = None, root_run: str | None = None
    ) -> list[str]:
        """Runs to advance now; tenants take turns, and within a tenant the oldest run goes first."""
        wanted = {"tenant": tenant_id, "root": root_run}
        given = {name: value for name, value in wanted.items() if value is not None}
        found = await self._script("due", limit=limit, **given)
        return [run_id.decode() for run_id in found]

    async def changed(self, run_id: str, *, after: int, timeout_s: float) -> bool:
        """Wait until the run has an entry after seq `after`, or `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="remit-redis-listener")
        with self._waiters.of(run_id) as woken:
            while not await self._is_past(run_id, after):
                left = deadline - time.monotonic()
                if left <= 0 or woken.done():
                    return False
                # A message may be lost with its connection, so look now and then all the same.
                await asyncio.wait([woken], timeout=min(POLL_S, left))
        return True

    async def declare(self, collections: Sequence[Collection]) -> None:
        """Make the collections and indexes exist."""
        await self._declarations.declare(self._ask, collections)

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        """The item with this key, or None."""
        table = await self._table(collection)
        wanted = place(items.given_key(table.collection, key))
        found = await self._ask("HGET", f"{self._prefix}:doc:{collection}", wanted)
        return None if found is None else items.parse(found[REVISION:])

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
        while True:
            table = await self._table(collection, index)
            version = self._declarations.version
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
            word, *found = await self._script("query", version=version, **table.question(index, wanted))
            if word == b"found":
                return wanted.page([items.parse(document) for document in found])
            if word != b"redeclared":
                raise failures.damaged(f"index `{index}` of `{collection}`")
            await self._declarations.load(self._ask)

    async def transact(self, writes: Sequence[Write]) -> None:
        """All the writes or none."""
        await self._submit(writes=writes)

    async def _ask(self, *command: Any) -> Any:
        """The answer to a command that may be sent twice without harm."""
        if self._client is None:
            raise StoreError("the store is not open", code="E806")
        try:
            return await self._client.execute_command(*command)
        except failures.FAILURES as error:
            raise failures.remit_error(error) from error

    async def _script(self, name: str, **given: Any) -> Any:
        if self._client is None:
            raise StoreError("the store is not open", code="E806")
        command = scripts.call(name, self._prefix, given)
        try:
            try:
                return await self._client.execute_command(*command)
            except exceptions.NoScriptError:
                await self._client.script_load(scripts.SOURCES[name])
                return await self._client.execute_command(*command)
        except failures.FAILURES as error:
            raise failures.remit_error(error) from error

    async def _submit(self, **given: Any) -> int:
        if self._commits is None:
            raise StoreError("the store is not open", code="E806")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        return await self._commits.submit(Request(future=future, **given))

    async def _check_schema(self, client: Any) -> None:
        try:
            await client.set(f"{self._prefix}:schema", SCHEMA, nx=True)
            version = int(await client.get(f"{self._prefix}:schema"))
        except failures.FAILURES as error:
            raise failures.remit_error(error) from error
        if version > SCHEMA:
            raise ConfigError(
                f"the keys under `{self._prefix}` have schema {version}, and this Remit knows up to {SCHEMA}",
                code="E211",
                help="upgrade remit, or restore the backup made before the upgrade",
            )

    def _content(self, digest: str) -> bytes:
        return f"{self._prefix}:content:".encode() + digest_key(digest)

    async def _pack(self, contents: Mapping[str, bytes]) -> Sequence[Packed]:
        """Values for the contents; many bytes are compressed on a thread, and only those that are not there yet."""
        if sum(map(len, contents.values())) < LARGE:
            return pack(contents)
        names = list(contents)
        lengths = await asyncio.gather(*(self._ask("EXISTS", self._content(name)) for name in names))
        new = {name: contents[name] for name, there in zip(names, lengths, strict=True) if not there}
        return await asyncio.to_thread(pack, new) if new else ()

    async def _table(self, name: str, index: str = "") -> Table:
        """A collection (with an index), declared here or by another process."""
        found = self._declarations.tables.get(name)
        if found is None or index not in found.indexes:
            await self._declarations.load(self._ask)
            found = self._declarations.tables.get(name)
        if found is None:
            raise items.undeclared(name)
        return found

    async def _is_past(self, run_id: str, after: int) -> bool:
        seq = await self._ask("HGET", f"{self._prefix}:run:{run_id}", "seq")
        return seq is not None and int(seq) > after

    async def _listen(self) -> None:
        """Pass on messages, for ever; while Redis is away the poll has to do."""
        while self._client is not None:
            with contextlib.suppress(*failures.FAILURES):
                async with self._client.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(self._channel)
                    # Whatever was said before this moment went unheard.
                    self._waiters.wake(self._waiters.runs())
                    async for message in heard.listen():
                        self._waiters.wake([message["data"].decode()])
            await asyncio.sleep(POLL_S)


def _head(run_id: str, found: Mapping[bytes, bytes]) -> RunHead:
    text = {name.decode(): value.decode() for name, value in found.items() if name != b"hash"}
    status: Any = text["status"]
    return RunHead(
        run_id=run_id,
        tenant_id=text["tenant"],
        root_run=text["root"],
        agent=text["agent"],
        status=status,
        seq=int(text["seq"]),
        hash=found[b"hash"],
        epoch=int(text["epoch"]),
        owner=text["owner"],
        lease_until=int(text["lease"]),
        wake_ts=int(text["wake"]) if text["wake"] else None,
        inbox=int(text["inbox"]),
        created_ts=int(text["created"]),
    )


def _held(lease: Lease) -> dict[str, str]:
    return {"run": lease.run_id, "worker": lease.worker, "epoch": str(lease.epoch)}
