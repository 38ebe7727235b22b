"""Kills the program at named points or random instants, and restarts it until its run is done."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.common.bank_client import count, entries, running_bank
from benchmarks.common.killable import FINISHED, IN_DOUBT, Job, reference
from benchmarks.common.killing import Attempts, Engine, killable

PROGRAM = Path(__file__).with_name("program.py")
EFFECTS = 20
ATTEMPTS = 15
PATIENCE_S = 240.0
"""Longer than an attempt of the program lasts: what ends it by then is what the program says."""
BANKS = {"keyed": ["--keyed"], "lookup": ["--plain", "--lookup"], "plain": ["--plain"]}


@dataclass
class Counted:
    """Sums over runs."""

    runs: int = 0
    kills: int = 0
    finished: int = 0
    asked: int = 0
    doubled: int = 0
    lost: int = 0

    def add(self, other: Counted) -> None:
        """Add the other's counts."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Rig:
    """A killable program, a bank for each kind of effect, and one store."""

    attempts: Attempts
    banks: dict[str, str]
    store: str
    nonce: str = field(default_factory=lambda: os.urandom(4).hex())
    durations: dict[str, float] = field(default_factory=dict)

    def name(self, agent: str, effect: str, number: object) -> str:
        """A run's name that no earlier session has used in this store."""
        return f"{agent}-{effect}-{self.nonce}x{number}"

    def job(self, run: str) -> Job:
        """The job of a run `AGENT-EFFECT-NAME`."""
        return Job(run, self.store, self.banks[run.split("-")[1]], EFFECTS)

    def to_the_end(self, run: str, faults: Sequence[str], instants: Sequence[float] = ()) -> Counted:
        """Kill one attempt after another as planned, then let it finish; a person answers what is in doubt."""
        job, kills, asked, code = self.job(run), self.attempts.kills, 0, 1
        for number in range(ATTEMPTS):
            fault = faults[number] if number < len(faults) else ""
            after = instants[number] if number < len(instants) else PATIENCE_S
            person = "person " if code == IN_DOUBT else ""
            code = self.attempts.make(replace(job, kill_point=person + fault), after)
            asked += code == IN_DOUBT
            if code == FINISHED:
                break
        at_bank = count(entries(job.bank), [reference(run, index) for index in range(EFFECTS)])
        done = int(code == FINISHED)
        return Counted(1, self.attempts.kills - kills, done, asked, at_bank.doubled, at_bank.lost)

    def undisturbed(self, agent: str) -> float:
        """Seconds that a run of `AGENT-EFFECT` takes when nothing happens to it."""
        if agent not in self.durations:
            started = time.perf_counter()
            counted = self.to_the_end(self.name(*agent.split("-"), "undisturbed"), ())
            assert (counted.finished, counted.doubled, counted.lost, counted.kills) == (1, 0, 0, 0), counted
            self.durations[agent] = time.perf_counter() - started
        return self.durations[agent]

    def at_random(self, run: str, chance: random.Random, kills: int = 2) -> Counted:
        """One run killed at up to `kills` instants, drawn uniformly from the time an undisturbed run takes."""
        duration = self.undisturbed(run.rpartition("-")[0])
        return self.to_the_end(run, (), [chance.uniform(0, duration) for _ in range(kills)])


@contextmanager
def rig(directory: Path, store: str, *bank_options: str, lease_ttl_s: float = 15.0) -> Iterator[Rig]:
    """Everything started, and ended afterwards."""
    with ExitStack() as stack:
        banks = {
            effect: stack.enter_context(running_bank(directory / f"{effect}.ledger", *options, *bank_options))
            for effect, options in BANKS.items()
        }
        engine = Engine("remit", [sys.executable, str(PROGRAM), str(lease_ttl_s)])
        yield Rig(stack.enter_context(killable(engine)), banks, store)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Poll until the condition holds; its value. AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s")
