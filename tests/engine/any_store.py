"""A store of each kind, by a clock that stands still, for tests of what is kept in records."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.store import dynamo_world, redis_world
from tests.engine.registry_stores import open_store

from remit.ports.store import Store
from remit.testing import FakeClock

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
SERVICE, NIGHTLY = pytest.mark.service, pytest.mark.nightly


@pytest.fixture
def clock() -> FakeClock:
    """The time of the store and of the app."""
    return FakeClock()


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("postgres", marks=SERVICE),
        pytest.param("redis", marks=SERVICE),
        # The contract of stores is shown on DynamoDB with every commit; its tables take long to make.
        pytest.param("dynamodb", marks=[SERVICE, NIGHTLY]),
    ]
)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    """Each kind of store."""
    async for opened in _opened(request.param, tmp_path, clock):
        yield opened


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        *(pytest.param(n, marks=[SERVICE, NIGHTLY]) for n in ("postgres", "redis", "dynamodb")),
    ]
)
async def local_store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Store]:
    """Those that need no service; each kind at night. For tests of what is built on records that `store` has shown."""
    async for opened in _opened(request.param, tmp_path, clock):
        yield opened


async def _opened(kind: str, folder: Path, clock: FakeClock) -> AsyncIterator[Store]:
    if kind == "dynamodb":
        async with dynamo_world.opened(clock, dynamo_world.url_of("ministack")) as opened:
            yield opened
        return
    if kind == "redis":
        async with redis_world.opened() as opened:
            yield opened
        return
    if kind == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    url = {"memory": "memory:", "sqlite": str(folder / "r.db"), "postgres": DSN}[kind]
    schema = f"test_{secrets.token_hex(6)}"
    opened = open_store(url, schema, clock)
    yield opened
    await opened.close()  # or its pool's tasks are cancelled with the loop, which they may not survive
    if kind == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")
