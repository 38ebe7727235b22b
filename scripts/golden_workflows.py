"""Workflows whose runs are golden journals, and what happens in them; `scripts/golden.py` writes them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from remit.bootstrap import App
from remit.core.task import Actor, Task
from remit.engine.workflows.forking import Forks
from remit.sdk import Pack
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import AnyTool, Named, TaskFailure

Play = Callable[[App, str], Awaitable[list[str]]]


def machine(start: str, **states: Any) -> dict[str, Any]:
    """A document in JSONata."""
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": states}


def call(name: str, **fields: Any) -> dict[str, Any]:
    """A Task that calls a tool."""
    return {
        "Type": "Task",
        "Resource": f"remit:tool:{name}",
        **({} if "Next" in fields else {"End": True}),
        **fields,
    }


def branch(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """A machine of one state."""
    return {"StartAt": name, "States": {name: state}}


PARALLEL = machine(
    "both",
    both={
        "Type": "Parallel",
        "Branches": [branch("a", call("echo")), branch("b", call("echo"))],
        "Next": "each",
    },
    each={
        "Type": "Map",
        "Items": "{% [1, 2, 3] %}",
        "MaxConcurrency": 2,
        "ItemProcessor": branch("one", call("echo", Assign={"seen": "{% $states.result %}"})),
        "Next": "choose",
    },
    choose={
        "Type": "Choice",
        "Choices": [{"Condition": "{% $count($states.input) = 3 %}", "Next": "done"}],
        "Default": "off",
    },
    off={"Type": "Fail", "Error": "Off"},
    done={"Type": "Succeed", "Output": "{% $states.input %}"},
)
CAUGHT = machine(
    "try",
    **{
        "try": call(
            "fails",
            Retry=[{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "after"}],
        ),
        "after": {"Type": "Fail", "Error": "Given.Up", "Cause": "{% $states.input.Error %}"},
    },
)
GATE = machine(
    "ask",
    ask={
        "Type": "Task",
        "Resource": "remit:gate:more",
        "Arguments": {"Message": "More?", "Payload": {"n": 1}},
        "End": True,
    },
)
ABORTED = machine(
    "both",
    both={
        "Type": "Parallel",
        "Branches": [branch("ask", GATE["States"]["ask"]), branch("off", {"Type": "Fail", "Error": "Off"})],
        "Catch": [{"ErrorEquals": ["Off"], "Next": "after"}],
        "End": True,
    },
    after={"Type": "Pass", "Output": "went on", "End": True},
)
CALLBACK = machine(
    "dig", dig={"Type": "Task", "Resource": "remit:activity:dig", "HeartbeatSeconds": 60, "End": True}
)
WAITING = machine("pause", pause={"Type": "Wait", "Seconds": 3600, "Next": "done"}, done={"Type": "Succeed"})
NESTED = machine("inner", inner={"Type": "Task", "Resource": "remit:workflow:inner", "End": True})


async def ended(app: App, run_id: str) -> list[str]:
    """Nothing more happens to the run."""
    return [run_id]


async def decided(app: App, run_id: str) -> list[str]:
    """A person edits what the gate shows."""
    page = await app.approvals.list("local")
    await app.approvals.decide(page.items[0]["approval_id"], "local", BOSS, "constrain", arguments={"n": 0})
    await app.worker.run_until_idle(run_id)
    return [run_id]


async def dug(app: App, run_id: str) -> list[str]:
    """A worker takes the task, says that it is alive, and answers."""
    taken = await app.callbacks.take("dig", "local", "worker")
    assert taken is not None
    await app.callbacks.heartbeat(taken.token, "local")
    await app.worker.run_until_idle(run_id)
    await app.callbacks.succeed(taken.token, "gold", "local")
    await app.worker.run_until_idle(run_id)
    return [run_id]


async def retried(app: App, run_id: str) -> list[str]:
    """The failed run and the one that took over from it."""
    fork = await Forks(app.kit).retry(run_id, "local", Actor("alice"), fork_id="again")
    await app.worker.run_until_idle(fork)
    return [run_id, fork]


SCENES: dict[str, tuple[dict[str, Any], Play]] = {
    "workflow-parallel-map": (PARALLEL, ended),
    "workflow-caught": (CAUGHT, ended),
    "workflow-gate": (GATE, decided),
    "workflow-aborted-branch": (ABORTED, ended),
    "workflow-activity": (CALLBACK, dug),
    "workflow-waiting": (WAITING, ended),
    "workflow-nested": (NESTED, ended),
    "workflow-retried": (CAUGHT, retried),
}


def fails(event: Any) -> None:
    """A task that is always busy."""
    raise TaskFailure("Busy", "try later")


@contextlib.asynccontextmanager
async def played(name: str) -> AsyncIterator[tuple[App, list[str]]]:
    """The app in which a scene was played, and the runs that are kept of it."""
    document, play = SCENES[name]
    clock = FakeClock()
    tools: list[Any] = [AnyTool("echo", lambda event: event), AnyTool("fails", fails)]
    inner = machine("p", p={"Type": "Pass", "Output": 42, "End": True})
    pack = Pack("golden", tools=tools, workflows=[Named("flow", document), Named("inner", inner)])
    async with app_for_tests(packs=[pack], clock=clock) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input={"x": 1}, actor_context=Actor("alice")))
        await app.worker.run_until_idle(run_id)
        if document is CAUGHT:
            clock.advance(2)  # past the pause before the Retry
            await app.worker.run_until_idle(run_id)
        yield app, await play(app, run_id)
