"""Running a States Language document in memory: answers by name, time that jumps over waits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from remit.bootstrap.adapters import open_objects
from remit.core.errors import ToolError
from remit.core.naming import LOCAL
from remit.core.run import Run
from remit.core.task import Task
from remit.core.tool import Retry, ToolSpec
from remit.engine import loading
from remit.ports.agents import Found, ToolContext
from remit.sdk import Pack
from remit.testing.apps import app_for_tests
from remit.testing.clock import FakeClock

Answer = Callable[[Any], Any]


class Ran(Struct, frozen=True):
    """How a document ran: `status` SUCCEEDED or FAILED, its output, or its error and cause; `path` the states entered in order."""

    status: str
    output: Any
    error: str
    cause: str
    path: list[str]
    frames: dict[str, list[str]]


class Named(Struct, frozen=True):
    """A document under a name, as a pack holds workflows."""

    spec_name: str
    document: dict[str, Any]
    description: str = ""
    tools: Sequence[Any] = ()
    agents: Sequence[Any] = ()
    workflows: Sequence[Any] = ()


class TaskFailure(Exception):
    """What an answer raises to fail its task with this error name and cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class AnyTool:
    """A function of the whole input as a tool, as a Lambda function is one."""

    can_reconcile = False

    def __init__(self, name: str, answer: Answer) -> None:
        schema = {"type": "object", "properties": {"event": {}}}
        self.spec = ToolSpec(
            name, "", schema, effect="read", retry=Retry(attempts=1), max_output_bytes=1 << 30
        )
        self._answer = answer

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """The function's answer; TaskFailure is the task's error."""
        try:
            given = self._answer(arguments["event"])
            return await given if inspect.isawaitable(given) else given
        except TaskFailure as failure:
            raise ToolError(failure.cause, code=failure.error) from failure

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """It reads only."""
        raise NotImplementedError

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """None."""
        return {}


async def run_document(
    document: dict[str, Any],
    input: Any = None,
    tasks: Mapping[str, Answer] | None = None,
    *,
    workflows: Mapping[str, dict[str, Any]] | None = None,
    objects: Mapping[str, bytes] | None = None,
) -> Ran:
    """Run a document to its end. `tasks`: what the tool or function of a name answers to its input.

    `workflows`: other documents by name; `objects`: what is stored at `BUCKET/KEY` before.

    The document is run as it is: check it first. A run that waits for anything but time raises RuntimeError.
    """
    flows = [Named(n, d) for n, d in {"document": document, **(workflows or {})}.items()]
    tools: list[Any] = [AnyTool(n, a) for n, a in (tasks or {}).items()]
    clock = FakeClock()
    app = app_for_tests(packs=[Pack("documents", tools=tools, workflows=flows)], clock=clock)
    async with app:
        for place, data in (objects or {}).items():
            bucket, _, key = place.partition("/")
            await open_objects(app.settings).of(LOCAL).put(bucket, key, data)
        run_id = await app.runs.submit(Task("t1", "document", input=input))
        while True:
            await app.worker.run_until_idle(run_id)
            run, _ = await loading.load(app.store, run_id)
            if run.finished is not None:
                return _ran(run)
            head = await app.store.head(run_id)
            if head is None or head.wake_ts is None:
                raise RuntimeError(f"the run waits for {run.waiting_on}")
            clock.advance(max(head.wake_ts - clock.now(), 0) / 1000)


def _ran(run: Run) -> Ran:
    assert run.workflow is not None
    assert run.finished is not None
    path: list[str] = []
    frames: dict[str, list[str]] = {}
    for visit in run.workflow.visits.values():
        path.append(visit.state)
        frames.setdefault(visit.frame, []).append(visit.state)
    ended = run.workflow.ended
    if ended is None or ended.error:
        problem = run.finished.problem
        error = ended.error if ended is not None else problem.code if problem else ""
        cause = ended.cause if ended is not None else problem.message if problem else ""
        return Ran("FAILED", None, error, cause, path, frames)
    return Ran("SUCCEEDED", run.finished.payload, "", "", path, frames)
