"""Events through two processes that are killed again and again: none lost, none twice after its acknowledgement, in order."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faultlib.bus import Place, acknowledged, opened, work
from tests.adapters.bus.deployed import Deployed
from tests.adapters.emulator import URL, emulated

from remit.engine.bus.records import COLLECTIONS

CLAIM_S = 0.4
SHARES = 2
LIMIT_S = 300
"""Without any event: a machine that is busy may take a minute to start a process."""
NIGHT = (300, 5000)
"""Kills by night, and the events of each process."""

NIGHT_ON = {"dynamodb": (100, 500)}
"""Fewer where what is acknowledged, which is read anew at each kill, is read from an emulator that looks at every event each time."""


class Workers:
    """The processes, and how they are killed and started again."""

    def __init__(self, place: Place, ledger: Path, name: str, count: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["faultlib.bus", "remit.adapters.store.sqlite"])
        self._arguments = (place, str(ledger), name)
        self._count = count
        self._processes = [self._started(share) for share in range(SHARES)]

    def kill(self, share: int) -> None:
        """SIGKILL, and a fresh one in its place."""
        self._processes[share].kill()
        self._processes[share].join()
        self._processes[share] = self._started(share)

    def stop(self) -> None:
        """Kill them all."""
        for process in self._processes:
            process.kill()
            process.join()

    def _started(self, share: int) -> multiprocessing.process.BaseProcess:
        process = self._context.Process(target=work, args=(*self._arguments, share, self._count, CLAIM_S))
        process.start()
        return process


@contextmanager
def workers(place: Place, ledger: Path, name: str, count: int) -> Iterator[Workers]:
    """Two processes that work until the test is over."""
    made = Workers(place, ledger, name, count)
    try:
        yield made
    finally:
        made.stop()


def lines(ledger: Path, start: int = 0) -> list[list[str]]:
    """What handlers wrote from a byte on: id, key, number."""
    return [line.split() for line in ledger.read_bytes()[start:].decode().splitlines()]


@pytest.mark.slow
async def test_killed_processes_lose_no_event_and_repeat_none_that_was_acknowledged(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """SIGKILL at random moments of publishing and delivering; each key's events are first handled in order."""
    nightly = request.config.getoption("--nightly")
    kills, count = NIGHT_ON.get(store_url.partition(":")[0], NIGHT) if nightly else (14, 400)
    await killed(Place(store_url, environment()), tmp_path, kills, count)


@pytest.mark.slow
@pytest.mark.service
async def test_killed_processes_on_a_queue_of_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The same where turns are messages: those that a killed process had in hand are hidden, and nobody waits for them."""
    session = emulated(monkeypatch)
    deployed = Deployed(session)
    nightly = request.config.getoption("--nightly")
    kills, count = (100, 2000) if nightly else (6, 150)
    monkeypatch.setenv("AWS_ENDPOINT_URL", URL)
    place = Place(f"sqlite:///{tmp_path}/remit.db", environment(), deployed.name)
    await killed(place, tmp_path, kills, count)


def environment() -> dict[str, str]:
    """What leads to AWS: processes that are started later do not have it by themselves."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


FEW = 10
"""So few kills may all come before the first acknowledgement, on a queue that takes its time."""


async def killed(place: Place, tmp_path: Path, kills: int, count: int) -> None:
    """Kills two processes so often while they share the work, and checks what they did."""
    name, ledger, dice = f"bus{time.time_ns()}", tmp_path / "ledger", random.Random(7)
    ledger.touch()
    done: list[tuple[int, set[str]]] = []
    store = opened(place.store_url)
    await store.open()
    await store.declare(COLLECTIONS)
    acked: set[str] = set()
    with workers(place, ledger, name, count) as some:
        for _ in range(kills):
            async with asyncio.timeout(LIMIT_S):
                before = ledger.stat().st_size
                while ledger.stat().st_size == before and len(acked) < SHARES * count:
                    await asyncio.sleep(0.005)  # a process takes a while to start
            await asyncio.sleep(dice.uniform(0, 0.1))
            some.kill(dice.randrange(SHARES))
            acked = await acknowledged(store, name)
            done.append((ledger.stat().st_size, acked))
        async with asyncio.timeout(LIMIT_S):
            while len(acked := await acknowledged(store, name)) < SHARES * count:
                await asyncio.sleep(0.05)
    await store.close()
    handled = lines(ledger)
    assert {event for event, _, _ in handled} == acked, (
        "none lost, and none acknowledged that was not handled"
    )
    for size, before in done:
        again = before & {event for event, _, _ in lines(ledger, size)}
        assert not again, "an acknowledged event came again"
    furthest: dict[str, int] = {}
    for event, key, number in handled:
        assert int(number) <= furthest.get(key, -1) + 1, f"{event} overtook one of its key"
        furthest[key] = max(int(number), furthest.get(key, -1))
    moved = {len(before) for _, before in done}
    if kills > FEW:
        assert len(moved) > 2, "the kills came while events were under way"
