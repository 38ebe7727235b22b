"""The assistant and the research workflow, played by the offline rules through the real gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remit import open_app
from remit.bootstrap import App
from remit.core.states.check import problems
from remit.core.task import Task
from remit.settings import Settings
from remit.testing import FakeClock, ScriptedModel, app_for_tests, call, task
from remit_packs.assistant import pack
from remit_packs.assistant.rules import expression_in
from remit_packs.assistant.workflows import RESEARCH


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app with the pack alone, on the clock of a test."""
    async with open_app(
        Settings(home=tmp_path, store="memory:"), packs=[pack()], clock=FakeClock()
    ) as opened:
        yield opened


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("What is 15% of 240?", "15 / 100 * 240 = 36"),
        ("what is 12 times 7", "12 * 7 = 84"),
        ("What time is it in Tokyo?", "Friday, 2027-01-15T17:00:00+09:00 in Asia/Tokyo"),
        ("today's date, in Europe/Berlin please", "2027-01-15T09:00:00+01:00"),
        ("Which standing desks do you have?", "Oak standing desk: $549.00"),
        ("how long is the warranty?", "Desks and chairs five years"),
        ("9 ** 9 ** 9", "[E846]"),
        ("what time is it in Mars/Phobos", "[E847]"),
        ("qqq zzz", "offline rules model: fixed rules, not a language model"),
    ],
)
async def test_the_rules_answer_from_what_tools_say(app: App, question: str, part: str) -> None:
    """Time, arithmetic, the database; and they say so when they are lost or a tool refuses."""
    result = await app.run(Task("t1", "assistant", objective=question))
    assert result.status == "success", result.problem
    assert part in result.result_payload


async def test_the_assistant_stops_after_its_iterations() -> None:
    """A model that only ever calls tools is ended, and told why."""
    model = ScriptedModel([call("calculate", expression="1 + 1")], cycle=True)
    async with app_for_tests(model=model, packs=[pack()]) as app:
        result = await app.run(task("assistant"))
        assert (result.status, len(model.requests)) == ("failure", 12)
        assert result.problem is not None
        assert result.problem.code == "E510"


async def test_research_analysis_and_summary_hand_on_what_they_found(app: App) -> None:
    """Three agents in a row, by one States Language document; every step is a row of its own."""
    result = await app.run(Task("t1", "research-report", input={"topic": "chairs"}))
    assert result.status == "success", result.problem
    made = result.result_payload
    assert set(made) == {"topic", "research", "analysis", "summary"}
    assert "product 111, Mesh chair" in made["research"]
    assert "4 are products, from $39.00 to $479.00" in made["analysis"]
    assert made["analysis"] in made["summary"]
    steps = (await app.conversations.workflow_steps("local", result.run_id)).items
    assert [step.state for step in steps] == ["Research", "Analysis", "Summary"]


async def test_nothing_found_is_said_so(app: App) -> None:
    """A topic that the database does not know."""
    result = await app.run(Task("t1", "research-report", input={"topic": "qqqq"}))
    assert "nothing on qqqq" in result.result_payload["research"]


def test_the_document_is_in_order() -> None:
    """It is what the file says, and Step Functions would take it."""
    assert problems(RESEARCH.document) == []


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("what is (3+4)*2.5**2 ?", "(3+4)*2.5**2"),
        ("sqrt(16) + 1", "sqrt(16) + 1"),
        ("2^10", "2**10"),
        ("a desk for 2 people", ""),
        ("two-in-one 4K monitor", ""),
        ("desk-lamp (LED), 59", ""),
    ],
)
def test_arithmetic_is_told_from_words(text: str, expression: str) -> None:
    """A number alone is no question to the calculator."""
    assert expression_in(text) == expression
