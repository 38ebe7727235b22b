"""PostgreSQL keeps the contract."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("psycopg_pool", reason='the extra "remit[postgres]" is not installed')

import psycopg
import pytest_asyncio

from remit.adapters.store.postgres import PostgresStore, schema
from remit.core import codec
from remit.core.errors import (
    CommitUnknownError,
    ConditionError,
    ConfigError,
    ConflictError,
    RunExistsError,
    StoreError,
)
from remit.ports.store import ABSENT, Add, Collection, Put, Signal, Store
from remit.testing.contracts.store import ENVELOPES, ITEMS, HandClock, StoreContract, entries, item

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        not DSN and os.environ.get("CI") != "true",
        reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with",
    ),
]


def shift(name: str, ms: int) -> None:
    """Let the database's time pass for one store: everything that lies ahead comes nearer."""
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"UPDATE {name}.runs SET lease_until = lease_until - %s, wake_ts = wake_ts - %s", (ms, ms))


class TestPostgresStore(StoreContract):
    """The contract, on PostgreSQL, each test in a schema of its own."""

    @pytest_asyncio.fixture(params=["durable", "relaxed"])
    async def store(self, request: pytest.FixtureRequest) -> AsyncIterator[PostgresStore]:
        assert DSN, "REMIT_TEST_POSTGRES must be set in CI"
        self.schema = f"test_{secrets.token_hex(6)}"
        store = PostgresStore(DSN, self.clock, schema=self.schema, durability=request.param)
        await store.open()
        yield store
        await store.close()
        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {self.schema} CASCADE")

    async def now(self, store: Store) -> int:
        with psycopg.connect(DSN) as db:
            row = db.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
        assert row
        return int(row[0])

    async def pass_time(self, store: Store, ms: int) -> None:
        shift(self.schema, ms)


@pytest_asyncio.fixture
async def stores() -> AsyncIterator[tuple[PostgresStore, PostgresStore]]:
    """Two processes' stores (here in one process) on one schema, with the run `r`."""
    assert DSN, "REMIT_TEST_POSTGRES must be set in CI"
    name = f"test_{secrets.token_hex(6)}"
    one, two = (PostgresStore(DSN, HandClock(), schema=name, timeout_s=5) for _ in range(2))
    await one.open()
    await two.open()
    await start(one, "r")
    yield one, two
    await one.close()
    await two.close()
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"DROP SCHEMA {name} CASCADE")


async def start(store: PostgresStore, run_id: str) -> None:
    await store.create(run_id, tenant_id="t", root_run=run_id, agent="a", entries=entries(run_id, 1), now=1)


async def go_on(store: PostgresStore, run_id: str = "r", **more: Any) -> int:
    """Append an entry, and return its seq."""
    head = await store.head(run_id)
    assert head
    fresh = entries(run_id, 1, first=head.seq + 1, previous=head.hash)
    await store.append(run_id, seq=head.seq, epoch=head.epoch, entries=fresh, **more)
    return head.seq + 1


async def check_chain(store: PostgresStore, run_id: str) -> int:
    """The last seq of a run whose chain is whole."""
    link = codec.genesis(run_id)
    stored = await store.read(run_id, limit=100_000)
    for place, entry in enumerate(stored):
        link = codec.link(link, entry.body)
        assert (entry.seq, entry.hash) == (place, link)
    return len(stored) - 1


def terminate(name: str) -> None:
    """Cut every connection of the stores of one schema."""
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND application_name = %s",
            (f"remit-{name}",),
        )


async def test_processes_race(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """Between two processes, too: one creates, one puts what was absent, nobody overspends, nobody locks up."""
    one, two = stores
    for store in stores:
        await store.declare([ITEMS, ENVELOPES])
    await one.transact([Put(ENVELOPES.name, {"envelope_id": "e", "left": 40})])
    reserve = Add(ENVELOPES.name, ("e",), {"left": -1}, floor={"left": 0})
    calls: list[Awaitable[object]] = []
    for n in range(40):
        for store in stores:
            calls.append(start(store, f"run{n}"))
            calls.append(store.transact([Put(ITEMS.name, item(n), expect=ABSENT), Signal("r", f"s{n}", b"")]))
            calls.append(store.transact([Put(ITEMS.name, item(100 + n))]))
            calls.append(store.transact([reserve, Put(ITEMS.name, item(200, by=n))]))
    results = await asyncio.gather(*calls, return_exceptions=True)
    strange = [each for each in results if each is not None and not isinstance(each, ConflictError)]
    assert strange == []
    assert sum(isinstance(each, RunExistsError) for each in results) == 40
    assert sum(isinstance(each, ConditionError) for each in results) == 40 + 40
    assert await two.get(ENVELOPES.name, ("e",)) == {"envelope_id": "e", "left": 0}
    assert len(await two.inbox("r")) == 40


async def test_cut_connections_lose_nothing(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """While connections are cut, an append is done, not done, or said to be unknown; and then work goes on."""
    one, two = stores
    counts = {"done": 0, "unknown": 0, "failed": 0}
    stop = asyncio.Event()

    async def cut() -> None:
        while not stop.is_set():
            await asyncio.to_thread(terminate, one._schema)

    cutting = asyncio.ensure_future(cut())
    acknowledged = 0
    for _ in range(150):
        try:
            acknowledged = await go_on(one)
            counts["done"] += 1
        except CommitUnknownError:
            counts["unknown"] += 1
        except StoreError:
            counts["failed"] += 1
    stop.set()
    await cutting
    last = await check_chain(two, "r")
    assert last >= acknowledged
    assert counts["done"] <= last <= counts["done"] + counts["unknown"]
    assert await go_on(one) == last + 1


async def test_another_process_wakes_a_waiter(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """`changed` sees what another process appends, long before its time is up."""
    one, two = stores

    async def wait() -> bool:
        while not await two.changed("r", after=0, timeout_s=30):
            pass
        return True

    waiting = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    await go_on(one)
    assert await asyncio.wait_for(waiting, 20)


async def test_an_older_program_fills_a_newer_index(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """During an upgrade, items written by a process that knows the older declaration are in the new index."""
    older, newer = stores
    await older.declare([Collection(name=ITEMS.name, key=ITEMS.key)])
    await older.transact([Put(ITEMS.name, item(1))])
    await newer.declare([ITEMS])
    await older.transact([Put(ITEMS.name, item(2))])
    found = await newer.query(ITEMS.name, "status", ("t", "open"))
    assert found.items == [item(1), item(2)]


async def test_a_newer_schema_is_refused(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """A database that a newer Remit wrote is left alone."""
    name = stores[0]._schema
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"INSERT INTO {name}.schema_version VALUES (99)")
    with pytest.raises(ConfigError) as refusal:
        await PostgresStore(DSN, HandClock(), schema=name).open()
    assert refusal.value.code == "E211"


def schema_of(name: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(DSN) as db:
        query = "SELECT indexname, replace(indexdef, %s, '') FROM pg_indexes WHERE schemaname = %s ORDER BY 1"
        return db.execute(query, (f"{name}.", name)).fetchall()


async def test_an_old_database_is_migrated(stores: tuple[PostgresStore, PostgresStore]) -> None:
    """A database of schema 1 gets what later steps add, and ends with the schema of a new one."""
    old = f"{stores[0]._schema}_old"
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {old}")
        db.execute(f"SET search_path = {old}")
        db.execute(schema.MIGRATIONS[0])
        db.execute("CREATE TABLE schema_version (version integer NOT NULL)")
        db.execute("INSERT INTO schema_version VALUES (1)")
    migrated = PostgresStore(DSN, HandClock(), schema=old)
    await migrated.open()
    await start(migrated, "r")
    await migrated.close()
    assert schema_of(old) == schema_of(stores[0]._schema)
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"DROP SCHEMA {old} CASCADE")


async def test_nobody_there() -> None:
    """A server that cannot be reached is a StoreError."""
    store = PostgresStore("postgresql://nobody@127.0.0.1:1/none", HandClock(), timeout_s=1)
    with pytest.raises(StoreError):
        await store.open()
    with pytest.raises(StoreError) as refusal:
        await store.head("r")
    assert refusal.value.code == "E806"
