"""F3 and F5 on PostgreSQL: backends killed in commits, and a server that is away, slow or flapping."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger, answer
from faultlib.proxy import Proxy

from remit.bootstrap import App
from remit.core.errors import RemitError, StoreError
from remit.testing import app_for_tests, task

psycopg = pytest.importorskip("psycopg", reason='the extra "remit[postgres]" is not installed')
DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
pytestmark = [
    pytest.mark.service,
    pytest.mark.slow,
    pytest.mark.skipif(not DSN, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"),
]
EFFECTS = 9
PATIENCE_S = 60.0


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before the database."""
    about = psycopg.conninfo.conninfo_to_dict(DSN)
    async with Proxy(str(about.get("host") or "127.0.0.1"), int(about.get("port") or 5432)) as made:
        yield made


def app_through(proxy: Proxy, ledger: Ledger, schema: str) -> App:
    """An app whose every connection to the database goes through the proxy."""
    from remit.adapters.clock.system import SystemClock
    from remit.adapters.store.postgres import PostgresStore

    clock = SystemClock()
    dsn = psycopg.conninfo.make_conninfo(DSN, host="127.0.0.1", port=proxy.port, application_name=schema)
    store = PostgresStore(dsn, clock, schema=schema, timeout_s=3.0)
    return app_for_tests(ledger.agent(EFFECTS), store=store, clock=clock, lease_ttl_s=2.0)


@pytest_asyncio.fixture
async def schema() -> AsyncIterator[str]:
    """A schema of one's own, dropped afterwards."""
    name = f"faults_{os.urandom(5).hex()}"
    yield name
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@contextlib.asynccontextmanager
async def working(app: App, ledger: Ledger, run_id: str) -> AsyncIterator[None]:
    """A worker that serves, and a person who answers what is in doubt."""
    stop = asyncio.Event()

    async def person() -> None:
        while not stop.is_set():
            with contextlib.suppress(RemitError):
                await answer(app, run_id, ledger)
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(app.worker.serve(stop)), asyncio.create_task(person())]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def ended(app: App, run_id: str) -> None:
    """Wait until the run has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(StoreError):
                head = await app.store.head(run_id)
                if head is not None and head.status == "ended":
                    return
            await asyncio.sleep(0.02)


async def through(proxy: Proxy, ledger: Ledger, schema: str, meanwhile: Any, task_id: str = "t1") -> None:
    """A run while `meanwhile(app)` plays with the database; then everything is checked."""
    async with app_through(proxy, ledger, schema) as app:
        run_id = await app.runs.submit(task("charger", task_id))
        async with working(app, ledger, run_id):
            player = asyncio.create_task(meanwhile(app))
            try:
                await ended(app, run_id)
            finally:
                player.cancel()
                proxy.up()
                proxy.delay_s = 0.0
        await check_invariants(app, run_id, ledger.entries)
        result = await app.runs.result(run_id, TENANT)
        assert result is not None
        assert sorted(e["ref"] for e in ledger.entries) == sorted(result.result_payload)


@pytest.mark.parametrize("at", [0, 4, 7])
async def test_while_the_database_is_away_nothing_is_charged_and_the_run_resumes(
    proxy: Proxy, schema: str, at: int
) -> None:
    """Away for two seconds from the middle of an effect on: no other effect happens, and it goes on after."""
    gone = asyncio.Event()

    def cut(ref: str) -> None:
        if ref.endswith(f":{at}") and not gone.is_set():
            proxy.down()
            gone.set()

    ledger = Ledger(cut)

    async def away(app: App) -> None:
        await gone.wait()
        await asyncio.sleep(2.0)
        assert len(ledger.entries) == at + 1, "charged while the database was away"
        proxy.up()

    await through(proxy, ledger, schema, away)
    assert proxy.cuts > 0


async def test_a_slow_database_slows_the_run_and_breaks_nothing(proxy: Proxy, schema: str) -> None:
    """Every packet late, and the lease still held: same result."""

    async def slow(app: App) -> None:
        proxy.delay_s = 0.1

    await through(proxy, Ledger(), schema, slow)


@pytest.mark.parametrize("seed", range(2))
async def test_a_flapping_database_doubles_and_loses_nothing(proxy: Proxy, schema: str, seed: int) -> None:
    """Connections cut again and again, in the middle of whatever they carry: every effect exactly once."""
    chance = random.Random(seed)
    ledger = Ledger()

    async def flap(app: App) -> None:
        proxy.delay_s = 0.004
        for _ in range(12):
            await asyncio.sleep(chance.uniform(0.005, 0.1))
            proxy.down()
            await asyncio.sleep(chance.uniform(0.01, 0.2))
            proxy.up()

    await through(proxy, ledger, schema, flap)


async def test_backends_terminated_in_the_middle_of_commits_leave_every_effect_once(
    proxy: Proxy, schema: str, request: pytest.FixtureRequest
) -> None:
    """`pg_terminate_backend` at random instants: an unknown commit is looked up, never guessed."""
    for seed in range(40 if request.config.getoption("--nightly") else 4):
        chance, proxy.delay_s = random.Random(seed), 0.003
        await through(
            proxy, Ledger(), schema, lambda app, chance=chance: _terminate(schema, chance), f"t{seed}"
        )


async def _terminate(schema: str, chance: random.Random) -> None:
    """Terminate this test's own backends, known by their name."""
    async with await psycopg.AsyncConnection.connect(DSN, autocommit=True) as db:
        for _ in range(10):
            await asyncio.sleep(chance.uniform(0.002, 0.05))
            await db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user "
                "AND application_name = %s",
                (schema,),
            )
