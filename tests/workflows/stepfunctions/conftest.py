"""Step Functions moved by hand, and a deployment on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.workflows.stepfunctions import flows_app
from tests.workflows.stepfunctions.states_server import Execution, StatesServer

from remit.bootstrap import App, open_app
from remit.core.states.arns import Bindings
from remit.core.states.compile import compile_for_stepfunctions
from remit.core.task import Actor, Task
from remit.functions import task
from remit.settings import Settings

BINDINGS = Bindings(
    partition="aws",
    region="eu-west-1",
    account="123456789012",
    prefix="acme-dev",
    event_bus="acme-dev",
    governed=True,
)


class Account:
    """A deployment `acme-dev` in an account where every state is entered by the test."""

    def __init__(self, server: StatesServer, home: Path) -> None:
        self.server, self.home = server, home
        for name, document in flows_app.DOCUMENTS.items():
            made = compile_for_stepfunctions(document, BINDINGS, name).document
            assert made is not None
            server.definitions[BINDINGS.machine(name)] = made

    def app(self, **settings: Any) -> AbstractAsyncContextManager[App]:
        """The deployment, as one of its functions has it."""
        given: dict[str, Any] = {
            "home": self.home,
            "store": f"sqlite:///{self.home}/remit.db",
            "deployment": "acme-dev",
            "engine": "stepfunctions",
            "aws_endpoint": self.server.url,
            "region": "eu-west-1",
        }
        return open_app(Settings(**{**given, **settings}), app_file=str(Path(flows_app.__file__)))

    def lines(self, name: str) -> list[str]:
        """What a tool did, one line each time."""
        file = self.home / name
        return file.read_text().split() if file.exists() else []

    @property
    def execution(self) -> Execution:
        """The only execution there is."""
        (found,) = self.server.executions.values()
        return found


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("REMIT_TEST_HOME", str(tmp_path))
    pytest.importorskip("boto3")
    server = StatesServer()
    yield Account(server, tmp_path)
    server.close()


async def started(app: App, workflow: str, given: Any, task_id: str = "t1") -> str:
    """The run of a workflow whose execution has begun."""
    run_id = await app.runs.submit(Task(task_id, workflow, input=given, actor_context=Actor("alice")))
    await app.engine.advance(run_id)
    return run_id


async def called(app: App, event: dict[str, Any], seconds: float = 20.0) -> Any:
    """What a function answers to its event, which has this much time."""
    return await task.answer(app, event, lambda: seconds)
