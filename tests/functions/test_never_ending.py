"""Runs that a function can never bring to an end."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from remit.bootstrap import App
from remit.core.errors import ConfigError
from remit.core.task import Task
from remit.engine.deaths import MOST_DEATHS
from remit.engine.worker import POISON_TRIES
from remit.functions import advance, tick
from remit.functions.container import shared


def test_a_call_that_takes_longer_than_any_function_may_is_told(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut off some times, and then waits for an operator, who can go on with it when it has more time."""
    monkeypatch.setattr(advance, "ENOUGH_S", 0.5)
    monkeypatch.setattr(advance, "LETTING_GO_S", 0.3)
    (home / "hold").touch()
    run_id = shared().run(lambda app: app.runs.submit(Task("t1", "sloth")))
    outcomes = [aws.failed(advance.handler(aws.hint(run_id), aws.Context(1.0))) for _ in range(POISON_TRIES)]
    assert outcomes == [[]] * POISON_TRIES
    view = shared().run(lambda app: app.runs.view(run_id, "local"))
    assert view.waiting_on[0].startswith("operator: `slow` was cut off 5 times")
    assert shared().run(lambda app: app.store.due(limit=10)) == []
    (home / "hold").unlink()
    shared().run(lambda app: app.runs.resume(run_id, "local", view.task.actor_context))
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    ended = shared().run(lambda app: app.runs.result(run_id, "local"))
    assert ended is not None
    assert ended.result_payload == "done at last"


REFUSED = ["E257", "E258", "E656", "E657"]


@pytest.mark.parametrize("code", REFUSED)
def test_what_aws_refuses_is_not_held_against_a_run(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A permission that is not in force yet: the run is never set aside, and goes on as soon as it is."""
    run_id = shared().run(lambda app: app.runs.submit(Task("t1", "echo", input="x")))
    profile = shared().run(_policy).profile

    def refused(name: str) -> object:
        raise ConfigError("AWS refuses `dynamodb:GetItem`", code=code)

    monkeypatch.setattr(shared().run(_policy), "profile", refused)
    for received in range(1, 9):
        assert aws.failed(advance.handler(aws.hint(run_id, received=received), aws.Context())) == ["m1"]
        assert shared().run(lambda app: app.store.due(limit=10)) == [run_id]
    monkeypatch.setattr(shared().run(_policy), "profile", profile)
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    ended = shared().run(lambda app: app.runs.result(run_id, "local"))
    assert ended is not None
    assert ended.status == "success"


async def _policy(app: App) -> Any:
    return app.policy


def test_a_run_that_kills_its_function_each_time_is_set_aside(home: Path, aws: ModuleType) -> None:
    """Out of memory over and over: after five deaths it waits for an operator, and nobody is told of it any more."""
    run_id = shared().run(lambda app: app.runs.submit(Task("t1", "glutton")))
    for deaths in range(MOST_DEATHS):
        assert killed(run_id) == -signal.SIGKILL, deaths
        expire(run_id)
    assert killed(run_id) == 0
    view = shared().run(lambda app: app.runs.view(run_id, "local"))
    assert view.status == "waiting"
    assert view.waiting_on[0].startswith("operator: its last 5 workers ended without a word")
    assert tick.handler({}, aws.Context())["waiting"] == 0
    assert shared().run(lambda app: app.store.due(limit=10)) == []
    (home / "fed").touch()
    shared().run(lambda app: app.runs.resume(run_id, "local", view.task.actor_context))
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    ended = shared().run(lambda app: app.runs.result(run_id, "local"))
    assert ended is not None
    assert ended.result_payload == "fed"


def killed(run_id: str) -> int:
    """Call the handler in a process of its own; its exit code."""
    program = textwrap.dedent(
        f"""
        import json
        from remit.functions.advance import handler
        body = json.dumps({{"run_id": {run_id!r}}})
        handler({{"Records": [{{"messageId": "m1", "receiptHandle": "r", "body": body}}]}}, None)
        """
    )
    return subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode


def expire(run_id: str) -> None:
    """Wait for the end of the dead function's lease."""

    async def ended(app: App) -> None:
        head = await app.store.head(run_id)
        assert head is not None
        await app.clock.sleep(max(0.0, (head.lease_until - app.clock.now()) / 1000))

    shared().run(ended)
