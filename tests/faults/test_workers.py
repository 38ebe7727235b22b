"""F10: two workers on one run, and a worker that comes back from the dead. No effect doubles, no stale write is accepted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from benchmarks.common.bank_client import count, entries
from benchmarks.common.killable import FINISHED, IN_DOUBT, Job, reference
from benchmarks.common.killing import Engine, killable
from faultlib.driving import BANKS, EFFECTS, PROGRAM, Rig, rig, until
from faultlib.invariants import check_invariants
from faultlib.program import TENANT, opened

from remit.engine.runs import root_run_id

TTL_S = 0.5
STOPS = [
    ("plain", "before:effect:charge_plain#6"),
    ("plain", "after:effect:charge_plain#6"),
    ("plain", "before:append:EffectIntended#6"),
    ("plain", "before:append:EffectDone#6"),
    ("keyed", "before:effect:charge_keyed#6"),
    ("lookup", "before:effect:charge_lookup#6"),
    ("lookup", "after:effect:charge_lookup#6"),
]


@pytest.fixture(scope="module")
def pair(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Banks, a store and one worker process; a test starts the other."""
    with rig(tmp_path_factory.mktemp("banks"), store_url, "--delay-ms=4") as made:
        yield made


@contextmanager
def worker(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process with short leases."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(TTL_S), json.dumps(asdict(job))])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stopped(pid: int) -> bool:
    """Whether the process stands still."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def finish(rig: Rig, job: Job) -> None:
    """Let the other worker end the run; a person answers what is in doubt."""
    code = IN_DOUBT
    for _ in range(10):
        code = rig.attempts.make(
            replace(job, kill_point="as:other " if code != IN_DOUBT else "person as:other ")
        )
        if code == FINISHED:
            return
    raise AssertionError(f"the other worker could not finish: {code}")


async def assert_once(rig: Rig, run: str) -> None:
    """Every effect is at the bank once, and the journal holds."""
    job = rig.job(run)
    made = [e for e in entries(job.bank) if e["ref"].startswith(f"{run}:")]
    counts = count(made, [reference(run, index) for index in range(EFFECTS)])
    assert (counts.made, counts.doubled, counts.lost) == (EFFECTS, 0, 0)
    async with opened(rig.store, job.bank) as app:
        await check_invariants(app, root_run_id(TENANT, run), made)


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "point"), STOPS)
async def test_a_worker_stopped_past_its_lease_neither_writes_nor_acts_when_it_comes_back(
    pair: Rig, effect: str, point: str
) -> None:
    """SIGSTOP, another worker finishes, SIGCONT: the zombie's writes are fenced and its effects refused."""
    run = pair.name("code", effect, f"zombie{STOPS.index((effect, point))}")
    job = pair.job(run)
    with worker(replace(job, kill_point=f"stop as:zombie {point}")) as zombie:
        until(lambda: stopped(zombie.pid))
        finish(pair, job)
        await assert_once(pair, run)
        os.kill(zombie.pid, signal.SIGCONT)
        assert zombie.wait(20) == FINISHED, "the zombie sees the result of the other"
    await assert_once(pair, run)


def both(rig: Rig, second: object, job: Job, names: tuple[str, str]) -> list[int]:
    """Two worker processes get the same run at the same time."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [replace(job, kill_point=f"as:{name} ") for name in names]
        return list(
            pool.map(lambda pair: pair[0].make(pair[1]), zip((rig.attempts, second), jobs, strict=True))
        )


@pytest.mark.slow
@pytest.mark.parametrize("names", [("one", "two"), ("same", "same")], ids=["two-names", "one-name"])
@pytest.mark.parametrize("effect", BANKS)
async def test_two_workers_race_for_one_run_and_no_effect_doubles(
    pair: Rig, effect: str, names: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    """Two workers, honest or sharing one name so that each steals the other's lease: every effect once."""
    races = 40 if request.config.getoption("--nightly") else 4
    with killable(Engine("remit", [sys.executable, str(PROGRAM), str(TTL_S)])) as second:
        for number in range(races):
            run = pair.name("code" if number % 2 else "llm", effect, f"race{names[1]}{number}")
            codes = both(pair, second, pair.job(run), names)
            assert set(codes) <= {FINISHED, IN_DOUBT}, codes
            if set(codes) != {FINISHED}:
                finish(pair, pair.job(run))
            await assert_once(pair, run)
