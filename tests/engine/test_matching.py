"""Calls known by what they ask: a team whose branches keep no order gets its own answers again, or is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit import CodeAgent, agent, tool
from remit.core.codec import digest_of
from remit.core.errors import InputError
from remit.core.message import Message, Text, user
from remit.core.run import Run, Step
from remit.core.tool import ToolSpec
from remit.engine.matching import Matching
from remit.testing import BOSS, ScriptedModel, app_for_tests, task

DONE: list[str] = []


@tool(risk="L3")
async def pay(cents: int) -> str:
    """Pay."""
    DONE.append(f"paid {cents}")
    return f"paid {cents}"


@pytest.fixture(autouse=True)
def _done() -> None:
    DONE.clear()


def run_with(*steps: str, **digests: str) -> Run:
    """A run that recorded these steps."""
    run = Run("run_1")
    for step in steps:
        run.steps[step] = Step(step, "model", "default", "done", arguments_digest=digests.get(step, ""))
    return run


async def names(run: Run, calls: list[tuple[str, Any]]) -> list[str]:
    """The steps of these calls, one after another."""
    matching = Matching(run)
    return [await matching.tool(name, arguments) for name, arguments in calls]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=8), st.randoms())
def test_the_same_calls_in_any_order_get_the_same_names(calls: list[tuple[str, int]], random: Any) -> None:
    """However branches interleave, what was recorded is found again, each call as often as it was made."""
    recorded = asyncio.run(names(Run("run_1"), calls))
    shuffled = list(calls)
    random.shuffle(shuffled)
    assert sorted(asyncio.run(names(run_with(*recorded), shuffled))) == sorted(recorded)


async def test_a_new_call_waits_until_what_was_recorded_was_asked_again() -> None:
    """A branch that is ahead waits for the others, and only then asks for something new."""
    (recorded,) = await names(Run("run_1"), [("slow", 1)])
    matching = Matching(run_with(recorded))
    ahead = asyncio.ensure_future(matching.tool("fast", 1))
    await asyncio.sleep(0)
    assert not ahead.done()
    await matching.tool("slow", 1)
    assert (await ahead).startswith("fast-")


async def test_a_new_call_beside_a_missing_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that asks for something else than was recorded is stopped with E408 before anything happens."""
    monkeypatch.setattr("remit.engine.matching.GRACE_S", 0.01)
    (recorded,) = await names(Run("run_1"), [("pay", 1)])
    with pytest.raises(InputError, match=recorded) as refused:
        await Matching(run_with(recorded)).tool("pay", 2)
    assert refused.value.code == "E408"


async def test_instructions_that_name_the_day_are_the_same_question() -> None:
    """A question that differs in its instructions only is the recorded one, unless it could be two."""
    first = await Matching(Run("run_1")).model(["hi"], "monday")
    assert await Matching(run_with(first, **{first: "monday"})).model(["hi"], "tuesday") == first
    second = first.removesuffix("1") + "2"
    both = run_with(first, second, **{first: "for ann", second: "for bob"})
    assert await Matching(both).model(["hi"], "for bob") == second
    with pytest.raises(InputError):
        await Matching(both).model(["hi"], "for eve")


def team() -> CodeAgent:
    """Two branches that ask and pay, in an order that differs from hold to hold."""
    holds: list[int] = []

    @agent(tools=[pay])
    async def branches(input: Any, memory: Any, context: Any) -> Any:
        context = context.by_content()
        holds.append(1)

        async def branch(n: int) -> str:
            if (n + len(holds)) % 2:
                for _ in range(5):
                    await asyncio.sleep(0)
            asked = ToolSpec("pay", "Pay.", {"type": "object"})
            answer: Message = await context.chat([user(f"branch {n}")], system="Be brief.", tools=[asked])
            return f"{answer.text}: {await context.call('pay', cents=n)}"

        return await asyncio.gather(branch(1), branch(2))

    made: CodeAgent = branches
    return made


async def test_branches_get_their_own_answers_again_in_whatever_order() -> None:
    """After waits, branches that come in another order still get their own answers; no model is asked twice."""
    model = ScriptedModel(
        [lambda request: Message("assistant", (Text(request.messages[0].text),))], cycle=True
    )
    desk = team()
    async with app_for_tests(desk, model=model) as app:
        result = await app.run(task(desk))
        while items := (await app.approvals.list("local")).items:
            for item in items:
                await app.approvals.decide(item["approval_id"], "local", BOSS, "approve")
            await app.worker.run_until_idle()
        found = await app.runs.result(result.run_id, "local")
    assert found is not None
    assert found.result_payload == ["branch 1: paid 1", "branch 2: paid 2"]
    assert (sorted(DONE), len(model.requests)) == (["paid 1", "paid 2"], 2)
    assert [t.name for t in model.requests[0].tools] == ["pay"]


async def test_a_conversation_is_journaled_by_what_is_new_in_it() -> None:
    """A question is recorded with its instructions, what was said since the last answer, and the digest of all of it."""

    @agent
    async def talker(input: Any, memory: Any, context: Any) -> Any:
        said = [user("one"), Message("assistant", (Text("first"),)), user("two")]
        return (await context.chat(said, system="Be brief.")).text

    async with app_for_tests(talker, replies=["second"]) as app:
        result = await app.run(task(talker))
        assert result.result_payload == "second"
        recorded = str(await app.audit.export(result.run_id, "local"))
    assert "two" in recorded
    assert "Be brief." in recorded
    assert digest_of("x")[:7] in recorded
