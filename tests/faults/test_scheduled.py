"""A scheduled validation killed anywhere: one run log a slot, and people are told once, or a person is asked."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from faultlib.scheduled import HOUR_MS, START_MS, prepare
from tests.adapters.notify.servers import Web, web_server

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "faultlib" / "scheduled.py"
POSTGRES = os.environ.get("REMIT_TEST_POSTGRES", "")
needs_postgres = pytest.mark.skipif(
    not POSTGRES, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"
)
SIDES = ("before", "after")
TOOLS = ("record_validation_run", "plan_notifications", "send_webhook", "send_slack")
POINTS = [
    "before:schedule:submit",
    "after:schedule:submit",
    "after:schedule:advance",
    *(f"{side}:create" for side in SIDES),
    *(f"{side}:create#4" for side in SIDES),
    *(f"{side}:effect:{tool}" for side in SIDES for tool in TOOLS),
    *(
        f"{side}:append:{event}"
        for side in SIDES
        for event in ("RunClaimed", "EffectIntended", "EffectDone#3", "RunFinished")
    ),
]

ON_POSTGRES = [
    "after:schedule:submit",
    "after:create",
    "after:effect:record_validation_run",
    "after:effect:send_slack",
]
CASES = [
    *(pytest.param("sqlite", point, id=point) for point in POINTS),
    *(
        pytest.param(POSTGRES, point, id=f"{point}-postgres", marks=[pytest.mark.service, needs_postgres])
        for point in ON_POSTGRES
    ),
]


class Victim:
    """A schedule's worker over one home, started again and again."""

    def __init__(self, home: Path, store: str, web: Web, table: str) -> None:
        self.home, self.store, self.web, self.table = home, store, web, table
        self.minute = 0.0
        self.kills = 0
        self.asked: set[str] = set()

    def attempt(self, fault: str = "", seconds: float = 60.0, person: str = "") -> dict[str, Any] | None:
        """One life of the worker, two minutes after the last one: no call of that is under way any more. None when it was killed."""
        self.minute += 2.0
        arguments = [str(self.home), self.store, self.web.url, str(self.minute), fault, person]
        with subprocess.Popen([sys.executable, str(PROGRAM), *arguments], stdout=subprocess.PIPE) as child:
            try:
                out, _ = child.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                out, _ = child.communicate()
        if child.returncode == -signal.SIGKILL:
            self.kills += 1
            return None
        assert child.returncode == 0
        found: dict[str, Any] = json.loads(out)
        self.asked.update(found["asked"])
        return found

    def to_the_end(self) -> dict[str, Any]:
        """Work on undisturbed; where a person is asked, one who looked at Slack answers."""
        found = self.attempt()
        assert found is not None
        if found["asked"]:
            found = self.attempt(person="sent" if self.posted("/slack") else "lost")
            assert found is not None
        return found

    def posted(self, end: str) -> list[Any]:
        """What came in at an address."""
        return [r for r in self.web.requests if r.path.endswith(end)]


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as made:
        yield made


@contextmanager
def empty_store(kind: str, home: Path) -> Iterator[str]:
    """The URL of an empty store."""
    if kind == "sqlite":
        yield f"sqlite:///{home / 'remit.db'}"
        return
    name = f"scheduled_{os.urandom(5).hex()}"
    _administer(kind, f"CREATE DATABASE {name}")
    yield urlsplit(kind)._replace(path=f"/{name}").geturl()
    _administer(kind, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute(statement)


async def victim(home: Path, store: str, web: Web) -> Victim:
    """A worker whose schedule is about to come due."""
    await prepare(home, store, web.url, "orders")
    return Victim(home, store, web, "orders")


def check(found: dict[str, Any], victim: Victim) -> None:
    """One run (a failure: the rule does not hold) and one run log of the slot; Slack once; the webhook under one id; asked at most once."""
    log = [line for line in found["log"] if line[0] == victim.table]
    assert [status for _, status, _ in log] == ["FAILED"], log
    assert [run for run in found["runs"] if run[0] == log[0][2]] == [[log[0][2], "failure"]]
    schedule = f"validation/{victim.table}/hourly"
    assert [slot for name, slot in found["schedules"] if name == schedule] == [START_MS + HOUR_MS]
    assert len(victim.posted("/slack")) == 1
    assert len({r.headers["webhook-id"] for r in victim.posted("/hook")}) == 1
    assert len(victim.asked) <= 1


@pytest.mark.parametrize(("kind", "point"), CASES)
async def test_killed_at_a_named_point(kind: str, point: str, tmp_path: Path, web: Web) -> None:
    """SIGKILL on either side of every step of a scheduled validation: the slot is validated and told once all the same."""
    with empty_store(kind, tmp_path) as store:
        at_work = await victim(tmp_path, store, web)
        assert at_work.attempt(point) is None, "the point was not reached"
        check(at_work.to_the_end(), at_work)


async def test_killed_at_random_instants(tmp_path: Path, web: Web) -> None:
    """SIGKILL at instants drawn from the time an undisturbed worker takes, several times over."""
    chance = random.Random(20)
    kills, duration = 0, 0.0
    for number in range(5):
        home = tmp_path / str(number)
        home.mkdir()
        web.requests.clear()
        at_work = await victim(home, f"sqlite:///{home / 'remit.db'}", web)
        for _ in range(3 if duration else 0):
            at_work.attempt(seconds=chance.uniform(0, duration))
        started = time.monotonic()
        check(at_work.to_the_end(), at_work)
        duration = duration or time.monotonic() - started
        kills += at_work.kills
    assert kills >= 4
