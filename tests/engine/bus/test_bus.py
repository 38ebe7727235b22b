"""The bus on every store: the port's contract."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.postgres import PostgresStore
from remit.adapters.store.sqlite import SqliteStore
from remit.engine.bus.local import LocalBus
from remit.engine.bus.records import COLLECTIONS
from remit.ports.clock import Clock
from remit.ports.store import Store
from remit.testing import FakeClock
from remit.testing.contracts.bus import BusContract, BusWorld

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
COUNT = itertools.count()


class Contract(BusContract):
    """The contract over one kind of store."""

    async def store(self, clock: Clock, tmp_path: Path) -> Store:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def world(self, tmp_path: Path) -> AsyncIterator[BusWorld]:
        clock = FakeClock()
        store = await self.store(clock, tmp_path)
        await store.open()
        await store.declare(COLLECTIONS)

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)

        async def another() -> Any:
            bus = LocalBus(store, clock, owner=f"other{next(COUNT)}")
            return bus, bus.drain

        bus = LocalBus(store, clock, owner="here")
        yield BusWorld(bus, bus.drain, pass_time, another)
        await store.close()


class TestMemory(Contract):
    """In memory."""

    async def store(self, clock: Clock, tmp_path: Path) -> Store:
        return MemoryStore(clock)


class TestSqlite(Contract):
    """In a file."""

    async def store(self, clock: Clock, tmp_path: Path) -> Store:
        return SqliteStore(tmp_path / "bus.db", clock)


@pytest.mark.service
@pytest.mark.skipif(not DSN, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with")
class TestPostgres(Contract):
    """In PostgreSQL, a schema for each test."""

    async def store(self, clock: Clock, tmp_path: Path) -> Store:
        return PostgresStore(DSN, clock, schema=f"bus_{secrets.token_hex(6)}")
