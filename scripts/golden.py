"""Add golden journals: real runs whose replay must stay what it is for ever (tests/replay/golden).

    python scripts/golden.py                        the scenarios below that have no file yet
    python scripts/golden.py NAME STORE_URL RUN_ID  any run of a store, with its children

A golden journal is never changed: a new one gets a new name.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from golden_workflows import SCENES, played

from remit.bootstrap import App
from remit.core.codec import plain
from remit.core.result import view_of
from remit.engine import loading
from remit.sdk import Agent, agent, tool
from remit.testing import BOSS, FakeClock, app_for_tests, call, calls, task

GOLDEN = Path(__file__).parents[1] / "tests" / "replay" / "golden"


async def exported(app: App, run_id: str) -> list[dict[str, Any]]:
    """A run and its children as JSON: exact event bytes, hashes, contents, and the view they fold to."""
    run, _ = await loading.load(app.store, run_id)
    entries = []
    while page := await app.store.read(run_id, after=len(entries) - 1):
        entries += page
    this = {
        "run_id": run_id,
        "events": [e.body.decode() for e in entries],
        "hashes": [e.hash.hex() for e in entries],
        "contents": {digest: data.decode() for digest, data in sorted(run.contents.items())},
        "view": plain(view_of(run)),
    }
    children = [s.child_run for s in run.steps.values() if s.child_run]
    return [this, *[r for child in children for r in await exported(app, child)]]


@tool
def look(text: str) -> str:
    """Look: its answers are long enough to be stored by digest."""
    return text * 100


@tool(risk="L3")
def wipe(disk: str) -> str:
    """Privileged."""
    return f"wiped {disk}"


@tool(risk="L1")
def send(text: str) -> str:
    """Breaks before it says whether it happened."""
    raise RuntimeError("connection lost")


worker = Agent("worker", instructions="Work.", tools=[look, wipe, send])
leader = Agent("leader", instructions="Lead.", delegates=[worker])


@agent(tools=[look], delegates=[worker])
async def coded(input: Any, memory: Any, context: Any) -> Any:
    """Every verb of a code agent."""
    seen = await context.call_many([("look", {"text": "a"}), ("look", {"text": 1})][:1])
    await context.remember("seen", seen)
    answer = await context.ask("and?")
    result = await context.delegate("worker", "help")
    return [memory.get("seen"), answer, result.result_payload]


async def decide(app: App, kind: Any, **more: Any) -> None:
    """Decide about all that waits, and drive on."""
    for item in (await app.approvals.list("local")).items:
        await app.approvals.decide(item["approval_id"], "local", BOSS, kind, rationale="because", **more)
    await app.worker.run_until_idle()


async def nothing(app: App, run_id: str) -> None:
    """Let it be as it is."""


async def approve(app: App, run_id: str) -> None:
    await decide(app, "request_info")
    for item in (await app.approvals.list("local", status="info_requested")).items:
        await app.approvals.answer(item["approval_id"], "local", BOSS, "the old one")
    await app.worker.run_until_idle()
    await decide(app, "constrain", arguments={"disk": "sdb"})


async def reject(app: App, run_id: str) -> None:
    await decide(app, "reject")


async def cancel(app: App, run_id: str) -> None:
    await app.runs.cancel(run_id, "local", BOSS, "enough")
    await app.worker.run_until_idle()


async def wait_too_long(app: App, run_id: str) -> None:
    clock = app.clock
    assert isinstance(clock, FakeClock)
    clock.advance(86_400)
    await app.worker.run_until_idle()


Scenario = tuple[Any, list[Any], Callable[[App, str], Awaitable[None]]]
SCENARIOS: dict[str, Scenario] = {
    "plain": (worker, [calls(("look", {"text": "a"}), ("look", {"text": 7}), ("gone", {})), "done"], nothing),
    "approval": (worker, [call("wipe", disk="sda"), "done"], approve),
    "rejected": (worker, [call("wipe", disk="sda"), "done"], reject),
    "waiting": (worker, [call("wipe", disk="sda")], nothing),
    "in-doubt": (worker, [call("send", text="hi"), "done"], reject),
    "in-doubt-open": (worker, [call("send", text="hi")], nothing),
    "delegation": (
        leader,
        [call("delegate_to_worker", objective="x"), call("look", text="b"), "b", "done"],
        nothing,
    ),
    "cancelled": (leader, [call("delegate_to_worker", objective="x"), call("wipe", disk="sda")], cancel),
    "overdue": (worker, [call("wipe", disk="sda"), "done"], wait_too_long),
    "code": (coded, ["well", "child says"], nothing),
    "model-failed": (worker, [], nothing),
}


async def scenario(name: str) -> list[dict[str, Any]]:
    """The journals of one scenario."""
    made, replies, then = SCENARIOS[name]
    others = [a for a in (worker, leader, coded) if a is not made]
    async with app_for_tests(made, *others, replies=replies) as app:
        run_id = (await app.run(task(made, f"golden-{name}"))).run_id
        await then(app, run_id)
        return await exported(app, run_id)


async def workflow(name: str) -> list[dict[str, Any]]:
    """The journals of one workflow's scene."""
    async with played(name) as (app, runs):
        return [kept for run_id in runs for kept in await exported(app, run_id)]


async def from_store(url: str, run_id: str) -> list[dict[str, Any]]:
    """The journals of a run in a store."""
    async with app_for_tests(store=url) as app:
        return await exported(app, run_id)


def write(name: str, runs: list[dict[str, Any]]) -> None:
    """Write a new golden file. Refuses to change one."""
    path = GOLDEN / f"{name}.json"
    if path.exists():
        sys.exit(f"{path} exists, and a golden journal is never changed: choose another name")
    path.write_text(json.dumps({"runs": runs}, indent=1, sort_keys=True) + "\n")
    print(f"wrote {path}")


def main() -> None:
    """See the module's docstring."""
    if len(sys.argv) == 4:
        write(sys.argv[1], asyncio.run(from_store(sys.argv[2], sys.argv[3])))
        return
    for name in (*SCENARIOS, *SCENES):
        if not (GOLDEN / f"{name}.json").exists():
            write(name, asyncio.run((workflow if name in SCENES else scenario)(name)))


if __name__ == "__main__":
    main()
