"""What stops a call stops the run, whatever the agent makes of it; what was begun is never executed again by itself."""

from __future__ import annotations

import asyncio
from typing import Any

from remit import agent, tool
from remit.adapters.clock.system import SystemClock
from remit.core.budget import Budget
from remit.core.task import Constraints
from remit.testing import BOSS, app_for_tests, call, task

RAN: list[str] = []


@tool(risk="L3")
async def launch() -> str:
    """Privileged: always waits for a person."""
    RAN.append("launch")
    return "launched"


@tool
async def look() -> str:
    """A read."""
    return "seen"


@tool(risk="L1", timeout_s=5)
async def charge() -> str:
    """An effect without a key; it takes a while to answer."""
    RAN.append("charge")
    await asyncio.sleep(0.3)
    return "charged"


@tool
async def ends_itself() -> str:
    """A read that raises CancelledError by itself."""
    raise asyncio.CancelledError


@agent(tools=[launch, look])
async def gathers(input: Any, memory: Any, context: Any) -> Any:
    """Collects what its calls raise, as careful code does."""
    return [
        type(x).__name__
        for x in await asyncio.gather(context.call("launch"), context.call("look"), return_exceptions=True)
    ]


@agent(tools=[launch, look])
async def groups(input: Any, memory: Any, context: Any) -> Any:
    """Makes its calls in a task group, which wraps what they raise."""
    async with asyncio.TaskGroup() as group:
        first = group.create_task(context.call("launch"))
        group.create_task(context.call("look"))
    return first.result()


@agent(tools=[charge, look])
async def gives_up(input: Any, memory: Any, context: Any) -> Any:
    """Waits for an effect less long than it takes."""
    try:
        await asyncio.wait_for(context.call("charge"), 0.05)
    except TimeoutError:
        return "gave up"
    return "charged"


@agent
async def sleeps(input: Any, memory: Any, context: Any) -> Any:
    """Waits by itself for a long time."""
    await asyncio.sleep(600)


async def test_a_gathered_approval_is_still_waited_for() -> None:
    """`gather(return_exceptions=True)` does not turn a pending approval into an answer."""
    RAN.clear()
    async with app_for_tests(gathers, clock=SystemClock()) as app:
        result = await app.run(task(gathers))
        assert result.status == "needs_approval"
        await app.approvals.decide(result.waiting_on[0].removeprefix("approval:"), "local", BOSS, "approve")
        await app.worker.run_until_idle()
        done = await app.runs.result(result.run_id, "local")
    assert done is not None
    assert (done.status, done.result_payload, RAN) == ("success", ["str", "str"], ["launch"])


async def test_a_task_group_parks_like_any_code() -> None:
    """A task group's wrapping hides no approval, and the run parks instead of spinning."""
    async with app_for_tests(groups, clock=SystemClock()) as app:
        result = await app.run(task(groups))
        assert result.status == "needs_approval"
        assert (await app.runs.view(result.run_id, "local")).seq < 12


async def test_a_run_does_not_end_over_an_effect_without_outcome() -> None:
    """An agent that stops waiting for an effect cannot end the run before somebody said whether it happened."""
    RAN.clear()
    async with app_for_tests(gives_up, clock=SystemClock()) as app:
        result = await app.run(task(gives_up))
        assert result.status == "needs_approval"
        view = await app.runs.view(result.run_id, "local")
        assert [s.state for s in view.steps] == ["in_doubt"]
    assert RAN == ["charge"]


async def test_a_tool_that_raises_cancelled_error_fails() -> None:
    """A tool cannot make its run spin by raising CancelledError: it is a failure like any other."""

    @agent(tools=[ends_itself])
    async def asks(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("ends_itself")

    async with app_for_tests(asks, clock=SystemClock()) as app:
        result = await app.run(task(asks))
    assert result.problem is not None
    assert (result.status, result.problem.code) == ("failure", "E708")


async def test_an_agent_that_waits_by_itself_is_stopped_in_time() -> None:
    """`max_wall_s` ends a run whose agent waits in its own code."""
    async with app_for_tests(sleeps, clock=SystemClock()) as app:
        limited = task(sleeps, constraints=Constraints(Budget(max_wall_s=0.2)))
        result = await asyncio.wait_for(app.run(limited), 20)
    assert result.problem is not None
    assert result.problem.code == "E512"


async def test_a_session_keeps_what_it_read() -> None:
    """A later run of a session starts with the labels of what is in its prompt again."""

    @tool(trust="untrusted", sensitivity="private")
    async def web() -> str:
        """Reads the outside."""
        return "buy now"

    from remit import Agent

    reader = Agent("reader", instructions="Read.", tools=[web])
    async with app_for_tests(reader, replies=[call("web"), "read it", "again"], clock=SystemClock()) as app:
        await app.run(task(reader, "t1", session_id="s"))
        second = await app.run(task(reader, "t2", session_id="s"))
        labels = (await app.runs.view(second.run_id, "local")).labels
    assert labels.untrusted
    assert labels.private


async def test_a_person_may_have_an_effect_done_within_its_own_hold() -> None:
    """ "It did not happen, do it" is not refused by the budget that this very call holds."""
    tries: list[int] = []

    @tool(risk="L1")
    async def boom() -> str:
        """Fails the first time without saying whether it happened."""
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("the line went dead")
        return "done"

    @agent(tools=[boom])
    async def does(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("boom")

    async with app_for_tests(does, clock=SystemClock()) as app:
        result = await app.run(task(does, constraints=Constraints(Budget(max_tool_calls=1))))
        await app.approvals.decide(result.waiting_on[0].removeprefix("approval:"), "local", BOSS, "approve")
        await app.worker.run_until_idle()
        done = await app.runs.result(result.run_id, "local")
    assert done is not None
    assert (done.status, done.result_payload) == ("success", "done")
