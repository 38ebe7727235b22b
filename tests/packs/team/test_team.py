"""The research team: played by the offline rules, by a scripted model, over HTTP and through a restart (T1, T2, T6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit import open_app
from remit.adapters.model.rules import RulesModel
from remit.bootstrap import App
from remit.core.message import Message, assistant
from remit.core.task import Result, Task
from remit.ports.model import ModelRequest
from remit.settings import Settings
from remit.testing import FakeClock, app_for_tests
from remit_packs.team import pack
from remit_packs.team.checking import program

QUESTION = "Why is prompt injection hard?"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """An app with the pack alone."""
    async with open_app(
        Settings(home=tmp_path, store="memory:"), packs=[pack()], clock=FakeClock()
    ) as opened:
        yield opened


async def ran(app: App, question: str = QUESTION) -> Result:
    """The team's answer."""
    result = await app.run(Task("t1", "research-team", objective=question))
    assert result.status == "success", result.problem
    return result


async def test_a_question_becomes_a_cited_report_with_a_table_and_a_chart(app: App) -> None:
    """Researcher, analyst, coder and reviewer; the reviewer sends the work back once, and then agrees."""
    result = await ran(app)
    made = result.result_payload
    assert (made["approved"], made["rounds"]) == (True, 2)
    assert len(made["sources"]) >= 2
    assert all(source.startswith("https://corpus.remit.example/") for source in made["sources"])
    assert made["table"]["columns"] == ["word", "times"]
    kept = {artifact.name: artifact for artifact in await app.runs.artifacts(result.run_id, "local")}
    assert kept["report.md"].media_type == "text/markdown"
    assert {a.media_type for a in kept.values()} >= {"text/html", "image/png"}
    _, report = await app.runs.artifact(result.run_id, "local", "report.md")
    assert report.decode() == made["report"]
    assert all(source in made["report"] for source in made["sources"])


async def test_thought_action_observation_and_answer_are_in_the_trace(app: App) -> None:
    """Each call of a tool stands in the journal behind the thought that led to it, and before what was observed (T6)."""
    result = await ran(app)
    view = await app.runs.view(result.run_id, "local")
    researcher = await app.runs.view(view.children[0], "local")
    events = await app.runs.events(researcher.run_id, "local", limit=200)
    told = [(e.type, e.data) for e in events]
    said = [data["message"]["blocks"] for kind, data in told if kind == "ModelAnswered"]
    assert [block["type"] for block in said[0]] == ["text", "tool_use"]
    assert said[0][0]["text"] == "I search for pages on the question."
    assert said[0][1]["name"] == "web_search"
    order = [
        kind for kind, _ in told if kind in ("ModelAnswered", "ToolDecided", "EffectDone", "RunFinished")
    ]
    assert order[:3] == ["ModelAnswered", "ToolDecided", "EffectDone"]
    assert order[-2:] == ["ModelAnswered", "RunFinished"]


async def test_a_question_that_the_sources_do_not_know_is_answered_so(app: App) -> None:
    """Nothing is made up: no findings, and the report says so."""
    made = (await ran(app, "Zyzzyx qwertz?")).result_payload
    assert made["sources"] == []
    assert "Nothing was found" in made["answer"]


class Members:
    """A model that answers as each member of the team is told to, in order; the last answer is given again."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: ModelRequest) -> Message:
        who = next(name for name in self.answers if f"You are the {name}" in request.system)
        self.asked.append(who)
        left = self.answers[who]
        answer = left.pop(0) if len(left) > 1 else left[0]
        return assistant(json.dumps(answer))


PAGE = "https://corpus.remit.example/circuit-breakers"
QUOTE = "A circuit breaker stops calling a service that keeps failing."
GOOD = {"claim": "Breakers stop calls.", "quote": QUOTE, "source": PAGE}
TABLE = 'table = {"columns": ["what", "n"], "rows": [["findings", len(findings)]]}'


def members(**changed: list[Any]) -> dict[str, list[Any]]:
    """What each member answers unless changed."""
    usual: dict[str, list[Any]] = {
        "researcher": [{"findings": [GOOD]}],
        "analyst": [{"answer": f"It stops. [{PAGE}]", "requirement": "Count the findings."}],
        "coder": [{"code": TABLE, "note": ""}],
        "reviewer": [{"approved": True, "reasons": ["fine"], "fixes": []}],
    }
    return {**usual, **changed}


async def played(**changed: list[Any]) -> tuple[Result, list[str]]:
    """The team with a scripted model for all."""
    script = Members(**members(**changed))
    async with app_for_tests(model=RulesModel([script]), packs=[pack()]) as app:
        return await app.run(Task("t1", "research-team", objective=QUESTION)), script.asked


async def test_any_model_plays_the_team() -> None:
    """The members are asked in order; the table is what the program really calculated."""
    result, asked = await played()
    assert asked == ["researcher", "analyst", "coder", "reviewer"]
    assert result.result_payload["table"]["rows"] == [["findings", 1]]
    assert result.result_payload["approved"] is True


async def test_an_invented_quote_is_found_out_whatever_the_reviewer_says() -> None:
    """A quote that is not in its source is a problem that no approval lifts; the report says that it was not approved."""
    bad = {**GOOD, "quote": "Retries are always safe, says everybody."}
    result, asked = await played(researcher=[{"findings": [bad]}])
    made = result.result_payload
    assert (made["approved"], made["rounds"]) == (False, 4)
    assert any("is not in" in fix for fix in made["fixes"])
    assert "Not approved after 4 rounds" in made["report"]
    assert asked.count("coder") == 4


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("1/0", "ZeroDivisionError"),
        ("x = 1", "table"),
        ('table = "no"', "no dict"),
        ('table = {"columns": ["a"], "rows": []}', "columns"),
        ('table = {"columns": ["a", "b"], "rows": [["x", "y"]]}', "no number"),
        ('table = {"columns": ["a", "b"], "rows": [["x", float("nan")]]}', "no number"),
    ],
)
async def test_a_program_that_makes_no_table_is_sent_back_with_why(code: str, problem: str) -> None:
    """The coder is told what went wrong, mends it, and the second round is approved."""
    result, asked = await played(coder=[{"code": code, "note": ""}, {"code": TABLE, "note": ""}])
    made = result.result_payload
    assert (made["approved"], made["rounds"], asked.count("coder")) == (True, 2, 2), (problem, made)


async def test_a_reviewer_who_is_never_content_ends_after_four_rounds() -> None:
    """The loop is bounded, and the report is handed in with what is open."""
    never = [{"approved": False, "reasons": ["too short"], "fixes": ["count more"]}]
    result, asked = await played(reviewer=never)
    made = result.result_payload
    assert (made["approved"], made["rounds"], asked.count("reviewer")) == (False, 4, 4)
    assert "> too short" in made["report"]
    assert "count more" in made["fixes"]


def test_a_program_gets_its_findings_as_data() -> None:
    """Whatever a quote holds, it is a value of the program and never a part of it."""
    hostile = [{"quote": '"""\'\nimport os; os._exit(3)\n\\', "claim": "", "source": ""}]
    seen: dict[str, Any] = {}
    exec(program("table = {'columns': ['a', 'b'], 'rows': [['x', 1]]}", hostile).rsplit("print(", 1)[0], seen)
    assert seen["findings"] == hostile
