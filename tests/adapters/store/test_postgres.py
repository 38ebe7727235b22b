"""PostgreSQL keeps the contract."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio

from remit.adapters.store.postgres import PostgresStore
from remit.ports.store import Store
from remit.testing.contracts.store import StoreContract

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        not DSN and os.environ.get("CI") != "true",
        reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with",
    ),
]


def shift(schema: str, ms: int) -> None:
    """Let the database's time pass for one store: everything that lies ahead comes nearer."""
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(
            f"UPDATE {schema}.runs SET lease_until = lease_until - %s, wake_ts = wake_ts - %s", (ms, ms)
        )


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
