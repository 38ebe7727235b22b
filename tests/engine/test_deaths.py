"""Runs that take their workers with them: set aside after some deaths, and no harm to the runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from remit import Agent, CodeAgent, agent, tool
from remit.bootstrap import App
from remit.core import event as ev
from remit.core.codec import decode
from remit.core.task import Actor
from remit.engine.advance import Engine
from remit.engine.deaths import LOOKED_AT, MOST_DEATHS, SUSPECT_DEATHS
from remit.testing.apps import app_for_tests, call, task
from remit.testing.clock import FakeClock

PAT = Actor("pat", ("operator",))
TTL_S = 15.0


class Hungry:
    """A run that is deadly as long as it is not fed. `begun` is set when it is about to kill."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.fed = False

    async def eat(self) -> str:
        self.begun.set()
        if not self.fed:
            await asyncio.Event().wait()
        return "fed"

    def code(self, name: str = "glutton") -> CodeAgent:
        """One that kills in its own code."""

        @agent(name=name)
        async def act(input: Any, memory: Any, context: Any) -> str:
            """Eats."""
            return await self.eat()

        return act

    def with_tool(self) -> Agent:
        """One whose tool kills, after its intent was written."""

        @tool(effect="read")
        async def swallow() -> str:
            """Eat."""
            return await self.eat()

        return Agent("glutton", instructions="Eat.", tools=[swallow])


@contextlib.asynccontextmanager
async def nothing_given_back(app: App) -> AsyncIterator[None]:
    """Nobody says a word when they die."""
    release = app.store.release

    async def unsaid(lease: Any) -> None:
        pass

    app.store.release = unsaid  # type: ignore[method-assign]
    try:
        yield
    finally:
        app.store.release = release  # type: ignore[method-assign]


async def die(app: App, run_id: str, hungry: Hungry, number: int) -> None:
    """A worker takes the run and is killed over it; then its lease ends."""
    hungry.begun.clear()
    engine = Engine(replace(app.kit, worker_id=f"dead{number}"))
    async with nothing_given_back(app):
        taken = asyncio.create_task(engine.advance(run_id))
        await hungry.begun.wait()
        taken.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await taken
    app.clock.advance(TTL_S + 1)  # type: ignore[attr-defined]


async def claims(app: App, run_id: str) -> list[int]:
    """The deaths that each claim in the journal tells of."""
    events = [decode(entry.body, ev.Event).data for entry in await app.store.read(run_id)]
    return [data.deaths for data in events if isinstance(data, ev.RunClaimed)]


async def test_an_agent_that_kills_its_workers_is_set_aside_and_goes_on_when_resumed() -> None:
    """Five deaths without a step between them, and it waits for an operator; once mended, it ends."""
    hungry = Hungry()
    async with app_for_tests(hungry.code(), clock=FakeClock(), lease_ttl_s=TTL_S) as app:
        run_id = await app.runs.submit(task("glutton"))
        for number in range(MOST_DEATHS):
            await die(app, run_id, hungry, number)
            assert await app.store.due(limit=10) == [run_id]
        assert await app.engine.advance(run_id) == "waiting"
        view = await app.runs.view(run_id, "local")
        assert view.waiting_on[0].startswith("operator: its last 5 workers ended without a word")
        assert await app.store.due(limit=10) == []
        hungry.fed = True
        await app.runs.resume(run_id, "local", PAT)
        assert await app.engine.advance(run_id) == "ended"


async def test_a_tool_that_kills_its_workers_is_no_progress() -> None:
    """Its intent is written anew each time, and the journal grows; the run is set aside nevertheless."""
    hungry = Hungry()
    replies = [call("swallow"), "done"]
    async with app_for_tests(
        hungry.with_tool(), replies=replies, clock=FakeClock(), lease_ttl_s=TTL_S
    ) as app:
        run_id = await app.runs.submit(task("glutton"))
        for number in range(MOST_DEATHS):
            await die(app, run_id, hungry, number)
        assert await app.engine.advance(run_id) == "waiting"
        assert await claims(app, run_id) == [0, *range(1, MOST_DEATHS + 1)]


async def test_a_run_that_comes_further_between_deaths_is_never_set_aside() -> None:
    """Workers of a long run may die as often as they like."""
    hungry = Hungry()

    @tool(risk="L1", effect="keyed")
    async def note(n: int) -> int:
        """Keep a number."""
        return n

    @agent(tools=[note])
    async def long(input: Any, memory: Any, context: Any) -> str:
        """Take a step for each time that it was tried."""
        for n in range(tried[0]):
            await context.call("note", n=n)
        return await hungry.eat()

    tried = [0]
    async with app_for_tests(long, clock=FakeClock(), lease_ttl_s=TTL_S) as app:
        run_id = await app.runs.submit(task("long"))
        for number in range(2 * MOST_DEATHS):
            tried[0] += 1
            await die(app, run_id, hungry, number)
        hungry.fed = True
        assert await app.engine.advance(run_id) == "ended"
        assert max(await claims(app, run_id)) == 1


async def test_a_run_that_is_given_back_leaves_no_deaths() -> None:
    """Errors that were told are no deaths, however many they are."""
    hungry = Hungry()
    async with app_for_tests(hungry.code(), clock=FakeClock(), lease_ttl_s=TTL_S) as app:
        run_id = await app.runs.submit(task("glutton"))
        for number in range(3 * MOST_DEATHS):
            lease = await app.store.lease(run_id, f"w{number}", ttl_ms=1000)
            assert lease is not None
            await app.store.release(lease)
        hungry.fed = True
        assert await app.engine.advance(run_id) == "ended"
        assert await claims(app, run_id) == [0]


async def test_a_process_advances_one_suspect_at_a_time() -> None:
    """Two runs were in hand when workers died: with one of them alone, it turns out which."""
    deadly, innocent = Hungry(), Hungry()
    agents = deadly.code("deadly"), innocent.code("innocent")
    async with app_for_tests(*agents, clock=FakeClock(), lease_ttl_s=TTL_S) as app:
        runs = [await app.runs.submit(task(name, name)) for name in ("deadly", "innocent")]
        for number in range(SUSPECT_DEATHS):
            for run_id, hungry in zip(runs, (deadly, innocent), strict=True):
                await die(app, run_id, hungry, number)
        deadly.begun.clear()
        first = asyncio.create_task(app.engine.advance(runs[0]))
        await deadly.begun.wait()
        assert await app.engine.advance(runs[1]) == "busy"
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        innocent.fed = True
        app.clock.advance(TTL_S + 1)  # type: ignore[attr-defined]
        assert await app.engine.advance(runs[1]) == "ended"
        assert await claims(app, runs[1]) == [1, 2], "nobody died over it meanwhile"


async def test_a_journal_that_nobody_lives_to_read_is_set_aside_unread() -> None:
    """Deaths are counted from the journal's end before the run is loaded."""
    hungry = Hungry()
    async with app_for_tests(hungry.code(), clock=FakeClock(), lease_ttl_s=TTL_S) as app:
        run_id = await app.runs.submit(task("glutton"))
        read, afters = app.store.read, list[int]()

        async def deadly(run_id: str, **which: Any) -> Any:
            if which.get("after", -1) == -1 and which.get("limit"):
                await hungry.eat()
            afters.append(which.get("after", -1))
            return await read(run_id, **which)

        app.store.read = deadly  # type: ignore[method-assign]
        for number in range(MOST_DEATHS + 1):
            await die(app, run_id, hungry, number)
        assert await app.engine.advance(run_id) == "waiting"
        assert await app.store.due(limit=10) == []
        row = await app.store.get("agent_run", (run_id,))
        assert row is not None
        assert row["waiting_on"][0].startswith("operator: its last 6 workers")
        assert all(after < LOOKED_AT for after in afters)
