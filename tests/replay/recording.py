"""Records golden journals of workflows: `python -m tests.replay.recording`. What was recorded is never recorded again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from remit.bootstrap import App
from remit.core.codec import plain
from remit.core.result import view_of
from remit.core.task import Actor, Task
from remit.engine import loading
from remit.engine.workflows.forking import Forks
from remit.sdk import Pack
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import AnyTool, Named, TaskFailure

GOLDEN = Path(__file__).parent / "golden"
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


async def with_child(app: App, run_id: str) -> list[str]:
    """The run and its child."""
    return [run_id, *(await app.runs.view(run_id, "local")).children]


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
    "workflow-nested": (NESTED, with_child),
    "workflow-retried": (CAUGHT, retried),
}


def fails(event: Any) -> None:
    """A task that is always busy."""
    raise TaskFailure("Busy", "try later")


async def record(document: dict[str, Any], play: Play) -> list[dict[str, Any]]:
    """The journals of one scene, as they are kept."""
    clock = FakeClock()
    tools: list[Any] = [AnyTool("echo", lambda event: event), AnyTool("fails", fails)]
    flows = [
        Named("flow", document),
        Named("inner", machine("p", p={"Type": "Pass", "Output": 42, "End": True})),
    ]
    async with app_for_tests(packs=[Pack("golden", tools=tools, workflows=flows)], clock=clock) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input={"x": 1}, actor_context=Actor("alice")))
        await app.worker.run_until_idle(run_id)
        if (
            (head := await app.store.head(run_id)) is not None
            and head.wake_ts is not None
            and document is CAUGHT
        ):
            clock.advance(2)
            await app.worker.run_until_idle(run_id)
        return [await _kept(app, each) for each in await play(app, run_id)]


async def _kept(app: App, run_id: str) -> dict[str, Any]:
    entries = await app.store.read(run_id, limit=10_000)
    run, _ = await loading.load(app.store, run_id)
    return {
        "run_id": run_id,
        "events": [e.body.decode() for e in entries],
        "hashes": [e.hash.hex() for e in entries],
        "contents": {ref: data.decode() for ref, data in run.contents.items()},
        "view": plain(view_of(run)),
    }


async def main() -> None:
    """Record what is not there yet."""
    for name, (document, play) in SCENES.items():
        path = GOLDEN / f"{name}.json"
        if not path.exists():
            runs = await record(document, play)
            path.write_text(json.dumps({"runs": runs}, indent=1) + "\n")
            print(name, [r["view"]["status"] for r in runs])


if __name__ == "__main__":
    asyncio.run(main())
