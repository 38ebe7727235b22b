"""Workers that are killed while tasks come by Kafka: each task runs once, and its reply arrives, always as the same event.

Start a broker with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.adapters.bus.broker import SESSION_S, cluster, lying, new_prefix, produced, required

from remit.adapters.bus.kafka import Kafka
from remit.adapters.clock.system import SystemClock
from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import StoreError

pytestmark = [pytest.mark.service, pytest.mark.slow]

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "ci" / "kafka.sh"
APP = Path(__file__).parent / "faultlib" / "kafka_app.py"
POINTS = [
    "before:create#3",
    "after:submit#1",
    "after:note#2",
    "after:take#1",
    "before:reply#1",
    "after:reply#2",
]
"""Every step between the message and its committed offset, and around the reply."""

MORE = ["before:submit#2", "after:create#4", "before:append:RunFinished#2", "after:append:RunFinished#1"]

LIMIT_S = 60


class Place:
    """A store, a ledger and topics; workers are real processes there."""

    def __init__(self, folder: Path, servers: str = "") -> None:
        self.folder = folder
        self.prefix = new_prefix()
        self.topic = f"{self.prefix}agent.clerk"
        self.ledger = folder / "ledger"
        self.ledger.touch()
        (folder / "remit.toml").write_text(
            f'bus = "kafka://{servers or required()}"\n[kafka]\nprefix = "{self.prefix}"\npartitions = 3\nsession_s = {SESSION_S}\n'
        )
        self._workers: list[subprocess.Popen[bytes]] = []

    def worker(self, fault: str = "") -> subprocess.Popen[bytes]:
        """Start `remit worker`; with a fault it dies there by SIGKILL."""
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-c", "from remit.cli.main import main; main()", "worker"]
            command += ["--app", str(APP), "--lease", "1"]
            made = subprocess.Popen(
                [*command, *(["--fault", fault] if fault else [])],
                cwd=self.folder,
                env={**os.environ, "KAFKA_LEDGER": str(self.ledger), "REMIT_HOME": str(self.folder)},
                stdout=log,
                stderr=log,
            )
        self._workers.append(made)
        return made

    def stop(self) -> None:
        """Kill all that are left."""
        for one in self._workers:
            one.kill()
            one.wait()

    async def succeeded(self) -> list[str]:
        """The task ids of the runs that succeeded, in any order."""
        store = SqliteStore(self.folder / "remit.db", SystemClock())
        try:
            await store.open()
            found: list[str] = []
            cursor: str | None = None
            while True:
                page = await store.query(
                    "agent_run", "by_status", ("local", "success"), limit=200, cursor=cursor
                )
                found += [str(row["task_id"]) for row in page.items]
                cursor = page.cursor
                if cursor is None:
                    return found
        except StoreError:
            return []
        finally:
            await store.close()

    def check(self, count: int) -> None:
        """Each task has one effect: under one key, whoever was killed on the way."""
        lines = [line.split() for line in self.ledger.read_text().splitlines()]
        keys = {number: {key for n, key in lines if n == number} for number, _ in lines}
        assert {int(number) for number in keys} == set(range(count))
        assert all(len(some) == 1 for some in keys.values()), "an effect was asked for under two keys"


class Broker:
    """A broker of one's own, to be killed. What it has written is there when it starts again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = min(free.getsockname()[1], 60_000)
        self._folder = folder
        self.servers = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        env = {**os.environ, "PORT": str(self._port), "HOME_DIR": str(self._folder), "KEEP": "1"}
        subprocess.run([SCRIPT], env=env, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S)

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(int((self._folder / "pid").read_text()), signal.SIGKILL)


@pytest_asyncio.fixture
async def kafka() -> AsyncIterator[Kafka]:
    async with cluster() as made:
        yield made


async def tasks(kafka: Kafka, place: Place, numbers: range) -> None:
    """Produce tasks of five sessions."""
    for number in numbers:
        body = {"task_id": f"t{number}", "input": {"n": number}, "session_id": f"s{number % 5}"}
        await produced(kafka, place.topic, json.dumps(body).encode(), f"local/s{number % 5}")


async def finished(kafka: Kafka, place: Place, count: int) -> None:
    """Until every run has succeeded and every reply is there; each reply is one event, and says its own result."""
    async with asyncio.timeout(LIMIT_S):
        while len(await place.succeeded()) < count:
            await asyncio.sleep(0.1)
    assert sorted(await place.succeeded()) == sorted(f"t{n}" for n in range(count)), "each task has one run"
    replies: dict[str, set[str]] = {}
    async with asyncio.timeout(LIMIT_S):
        while len(replies) < count:
            for one in await lying(kafka, f"{place.topic}.replies"):
                body = json.loads(one.body)
                assert body["result_payload"] == f"booked {body['task_id'][1:]}"
                replies.setdefault(body["task_id"], set()).add(one.headers["ce_id"])
    assert all(len(ids) == 1 for ids in replies.values()), "a reply that comes again is the same event"
    assert await lying(kafka, f"{place.topic}.dead") == []
    place.check(count)


async def test_killed_between_any_two_steps(
    kafka: Kafka, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """At every point a worker dies, the next goes on: nothing is lost, and nothing is done under a second name."""
    place = Place(tmp_path)
    points = [*POINTS, *(MORE if request.config.getoption("--nightly") else [])]
    try:
        for turn, point in enumerate(points):
            await tasks(kafka, place, range(turn * 4, turn * 4 + 4))
            worker = place.worker(point)
            code = await asyncio.to_thread(worker.wait, LIMIT_S)
            assert code == -signal.SIGKILL, (
                f"nobody came to `{point}`: {(tmp_path / 'log').read_text()[-2000:]}"
            )
        place.worker()
        await finished(kafka, place, 4 * len(points))
    finally:
        place.stop()


@pytest.mark.nightly
async def test_killed_at_random(kafka: Kafka, tmp_path: Path) -> None:
    """Two workers share the partitions and are killed a hundred times, while tasks are produced."""
    place, dice, count, kills = Place(tmp_path), random.Random(11), 600, 100
    try:
        workers = [place.worker(), place.worker()]
        done = 0
        for kill in range(kills):
            ahead = (kill + 1) * count // kills
            await tasks(kafka, place, range(done, ahead))
            done = ahead
            await asyncio.sleep(dice.uniform(0.2, 3.0))  # a process takes two seconds to begin
            share = dice.randrange(2)
            workers[share].kill()
            workers[share].wait()
            workers[share] = place.worker()
        await finished(kafka, place, count)
    finally:
        place.stop()


@pytest.mark.nightly
async def test_a_broker_that_is_killed(tmp_path: Path) -> None:
    """With tasks in its log and replies under way it dies and comes back, again and again; the worker is never started anew."""
    required()
    broker = Broker(tmp_path / "broker")
    place = Place(tmp_path, broker.servers)
    broker.start()
    async with cluster(broker.servers) as kafka:
        try:
            worker = place.worker()
            for turn in range(4):
                await tasks(kafka, place, range(turn * 20, turn * 20 + 20))
                broker.kill()
                await asyncio.sleep(1.0)  # for the worker to meet nobody
                broker.start()
            await finished(kafka, place, 80)
            assert worker.poll() is None
        finally:
            place.stop()
            broker.kill()
