"""One loop and one App for a whole execution environment, whatever happens in it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from remit.bootstrap import App
from remit.core.errors import ConfigError
from remit.core.task import Task
from remit.functions import advance
from remit.functions.container import Container, shared
from remit.testing.apps import app_for_tests


def test_the_app_is_opened_once_and_the_loop_stays() -> None:
    """Work after work finds the same App on the same loop, also after one that failed."""
    opened: list[App] = []

    def opening() -> App:
        opened.append(app_for_tests())
        return opened[-1]

    async def where(app: App) -> tuple[App, asyncio.AbstractEventLoop]:
        return app, asyncio.get_running_loop()

    async def failing(app: App) -> None:
        raise ValueError("this work fails")

    container = Container(opening)
    first = container.run(where)
    with pytest.raises(ValueError, match="this work fails"):
        container.run(failing)
    assert container.run(where) == first
    assert len(opened) == 1
    container.close()


def test_what_was_begun_goes_on_with_the_next_work() -> None:
    """A task that an invocation leaves behind stands still until the next one, and is not lost."""
    done: list[str] = []
    kept: list[asyncio.Task[None]] = []

    async def begin(app: App) -> None:
        async def later() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            done.append("later")

        kept.append(asyncio.create_task(later()))

    async def go_on(app: App) -> None:
        await asyncio.wait_for(kept[0], 5)

    container = Container(app_for_tests)
    container.run(begin)
    assert done == []
    container.run(go_on)
    assert done == ["later"]
    container.close()


def test_an_app_that_cannot_be_opened_is_tried_again() -> None:
    """Getting ready never fails; the first work says why, and the next one is served."""
    answers = [ConfigError("not yet"), ConfigError("not yet"), app_for_tests()]

    def opening() -> App:
        answer = answers.pop(0)
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    async def ping(app: App) -> None:
        await app.store.ping()

    container = Container(opening)
    container.prepare()
    with pytest.raises(ConfigError, match="not yet"):
        container.run(ping)
    container.run(ping)
    container.close()


def test_what_was_measured_is_written_before_the_function_stands_still(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Metrics are in the log when the handler has answered."""
    monkeypatch.setenv("REMIT_EMF", "1")
    monkeypatch.setenv("REMIT_DEPLOYMENT", "")
    run_id = shared().run(lambda app: app.runs.submit(Task("t1", "echo")))
    capfd.readouterr()
    advance.handler(aws.hint(run_id), aws.Context())
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert any("_aws" in line for line in lines)


def test_in_lambda_the_app_is_open_before_the_first_event(home: Path) -> None:
    """Importing the handler opens it; elsewhere importing does nothing."""
    code = "import remit.functions.advance"
    for name, there in (("", False), ("remit-test-agent-echo", True)):
        environ = {**os.environ, **({"AWS_LAMBDA_FUNCTION_NAME": name} if name else {})}
        subprocess.run([sys.executable, "-c", code], env=environ, timeout=60, check=True)
        assert (home / "remit.db").exists() is there
