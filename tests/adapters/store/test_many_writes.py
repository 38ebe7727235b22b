"""Runs with more to write at once than DynamoDB takes in one transaction: they go on there as on every other store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store.dynamo_world import opened, url_of

from remit import Pack, RunContext, agent, tool
from remit.adapters.store.dynamodb import DynamoStore
from remit.core.budget import Budget
from remit.core.errors import NotFoundError
from remit.core.task import Actor, Constraints
from remit.testing import FakeClock, app_for_tests, task
from remit.testing.workflows import Named

pytestmark = pytest.mark.service

MANY = 120
"""More than the hundred items of a transaction."""

_held = asyncio.Event()
_waits = False


@tool(effect="read")
async def look(number: int) -> int:
    """Look."""
    return number


@tool(risk="L1", effect="keyed")
async def mark(number: int) -> int:
    """Leave a mark."""
    return number


@tool(effect="read", timeout_s=60)
async def hold() -> str:
    """Waits as long as the test wants."""
    if _waits:
        _held.set()
        await asyncio.Event().wait()
    return "held"


_tokens: list[str] = []


@tool(risk="L1", effect="keyed")
async def place(token: str) -> str:
    """Place an order, whose answer comes from outside."""
    _tokens.append(token)
    return "placed"


async def _diligent(given: Any, memory: Any, context: RunContext) -> Any:
    """Looks at much, one after the other."""
    found = [await context.call("look", number=n) for n in range(MANY)]
    await context.call("hold")
    return len(found)


async def _busy(given: Any, memory: Any, context: RunContext) -> Any:
    """Does much at once."""
    found = await asyncio.gather(*(context.call("mark", number=n) for n in range(MANY)))
    return sum(found)


async def _sleeper(given: Any, memory: Any, context: RunContext) -> Any:
    """Waits for a person."""
    return await context.call("hold")


async def _chief(given: Any, memory: Any, context: RunContext) -> Any:
    """Has many work for it."""
    return await context.call_many([("delegate_to_sleeper", {"objective": f"part {n}"}) for n in range(MANY)])


diligent = agent(_diligent, name="diligent", tools=[look, hold])
busy = agent(_busy, name="busy", tools=[mark])
sleeper = agent(_sleeper, name="sleeper", tools=[hold])
chief = agent(_chief, name="chief", delegates=["sleeper"])
ROOMY = Constraints(Budget(max_tool_calls=1000, max_children=1000))


@pytest.fixture
async def store() -> AsyncIterator[DynamoStore]:
    async with opened(FakeClock(), url_of("ministack")) as made:
        yield made


async def test_a_run_of_many_calls_is_taken_up(store: DynamoStore) -> None:
    """Its holder went without a word: whoever takes it up writes the rows of its calls, however many these are."""
    global _waits
    _waits = True
    _held.clear()
    async with app_for_tests(diligent, tools=[look, hold], store=store) as app:
        run_id = await app.runs.submit(task("diligent", constraints=ROOMY))
        advancing = asyncio.ensure_future(app.engine.advance(run_id))
        await asyncio.wait_for(_held.wait(), 120)
        advancing.cancel()
        await asyncio.gather(advancing, return_exceptions=True)
        _waits = False
        assert await app.engine.advance(run_id) == "ended"
        found = await app.runs.result(run_id, "local")
        assert found is not None
        assert found.result_payload == MANY
        rows = [await store.get("tool_call", (f"{run_id}/{step}",)) for step in (await _steps(app, run_id))]
        assert len(rows) == MANY + 1
        assert {row["execution_status"] for row in rows if row} == {"done"}


async def _steps(app: Any, run_id: str) -> list[str]:
    return [each.step for each in (await app.runs.view(run_id, "local")).steps]


async def test_many_effects_at_once(store: DynamoStore) -> None:
    """Their intents, and their outcomes, are more than one transaction takes."""
    async with app_for_tests(busy, tools=[mark], store=store) as app:
        run_id = await app.runs.submit(task("busy", constraints=ROOMY))
        assert await app.engine.advance(run_id) == "ended"
        found = await app.runs.result(run_id, "local")
        assert found is not None
        assert (found.status, found.result_payload) == ("success", sum(range(MANY)))


async def test_a_run_with_many_children_is_stopped(store: DynamoStore, tmp_path: Path) -> None:
    """Each child is told, and the run ends after them."""
    (tmp_path / "profile.toml").write_text(
        f'name = "{tmp_path.name}"\nextends = "default"\n[budget]\nmax_children = 1000\n'
    )
    (tmp_path / "policy.cedar").write_text("")
    house = (str(tmp_path),)
    async with app_for_tests(chief, sleeper, tools=[hold], store=store, policies=house) as app:
        run_id = await app.runs.submit(task("chief", constraints=ROOMY, policy_profile=tmp_path.name))
        assert await app.engine.advance(run_id) == "waiting"
        children = (await app.runs.view(run_id, "local")).children
        assert len(children) > MANY // 2  # two items each
        await app.runs.cancel(run_id, "local", Actor("alice"), "enough")
        assert await app.engine.advance(run_id) == "waiting"
        heads = await asyncio.gather(*(store.head(child) for child in children))
    assert {head.inbox for head in heads if head is not None} == {1}


async def test_a_run_that_many_answers_are_awaited_for_is_cancelled(store: DynamoStore) -> None:
    """It ends, and nobody can answer any of its calls any more."""
    order = {
        "Type": "Task",
        "Resource": "remit:tool:place.waitForTaskToken",
        "Arguments": {"token": "{% $states.context.Task.Token %}"},
        "End": True,
    }
    each = {"Type": "Map", "ItemProcessor": {"StartAt": "Order", "States": {"Order": order}}, "End": True}
    document = {"QueryLanguage": "JSONata", "StartAt": "Each", "States": {"Each": each}}
    flows = Pack("flows", tools=[place], workflows=[Named("orders", document)])
    async with app_for_tests(packs=[flows], store=store) as app:
        _tokens.clear()
        run_id = await app.runs.submit(task("orders", input=list(range(MANY)), constraints=ROOMY))
        assert await app.engine.advance(run_id) == "waiting"
        assert len(_tokens) == MANY
        await app.runs.cancel(run_id, "local", Actor("alice"), "enough")
        assert await app.engine.advance(run_id) == "ended"
        for token in _tokens[:: MANY - 1]:
            with pytest.raises(NotFoundError):
                await app.callbacks.succeed(token, {}, "local")
