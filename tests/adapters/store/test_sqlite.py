"""SQLite keeps the contract, and what is special about one file shared by processes on a real disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.store.sqlite import SqliteStore, commits, records, schema
from remit.adapters.store.sqlite.store import FEW
from remit.core import codec
from remit.core.errors import ConfigError, FencedError, StoreError
from remit.ports.store import Collection, Entry, Index, Put
from remit.testing.contracts.store import ITEMS, HandClock, StoreContract, entries, item

WORKER = Path(__file__).with_name("worker.py")


class TestSqliteStore(StoreContract):
    """The contract, on SQLite."""

    @pytest_asyncio.fixture(params=["normal", "full"])
    async def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "remit.db", self.clock, durability=request.param)
        await store.open()
        yield store
        await store.close()


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """One store with the run `r`."""
    store = SqliteStore(tmp_path / "remit.db", HandClock(), busy_timeout_s=5)
    await store.open()
    await start(store, "r")
    yield store
    await store.close()


async def start(store: SqliteStore, run_id: str) -> None:
    await store.create(run_id, tenant_id="t", root_run=run_id, agent="a", entries=entries(run_id, 1), now=1)


async def go_on(store: SqliteStore, run_id: str = "r", *, size: int = 0, durable: bool = False) -> int:
    """Append an entry, and return its seq."""
    head = await store.head(run_id)
    body = b"x" * size
    entry = Entry(seq=head.seq + 1, body=body, hash=codec.link(head.hash, body))
    await store.append(run_id, seq=head.seq, epoch=head.epoch, entries=[entry], durable=durable)
    return entry.seq


@pytest.mark.parametrize(
    ("quick_s", "together", "on_the_loop"),
    [(float("inf"), 1, True), (float("inf"), 2, False), (0.0, 1, False)],
    ids=["alone and quick", "two at once", "slow disk"],
)
async def test_an_fsync_is_waited_for_on_the_loop_only_if_it_is_quick_and_alone(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, quick_s: float, together: int, on_the_loop: bool
) -> None:
    """A slow disk, or company to share the fsync with, sends the commit to the writer thread."""
    monkeypatch.setattr(commits, "QUICK_FSYNC_S", quick_s)
    await go_on(store, durable=True)
    threads: list[int] = []

    def work(db: sqlite3.Connection) -> None:
        threads.append(threading.get_ident())

    await asyncio.gather(*(store._write(work, durable=True) for _ in range(together)))
    assert [thread == threading.get_ident() for thread in threads] == [on_the_loop] * together


async def test_a_log_that_grew_while_somebody_read_is_cut_when_it_begins_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slow reader keeps the write-ahead log from being emptied; once it is gone the log goes back to its size."""
    monkeypatch.setattr(schema, "LARGEST_LOG_BYTES", 100_000)
    store, log = SqliteStore(tmp_path / "remit.db", HandClock()), tmp_path / "remit.db-wal"
    await store.open()
    await start(store, "r")
    with contextlib.closing(sqlite3.connect(tmp_path / "remit.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        for _ in range(50):
            await go_on(store, size=20_000)
        reader.execute("COMMIT")
    assert log.stat().st_size > 1_000_000
    store._opened().commits.restart_log()
    for _ in range(2):  # the writer thread has both behind it when the second is durable
        store._opened().commits._fsync_s = commits.QUICK_FSYNC_S
        await go_on(store, durable=True)
    assert log.stat().st_size <= 100_000
    await store.close()


def worker(path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start another process on the file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(WORKER), str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


async def check_chain(store: SqliteStore, run_id: str) -> int:
    """The last seq of a run whose chain is whole."""
    link = codec.genesis(run_id)
    stored = await store.read(run_id, limit=100_000)
    for place, entry in enumerate(stored):
        link = codec.link(link, entry.body)
        assert (entry.seq, entry.hash) == (place, link)
    return len(stored) - 1


async def test_processes_race_on_one_run(store: SqliteStore, tmp_path: Path) -> None:
    """Every append is won by exactly one process, and together they leave a whole chain."""
    racers = [worker(tmp_path / "remit.db", "r", "race", "150") for _ in range(3)]
    outputs = await asyncio.gather(*(asyncio.to_thread(racer.communicate, timeout=60) for racer in racers))
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert all(int(output) >= 0 for output, _ in outputs)
    assert await check_chain(store, "r") == 450


@pytest.mark.parametrize("kill_at", [1, 7, 60, 200])
async def test_kill_loses_nothing_acknowledged(store: SqliteStore, tmp_path: Path, kill_at: int) -> None:
    """After kill -9 in the middle of commits, each acknowledged entry is there and the chain is whole."""
    process = worker(tmp_path / "remit.db", "r", "stream", "1000000")
    assert process.stdout
    acknowledged = 0
    for _ in range(kill_at):
        acknowledged = int(await asyncio.to_thread(process.stdout.readline))
    process.kill()
    rest = (await asyncio.to_thread(process.stdout.read)).split("\n")
    process.wait()
    # A line cut off by the kill was acknowledged too, but cannot be read.
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
    assert await check_chain(store, "r") >= acknowledged
    await go_on(store)


async def test_another_process_wakes_a_waiter(store: SqliteStore, tmp_path: Path) -> None:
    """`changed` sees what another process appends, long before its time is up."""

    async def wait() -> bool:
        while not await store.changed("r", after=0, timeout_s=30):
            pass
        return True

    waiting = asyncio.ensure_future(wait())
    process = worker(tmp_path / "remit.db", "r", "stream", "1")
    assert await asyncio.wait_for(waiting, 20)
    assert process.communicate(timeout=30)[0] == "1\n"


async def test_a_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """While another process holds the lock the event loop runs on; too long a wait is a StoreError E804."""
    store = SqliteStore(tmp_path / "remit.db", HandClock(), busy_timeout_s=0.2)
    await store.open()
    await start(store, "r")
    other = sqlite3.connect(tmp_path / "remit.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    turns = 0
    blocked = asyncio.ensure_future(go_on(store))
    while not blocked.done():
        turns += 1
        await asyncio.sleep(0)
    with pytest.raises(StoreError) as refusal:
        await blocked
    assert refusal.value.code == "E804"
    assert turns > 10
    with pytest.raises(StoreError):
        await store.ping()
    other.execute("ROLLBACK")
    assert await go_on(store) == 1
    await store.ping()
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("durable", [False, True])
async def test_a_full_disk(small_disk: Path, durable: bool) -> None:
    """On a full disk an append is a StoreError E802; what was acknowledged stays; with space it goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(800_000))
    store = SqliteStore(small_disk / "remit.db", HandClock())
    await store.open()
    await start(store, "r")
    acknowledged = 0
    while shutil.disk_usage(small_disk).free > 100_000:
        acknowledged = await go_on(store, size=20_000, durable=durable)
    with pytest.raises(StoreError) as refusal:
        await go_on(store, size=200_000, durable=durable)
    assert refusal.value.code == "E802"
    assert "full" in refusal.value.message
    assert acknowledged > 0
    assert await check_chain(store, "r") == acknowledged
    with pytest.raises(StoreError):
        await asyncio.gather(*(go_on(store, size=200_000, durable=durable) for _ in range(3)))
    ballast.unlink()
    assert await go_on(store, size=20_000, durable=durable) == acknowledged + 1
    await store.close()
    await store.open()
    assert await check_chain(store, "r") == acknowledged + 1
    await store.close()


async def test_places_without_a_database(tmp_path: Path) -> None:
    """A folder that is not there, and a file that is something else, are named."""
    with pytest.raises(StoreError) as refusal:
        await SqliteStore(tmp_path / "no" / "remit.db", HandClock()).open()
    assert refusal.value.code == "E803"
    (tmp_path / "notes.txt").write_text("not a database " * 500)
    with pytest.raises(StoreError) as refusal:
        await SqliteStore(tmp_path / "notes.txt", HandClock()).open()
    assert refusal.value.code == "E805"


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A file that a newer Remit wrote is left alone."""
    with sqlite3.connect(tmp_path / "remit.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConfigError) as refusal:
        await SqliteStore(tmp_path / "remit.db", HandClock()).open()
    assert refusal.value.code == "E211"


def schema_of(path: Path) -> set[tuple[str, str]]:
    db = sqlite3.connect(path)
    found = set(db.execute("SELECT name, sql FROM sqlite_master"))
    db.close()
    return found


async def test_an_old_file_is_migrated(store: SqliteStore, tmp_path: Path) -> None:
    """A file of schema 1 gets what later steps add, keeps its runs, and ends with the schema of a new file."""
    old = tmp_path / "old.db"
    db = schema.connect(str(old), 5)
    for statement in schema.MIGRATIONS[0]:
        db.execute(statement)
    db.execute("PRAGMA user_version=1")
    db.execute(
        "INSERT INTO runs VALUES (1, 'before', 't', 'before', 'a', 'ready', 0, x'00', 0, '', 0, NULL, 0, 1)"
    )
    db.close()
    assert "runs_root" not in {name for name, _ in schema_of(old)}
    migrated = SqliteStore(old, HandClock())
    await migrated.open()
    assert await migrated.due(limit=5, root_run="before") == ["before"]
    await migrated.close()
    assert schema_of(old) == schema_of(tmp_path / "remit.db")


async def test_an_older_program_fills_a_newer_index(store: SqliteStore, tmp_path: Path) -> None:
    """During an upgrade, items written under the older declaration are found by the new index."""
    await store.declare([Collection(name=ITEMS.name, key=ITEMS.key)])
    newer = SqliteStore(tmp_path / "remit.db", HandClock())
    await newer.open()
    await newer.declare([ITEMS])
    await store.transact([Put(ITEMS.name, item(1))])
    found = await newer.query(ITEMS.name, "status", ("t", "open"))
    assert found.items == [item(1)]
    assert (await store.query(ITEMS.name, "status", ("t", "open"))).items == [item(1)]
    await newer.close()


async def test_queries_are_answered_by_the_index(store: SqliteStore, tmp_path: Path) -> None:
    """A page is found and ordered by the index alone: no scan and no sort."""
    index = Index(name="status", fields=("tenant", "status", "rank"))
    await store.declare([Collection(name="things", key=("item_id",), indexes=(index,))])
    statements: list[str] = []
    assert store._open
    for connection in (store._open.reads, store._open.queries):
        connection.set_trace_callback(statements.append)
    await store.transact([Put("things", item(n)) for n in range(5)])
    first = await store.query("things", "status", ("t", "open"), lower=1, limit=2)
    await store.query("things", "status", ("t", "open"), lower=1, limit=2, cursor=first.cursor)
    db = sqlite3.connect(tmp_path / "remit.db")
    for statement in statements:
        plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "SEARCH" in plan
        assert "TEMP B-TREE" not in plan
    db.close()
    assert len(statements) == 2


@pytest.mark.parametrize(("limit", "threads"), [(FEW, []), (FEW + 1, []), (FEW + 2, ["remit-sqlite-reader"])])
async def test_only_a_page_that_is_long_takes_the_reading_thread(
    store: SqliteStore, limit: int, threads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of a few items is read on the event loop; whichever way, it is whole and has its cursor."""
    there = FEW if limit <= FEW + 1 else FEW + 3
    await store.declare([ITEMS])
    await store.transact([Put(ITEMS.name, item(n)) for n in range(there)])
    readers: list[str] = []
    query = records.query

    def seen(*given: Any) -> list[dict[str, Any]]:
        readers.append(threading.current_thread().name.rpartition("_")[0])
        return query(*given)

    monkeypatch.setattr(records, "query", seen)
    page = await store.query(ITEMS.name, "status", ("t", "open"), limit=limit)
    assert [name for name in readers if name] == threads
    assert page.items == [item(n) for n in range(min(limit, there))]
    assert (page.cursor is not None) == (there > limit)


async def test_a_task_that_writes_alone_goes_on_at_once(store: SqliteStore) -> None:
    """Its requests are done where they are made, one after the other, without a turn of the event loop between them."""
    turned: list[str] = []
    asyncio.get_running_loop().call_soon(turned.append, "turned")
    for seq in range(1, 4):
        assert await go_on(store) == seq
    assert turned == []


async def test_a_task_that_writes_alone_makes_room_for_others_in_time(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop turns at the latest when its time is over, so nobody starves."""
    monkeypatch.setattr(commits, "LONGEST_TURN_S", 0.0)
    turned: list[str] = []
    asyncio.get_running_loop().call_soon(turned.append, "turned")
    await go_on(store)
    assert turned == ["turned"]


async def test_tasks_that_write_together_share_their_commits(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a task has met another one, what they ask for in one turn is one transaction."""
    runs = [f"together-{n}" for n in range(5)]
    for run in runs:
        await start(store, run)
    await asyncio.gather(*(go_on(store, run) for run in runs))
    batches: list[int] = []
    execute = commits.GroupCommit._execute

    def counted(self: commits.GroupCommit, jobs: Sequence[commits.Job], *, wait: bool) -> bool:
        batches.append(len(jobs))
        return execute(self, jobs, wait=wait)

    monkeypatch.setattr(commits.GroupCommit, "_execute", counted)

    async def several(run: str) -> None:
        for _ in range(3):
            await go_on(store, run)

    await asyncio.gather(*map(several, runs))
    assert batches == [5, 5, 5]


async def test_a_cancelled_append_harms_nobody(store: SqliteStore) -> None:
    """A task that is cancelled while its append is under way leaves the writer in order."""
    await start(store, "s")
    lost = asyncio.ensure_future(go_on(store, durable=True))
    other = asyncio.ensure_future(go_on(store, "s", durable=True))
    await asyncio.sleep(0)
    lost.cancel()
    assert await other == 1
    with pytest.raises(asyncio.CancelledError):
        await lost
    assert await go_on(store, "s") == 2


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Before `open` and after `close` every call is a StoreError; closing twice is fine."""
    store = SqliteStore(tmp_path / "remit.db", HandClock())
    with pytest.raises(StoreError):
        await store.head("r")
    await store.open()
    await start(store, "r")
    last = asyncio.ensure_future(go_on(store, durable=True))
    await asyncio.sleep(0)
    await store.close()
    assert await last == 1
    await store.close()
    with pytest.raises(StoreError) as refusal:
        await store.ping()
    assert refusal.value.code == "E806"


async def test_two_loops_share_a_store(store: SqliteStore) -> None:
    """Another thread's event loop may use the store too; both are fenced by the same journal."""

    async def many() -> int:
        won = 0
        while won < 50:
            try:
                await go_on(store)
                won += 1
            except FencedError:
                continue
        return won

    here, there = await asyncio.gather(many(), asyncio.to_thread(asyncio.run, many()))
    assert (await store.head("r")).seq == here + there


async def test_the_log_does_not_grow_for_ever(store: SqliteStore, tmp_path: Path) -> None:
    """The write-ahead log is written back while the store works."""
    for _ in range(60):
        await go_on(store, size=400_000)
    await store.close()
    assert not (tmp_path / "remit.db-wal").exists()
    await store.open()
    assert (await store.sizes())["events"] > 60 * 400_000


async def test_what_is_asked_while_the_store_closes_is_answered(store: SqliteStore) -> None:
    """A write that reaches the writer thread after its last one is told that the store is closed; nobody waits for ever."""
    writer = store._opened().commits
    writer._fsync_s = 1.0  # a slow disk: durable writes go to the thread
    asked = writer.submit(lambda db: None, durable=True)
    writer.close()
    with pytest.raises(StoreError, match="is closed"):
        await asyncio.wait_for(asked, 10)
