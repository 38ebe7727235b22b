"""The agent function: hints of SQS in, runs advanced, and only what must come again is reported."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from remit.core.task import Result, Task
from remit.functions import advance, tick
from remit.functions.container import shared


def submit(agent: str, task_id: str = "t1", input: Any = "x") -> str:
    """Start a run, as the API does."""
    return shared().run(lambda app: app.runs.submit(Task(task_id, agent, input=input)))


def result(run_id: str) -> Result | None:
    """How the run ended."""
    return shared().run(lambda app: app.runs.result(run_id, "local"))


def test_a_hint_advances_its_run(home: Path, aws: ModuleType) -> None:
    """One message, one run, and nothing is reported as failed."""
    run_id = submit("echo", input="hello")
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    ended = result(run_id)
    assert ended is not None
    assert (ended.status, ended.result_payload) == ("success", {"said": "hello"})


def test_doubled_and_shuffled_hints_do_no_harm(home: Path, aws: ModuleType) -> None:
    """Every message three times, in any order, some in one batch: each effect is there once."""
    runs = [submit("charger", f"t{n}", f"r{n}") for n in range(4)]
    messages = [aws.message({"run_id": run}, f"{run}-{copy}") for run in runs for copy in range(3)]
    random.Random(7).shuffle(messages)
    for first in range(0, len(messages), 5):
        advance.handler(aws.batch(*messages[first : first + 5]), aws.Context())
    assert [ended.status for run in runs if (ended := result(run))] == ["success"] * 4
    assert sorted((home / "charged").read_text().split()) == [f"r{r}-{n}" for r in range(4) for n in range(3)]


def test_one_run_twice_in_a_batch(home: Path, aws: ModuleType) -> None:
    """Its messages do not take the run out of each other's hands: an effect that cannot be repeated is in no doubt."""
    run_id = submit("payer", input="r")
    copies = [aws.message({"run_id": run_id}, f"m{copy}") for copy in range(5)]
    assert aws.failed(advance.handler(aws.batch(*copies), aws.Context())) == []
    ended = result(run_id)
    assert ended is not None
    assert (ended.status, ended.result_payload) == ("success", "paid r")
    assert (home / "paid").read_text().split() == ["r"]


def test_a_run_that_ended_is_done_with(home: Path, aws: ModuleType) -> None:
    """A late message of an ended run is served, and nothing happens."""
    run_id = submit("echo")
    for copy in range(2):
        assert aws.failed(advance.handler(aws.hint(run_id, f"m{copy}"), aws.Context())) == []


def test_a_run_that_another_holds_is_left_to_them(home: Path, aws: ModuleType) -> None:
    """The message is done with: when the holder lets go, the stream of heads tells of the run."""
    run_id = submit("echo")
    lease = shared().run(lambda app: app.store.lease(run_id, "somebody", ttl_ms=60_000))
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    assert result(run_id) is None
    shared().run(lambda app: app.store.release(lease))
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    assert result(run_id) is not None


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"run_id": 7}', "null"])
def test_what_is_no_hint_fails_alone(home: Path, aws: ModuleType, body: str) -> None:
    """A message that names no run goes the way of the dead letters; the others of its batch are served."""
    run_id = submit("echo")
    event = aws.batch(aws.message(body, "bad"), aws.message({"run_id": run_id}, "good"))
    assert aws.failed(advance.handler(event, aws.Context())) == ["bad"]
    ended = result(run_id)
    assert ended is not None
    assert ended.status == "success"


def test_an_unknown_run_is_done_with(home: Path, aws: ModuleType) -> None:
    """A message about a run that is not there has nothing to do."""
    assert aws.failed(advance.handler(aws.hint("run_unknown"), aws.Context())) == []


def test_nothing_is_begun_with_too_little_time_left(home: Path, aws: ModuleType) -> None:
    """The message comes again, and the run has not been touched."""
    run_id = submit("echo")
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context(3))) == ["m1"]
    head = shared().run(lambda app: app.store.head(run_id))
    assert head is not None
    assert (head.seq, head.epoch) == (0, 0)


def test_a_run_is_given_back_before_the_time_is_up(home: Path, aws: ModuleType) -> None:
    """A run that takes longer than the function may is not held any more, so that the next invocation goes on at once."""
    (home / "hold").touch()
    run_id = submit("sloth")
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context(5.3))) == []
    head = shared().run(lambda app: app.store.head(run_id))
    assert head is not None
    assert (head.status, head.owner) == ("ready", "")
    (home / "hold").unlink()
    assert aws.failed(advance.handler(aws.hint(run_id, received=2), aws.Context())) == []
    ended = result(run_id)
    assert ended is not None
    assert ended.result_payload == "done at last"


def test_a_run_that_cannot_be_read_is_set_aside(home: Path, aws: ModuleType) -> None:
    """A journal that is damaged fails until the last delivery, and then waits for an operator."""
    run_id = submit("echo")
    damage(home, run_id)
    for received in range(1, 5):
        assert aws.failed(advance.handler(aws.hint(run_id, received=received), aws.Context())) == ["m1"]
        assert run_id in shared().run(lambda app: app.store.due(limit=10))
    assert aws.failed(advance.handler(aws.hint(run_id, received=5), aws.Context())) == ["m1"]
    assert shared().run(lambda app: app.store.due(limit=10)) == []
    row = shared().run(lambda app: app.store.get("agent_run", (run_id,)))
    assert row is not None
    assert row["status"] == "waiting"
    assert row["waiting_on"][0].startswith("operator: [E808]")


def damage(home: Path, run_id: str) -> None:
    """Change the run's first entry behind the store's back."""
    with closing(sqlite3.connect(home / "remit.db")) as database, database:
        found = "SELECT key << 24 FROM runs WHERE run_id = ?"
        changed = database.execute(f"UPDATE events SET body = x'00' WHERE id = ({found})", (run_id,))
        assert changed.rowcount == 1


CHARGES = ["r-0", "r-1", "r-2"]
POINTS = [
    "before:append:RunClaimed",
    "before:effect:charge#2",
    "after:effect:charge#2",
    "before:append:EffectDone#2",
    "after:append:EffectDone#3",
    "before:append:RunFinished",
    "after:append:RunFinished",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_function_killed_in_the_middle(home: Path, aws: ModuleType, point: str) -> None:
    """Killed at any point, called again with the same message as SQS does: the run ends, and each charge has one key."""
    run_id = submit("charger", input="r")
    killed = invoked_and_killed(run_id, point)
    assert killed == -signal.SIGKILL
    expire(run_id)
    assert aws.failed(advance.handler(aws.hint(run_id, received=2), aws.Context())) == []
    ended = result(run_id)
    assert ended is not None
    assert (ended.status, ended.result_payload) == ("success", [f"charged {ref}" for ref in CHARGES])
    assert set((home / "charged").read_text().split()) == set(CHARGES)
    keys = shared().run(lambda app: app.runs.view(run_id, "local"))
    assert [step.name for step in keys.steps] == ["charge"] * 3


def expire(run_id: str) -> None:
    """Wait for the end of the dead function's lease, as the queue's visibility timeout does."""

    async def ended(app: Any) -> None:
        head = await app.store.head(run_id)
        await app.clock.sleep(max(0.0, (head.lease_until - app.clock.now()) / 1000))

    shared().run(ended)


def invoked_and_killed(run_id: str, point: str) -> int:
    """Call the handler in a process that dies at the point; its exit code."""
    program = textwrap.dedent(
        f"""
        import json, sys
        from remit.functions.advance import handler
        body = json.dumps({{"run_id": {run_id!r}}})
        handler({{"Records": [{{"messageId": "m1", "receiptHandle": "r", "body": body}}]}}, None)
        """
    )
    environ = {**os.environ, "REMIT_FAULT": point}
    return subprocess.run([sys.executable, "-c", program], env=environ, timeout=60, check=False).returncode


def test_a_tick_does_nothing_when_nothing_is_due(home: Path, aws: ModuleType) -> None:
    """A tick says what it did."""
    assert tick.handler({"source": "aws.scheduler"}, aws.Context()) == {
        "started": 0,
        "hinted": 0,
        "waiting": 0,
        "delivered": 0,
        "swept": 0,
    }
