"""The rows of `tool_call`: one for each call that was begun, none lost with a worker."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, tool
from remit.bootstrap import App
from remit.core.message import Message
from remit.engine.effects import ROWS_KEPT
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, call, task

TURNS = 4


@tool
def look(at: int) -> int:
    """Look."""
    return at


@tool(risk="L3")
def launch() -> str:
    """Privileged."""
    return "launched"


looker = Agent("looker", instructions="Look.", tools=[look, launch], max_iterations=ROWS_KEPT * 2)


def looking(turns: int, last: Message | str) -> list[Message | str]:
    """The script of a model that looks so many times."""
    return [*(call("look", at=n) for n in range(turns)), last]


async def rows(app: App, run_id: str) -> list[tuple[str, str]]:
    """Step and status of each row."""
    page = await app.store.query("tool_call", "by_run", (run_id,), limit=100)
    begun = (row for row in page.items if "refused" not in row)
    return sorted((row["call_id"].removeprefix(f"{run_id}/"), row["execution_status"]) for row in begun)


@pytest.mark.parametrize("turns", [1, ROWS_KEPT - 1, ROWS_KEPT, ROWS_KEPT + 3])
async def test_a_run_that_ended_has_a_row_for_each_read(turns: int) -> None:
    """However many there were, each is there once the run has ended."""
    async with app_for_tests(looker, replies=looking(turns, "done")) as app:
        result = await app.run(task(looker))
        assert await rows(app, result.run_id) == sorted((f"m{n}.0", "done") for n in range(turns))


async def test_a_run_that_waits_has_a_row_for_each_read() -> None:
    """Whoever looks while a person is asked sees every call so far."""
    async with app_for_tests(looker, replies=looking(TURNS, call("launch"))) as app:
        result = await app.run(task(looker))
        assert await rows(app, result.run_id) == [(f"m{n}.0", "done") for n in range(TURNS)]


async def test_rows_that_went_with_a_worker_are_written_by_the_next() -> None:
    """The journal implies them: a takeover after a crash makes up for them, also for those of the run's own past."""

    class Dies(BaseException):
        pass

    class Mortal(ScriptedModel):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            if len(request.messages) > 2 * TURNS and not died:
                died.append(True)
                raise Dies
            return await super().ask(request, on_delta)

    died: list[bool] = []
    clock = FakeClock()
    async with app_for_tests(looker, model=Mortal(looking(TURNS, "done")), clock=clock) as app:
        run_id = await app.runs.submit(task(looker))
        with pytest.raises(Dies):
            await app.engine.advance(run_id)
        events = [event.type for event in await app.runs.events(run_id, "local")]
        assert events.count("EffectDone") >= TURNS - 1
        assert await rows(app, run_id) == []
        clock.advance(60)
        await app.worker.run_until_idle()
        assert (await app.runs.view(run_id, "local")).status == "success"
        assert await rows(app, run_id) == [(f"m{n}.0", "done") for n in range(TURNS)]


async def test_rows_after_a_wait_that_was_over_at_once_are_not_lost() -> None:
    """A decision that comes just as the run parks keeps its holder going; dies that one, the rows are made up for too."""

    class Dies(BaseException):
        pass

    class Mortal(ScriptedModel):
        async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
            if len(request.messages) > 2 * TURNS + 2 and not died:
                died.append(True)
                raise Dies
            return await super().ask(request, on_delta)

    died: list[bool] = []
    clock = FakeClock()
    replies = [call("launch"), *looking(TURNS, "done")]
    async with app_for_tests(looker, model=Mortal(replies), clock=clock) as app:
        run_id = await app.runs.submit(task(looker))
        store, append = app.store, app.store.append

        async def meanwhile(*args: Any, **fields: Any) -> int:
            """Somebody decides just before the run parks."""
            if fields.get("status") == "waiting" and not decided:
                (asked,) = (await app.approvals.list("local")).items
                decided.append(asked["approval_id"])
                await app.approvals.decide(asked["approval_id"], "local", BOSS, "approve")
            return await append(*args, **fields)

        decided: list[str] = []
        store.append = meanwhile  # type: ignore[method-assign]
        with pytest.raises(Dies):
            await app.engine.advance(run_id)
        store.append = append  # type: ignore[method-assign]
        events = [event.type for event in await app.runs.events(run_id, "local")]
        assert events.count("RunParked") == 1
        assert (await app.runs.view(run_id, "local")).status == "running"
        clock.advance(60)
        await app.worker.run_until_idle()
        assert (await app.runs.view(run_id, "local")).status == "success"
        assert len(await rows(app, run_id)) == TURNS + 1
