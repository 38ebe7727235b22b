"""Runs that a function can never bring to an end."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from remit.core.task import Task
from remit.engine.worker import POISON_TRIES
from remit.functions import advance
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
    assert outcomes == [["m1"]] * (POISON_TRIES - 1) + [[]]
    view = shared().run(lambda app: app.runs.view(run_id, "local"))
    assert view.waiting_on[0].startswith("operator: `slow` was cut off 5 times")
    assert shared().run(lambda app: app.store.due(limit=10)) == []
    (home / "hold").unlink()
    shared().run(lambda app: app.runs.resume(run_id, "local", view.task.actor_context))
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    ended = shared().run(lambda app: app.runs.result(run_id, "local"))
    assert ended is not None
    assert ended.result_payload == "done at last"
