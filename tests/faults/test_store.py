"""F3, F4, F5: the store dies during a commit, is full, read-only, away, slow or flapping. No effect without its intent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.common.bank_client import entries
from faultlib.driving import Rig, rig
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger, Troubled, at_random, finish, persist
from faultlib.program import opened

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import CommitUnknownError, StoreError
from remit.engine.runs import root_run_id
from remit.testing import FakeClock, app_for_tests, task

EFFECTS = 9


async def run_to_the_end(app: Any, ledger: Ledger, heal: Any = None) -> str:
    """Submit and advance through all trouble, then check everything; the run's id."""
    given = task("charger")
    run_id = await persist(lambda: app.runs.submit(given))
    await finish(app, run_id, ledger)
    if heal is not None:
        heal()
    checked = await check_invariants(app, run_id, ledger.entries)
    result = await app.runs.result(run_id, TENANT)
    assert result.status == "success", checked.run.finished
    refs = [e["ref"] for e in ledger.entries]
    assert sorted(refs) == sorted(result.result_payload), "every effect exactly once"
    return run_id


def sizes(config: pytest.Config, small: int, nightly: int) -> int:
    """How many times: a few in CI, many at night."""
    return nightly if config.getoption("--nightly") else small


async def test_a_store_that_fails_at_any_call_doubles_and_loses_nothing(
    request: pytest.FixtureRequest,
) -> None:
    """Any store call may fail before it, or with its fate unknown: same result, every effect exactly once."""
    for seed in range(sizes(request.config, 60, 2000)):
        clock, ledger = FakeClock(), Ledger()
        quiet = MemoryStore(clock)
        store: Any = Troubled(quiet, at_random(random.Random(seed), 0.15))
        async with app_for_tests(ledger.agent(EFFECTS), store=store, clock=clock) as app:
            await run_to_the_end(app, ledger, lambda store=store: setattr(store, "trouble", lambda verb: ""))


@pytest.mark.parametrize("fate", ["lost", "kept"])
async def test_a_commit_of_unknown_fate_is_looked_up_and_never_taken_for_a_failure(fate: str) -> None:
    """Every append's first answer is `unknown`: no effect is skipped, doubled or put in doubt."""
    clock, ledger, calls = FakeClock(), Ledger(), [0]

    def trouble(verb: str) -> str:
        calls[0] += verb == "append"
        return fate if verb == "append" and calls[0] % 2 else ""

    store: Any = Troubled(MemoryStore(clock), trouble)
    async with app_for_tests(ledger.agent(EFFECTS), store=store, clock=clock) as app:
        run_id = await run_to_the_end(app, ledger)
        assert (await check_invariants(app, run_id, ledger.entries)).asked == 0


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The killable program on SQLite."""
    store = f"sqlite:///{tmp_path_factory.mktemp('store')}/remit.db"
    with rig(tmp_path_factory.mktemp("banks"), store) as made:
        yield made


@pytest.mark.slow
async def test_killed_inside_a_commit_the_run_ends_the_same(
    victims: Rig, request: pytest.FixtureRequest
) -> None:
    """SIGKILL some microseconds into the nth COMMIT of SQLite: the transaction is there or it is not."""
    chance, kills = random.Random(3), 0
    for number in range(sizes(request.config, 15, 300)):
        effect = ("keyed", "lookup", "plain")[number % 3]
        run = victims.name("code", effect, f"commit{number}")
        counted = victims.to_the_end(run, [f"commit:{chance.randrange(1, 70)}:{chance.randrange(0, 400)} "])
        assert (counted.finished, counted.doubled, counted.lost) == (1, 0, 0), counted
        kills += counted.kills
        made = [e for e in entries(victims.job(run).bank) if e["ref"].startswith(f"{run}:")]
        async with opened(victims.store, victims.job(run).bank) as app:
            await check_invariants(app, root_run_id("acme", run), made)
    assert kills > 0


def full(store: SqliteStore) -> None:
    """No page more may be used: SQLite's own `disk is full`."""
    db = store._open.writes  # type: ignore[union-attr]
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")


def read_only(store: SqliteStore) -> None:
    """Every write is refused as on a read-only disk."""
    store._open.writes.execute("PRAGMA query_only = ON")  # type: ignore[union-attr]


def healed(store: SqliteStore) -> None:
    """Space is back and the disk writable."""
    for pragma in ("max_page_count = 1000000", "query_only = OFF"):
        store._open.writes.execute(f"PRAGMA {pragma}")  # type: ignore[union-attr]


@pytest.mark.parametrize("break_it", [full, read_only])
@pytest.mark.parametrize("at", range(EFFECTS))
async def test_a_full_or_read_only_disk_fails_closed_and_the_run_resumes(
    tmp_path: Path, break_it: Any, at: int
) -> None:
    """While intents cannot be written no effect happens; nothing acknowledged is lost; it goes on by itself after."""
    store = SqliteStore(tmp_path / "remit.db", FakeClock())
    ledger = Ledger(lambda ref: break_it(store) if ref.endswith(f":{at}") else None)
    padding = task("charger", objective="x" * 20_000)
    async with app_for_tests(ledger.agent(EFFECTS), store=store) as app:
        run_id = await app.runs.submit(padding)
        tried = 0
        while len(ledger.entries) <= at and tried < 5:
            await app.worker.run_until_idle()
            tried += 1
        before = len(ledger.entries)
        with pytest.raises(StoreError):
            await app.runs.submit(task("charger", "t2", objective="y" * 30_000))
        for _ in range(3):
            await app.worker.run_until_idle()
        small_room = EFFECTS if break_it is full else before
        assert len(ledger.entries) <= max(before, small_room)
        ledger.before = None
        healed(store)
        await finish(app, run_id, ledger)
        await check_invariants(app, run_id, ledger.entries)
        assert len(ledger.entries) == EFFECTS


async def test_a_store_that_is_away_stops_effects_and_a_new_run_is_told() -> None:
    """From the moment the store is away nothing is charged; submitting raises; everything resumes when it is back."""
    clock, away = FakeClock(), [False]
    store: Any = Troubled(MemoryStore(clock), lambda verb: "before" if away[0] else "")
    ledger = Ledger(lambda ref: away.__setitem__(0, ref.endswith(":4")))
    async with app_for_tests(ledger.agent(EFFECTS), store=store, clock=clock) as app:
        run_id = await app.runs.submit(task("charger"))
        await app.worker.run_until_idle()
        assert len(ledger.entries) == 5
        with pytest.raises(StoreError):
            await app.runs.submit(task("charger", "t2"))
        await app.worker.run_until_idle()
        assert len(ledger.entries) == 5, "no effect while the store is away"
        ledger.before = None
        away[0] = False
        await finish(app, run_id, ledger)
        await check_invariants(app, run_id, ledger.entries)
        assert len(ledger.entries) == EFFECTS


async def test_a_run_whose_creation_is_unknown_is_created_once() -> None:
    """A client that hears `unknown` submits again and gets the same run."""
    clock, first = FakeClock(), [True]

    def trouble(verb: str) -> str:
        if verb == "create" and first[0]:
            first[0] = False
            return "kept"
        return ""

    ledger = Ledger()
    store: Any = Troubled(MemoryStore(clock), trouble)
    async with app_for_tests(ledger.agent(EFFECTS), store=store, clock=clock) as app:
        with pytest.raises(CommitUnknownError):
            await app.runs.submit(task("charger"))
        await run_to_the_end(app, ledger)
        assert len((await app.runs.list(TENANT)).items) == 1
