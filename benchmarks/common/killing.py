"""The supervisor of the kill test: kills an engine's runs, has them resumed, and counts from the bank's ledger alone.

Each run makes EFFECTS charges. It is killed once, at a named point of one effect or at a random instant, and resumed
by the engine's own recovery until it ends. `doubled` counts ledger entries beyond the first of an effect; `lost`
counts effects without an entry in runs that claim to have finished; `in_doubt` counts runs that stopped and told.
"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Any

from .bank_client import count, entries, running_bank
from .killable import FINISHED, IN_DOUBT, POINTS, Job, reference
from .measure import scratch

EFFECTS = 20
ATTEMPTS = 4
PATIENCE_SECONDS = 60.0
RANDOM = "random_instant"


@dataclass(frozen=True)
class Engine:
    """An engine under test: its name and the command of its killable process (see `common.killable`)."""

    name: str
    command: Sequence[str]


@dataclass
class Tally:
    """What happened to the runs killed at one kind of point."""

    runs: int = 0
    kills: int = 0
    finished: int = 0
    in_doubt: int = 0
    doubled: int = 0
    lost: int = 0

    def add(self, other: Tally) -> None:
        """Add the other's counts to these."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


class Attempts:
    """A running killable process: its attempts, one at a time, and how many of them a SIGKILL ended."""

    def __init__(self, send: IO[str], receive: IO[str]) -> None:
        self.kills = 0
        self._send = send
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(receive,), daemon=True).start()

    def make(self, job: Job, after: float = PATIENCE_SECONDS) -> int:
        """One attempt, SIGKILLed if it has not ended `after` seconds in; its exit code."""
        self._send.write(json.dumps(asdict(job)) + "\n")
        self._send.flush()
        pid = int(self._next(PATIENCE_SECONDS)["pid"])
        try:
            answer = self._next(after)
        except queue.Empty:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(pid, signal.SIGKILL)
            answer = self._next(PATIENCE_SECONDS)
        code = int(answer["exit"])
        self.kills += code == -signal.SIGKILL
        return code

    def _next(self, seconds: float) -> dict[str, Any]:
        """The next answer, or queue.Empty when none comes in that time."""
        return self._answers.get(timeout=seconds)

    def _listen(self, receive: IO[str]) -> None:
        for line in receive:
            self._answers.put(json.loads(line))


@contextmanager
def killable(engine: Engine) -> Iterator[Attempts]:
    """The engine's process, ended afterwards."""
    process = subprocess.Popen(engine.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Attempts(process.stdin, process.stdout)
    finally:
        process.kill()
        process.wait()


def one_run(attempts: Attempts, job: Job, after: float = PATIENCE_SECONDS) -> Tally:
    """A run killed where the job says (or `after` seconds in), then resumed until it ends or patience does."""
    kills_before = attempts.kills
    code = attempts.make(job, after)
    resumed = Job(job.run, job.database, job.bank, job.effects)
    for _ in range(ATTEMPTS):
        if code in (FINISHED, IN_DOUBT):
            break
        code = attempts.make(resumed)
    counts = count(entries(job.bank), [reference(job.run, index) for index in range(job.effects)])
    return Tally(
        runs=1,
        kills=attempts.kills - kills_before,
        finished=int(code == FINISHED),
        in_doubt=int(code == IN_DOUBT),
        doubled=counts.doubled,
        lost=counts.lost if code == FINISHED else 0,
    )


def at_points(attempts: Attempts, database: str, bank: str, indexes: Sequence[int]) -> dict[str, Tally]:
    """One run for each named point of each effect index, killed there."""
    tallies = {point: Tally() for point in POINTS}
    for point, tally in tallies.items():
        for index in indexes:
            job = Job(f"{point}-{index}", database, bank, EFFECTS, f"{point}:{index}")
            tally.add(one_run(attempts, job))
    return tallies


def at_random(attempts: Attempts, database: str, bank: str, runs: int, seed: int) -> Tally:
    """Runs killed at instants drawn uniformly from the time that an undisturbed run takes."""
    chance, tally = random.Random(seed), Tally()
    started = time.perf_counter()
    code = attempts.make(Job("undisturbed", database, bank, EFFECTS))
    assert code == FINISHED, f"an undisturbed run ended with {code}"
    duration = time.perf_counter() - started
    for number in range(runs):
        tally.add(
            one_run(attempts, Job(f"random-{number}", database, bank, EFFECTS), chance.uniform(0, duration))
        )
    return tally


def kill_test(
    engine: Engine, bank: Sequence[str], indexes: Sequence[int], randoms: int, seed: int = 1
) -> dict[str, Any]:
    """All kills of one engine at one kind of bank (`--keyed` or `--plain`, maybe `--lookup`)."""
    with scratch() as directory, killable(engine) as attempts:
        database = str(directory / "engine.db")
        with running_bank(directory / "points.ledger", *bank) as url:
            tallies = at_points(attempts, database, url, indexes)
        with running_bank(directory / "random.ledger", *bank, "--delay-ms=10") as url:
            tallies[RANDOM] = at_random(attempts, database, url, randoms, seed)
    return report(engine.name, bank, tallies)


def report(name: str, bank: Sequence[str], tallies: dict[str, Tally]) -> dict[str, Any]:
    """The sums over all points, and the same for each kind of point."""
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    by_point = {point: asdict(tally) for point, tally in tallies.items()}
    return {
        "engine": name,
        "bank": " ".join(each.lstrip("-") for each in bank),
        **asdict(total),
        "by_point": by_point,
    }
