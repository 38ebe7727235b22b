"""A guardrail stands between every agent and every model: what is blocked goes no further, what is masked stays masked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit import Agent, agent, tool
from remit.bootstrap import App
from remit.core.errors import ConfigError, ModelError
from remit.core.message import ToolResult
from remit.testing import ScriptedModel, app_for_tests, call, task

FILE = """
blocked_input = "Not that."
blocked_output = "Not this."
[words]
custom = ["tiger"]
[[patterns]]
name = "ticket"
regex = 'T-\\d+'
"""


@tool
def look(what: str) -> dict[str, Any]:
    """Look."""
    return {"seen": what, "ticket": "T-17", "rows": [["T-18", 3]]}


helper = Agent("helper", instructions="Help.", tools=[look])


def guarded(tmp_path: Path, model: ScriptedModel, text: str = FILE, *agents: Any, **more: Any) -> App:
    """An app with a guardrails file."""
    path = tmp_path / "guardrails.toml"
    path.write_text(text)
    return app_for_tests(*(agents or (helper,)), model=model, guardrails=str(path), **more)


def results(model: ScriptedModel) -> list[Any]:
    """What the model was given as results of tools."""
    return [b.content for b in model.requests[-1].messages[-1].blocks if isinstance(b, ToolResult)]


async def journal(app: App, run_id: str) -> str:
    """Everything that the journal has."""
    return "".join(e.body.decode() for e in await app.store.read(run_id, after=-1, limit=1000))


async def test_a_blocked_message_never_reaches_the_model(tmp_path: Path) -> None:
    """The run fails with the configured words, and the model was not asked."""
    model = ScriptedModel(["hello"])
    async with guarded(tmp_path, model) as app:
        result = await app.run(task(helper, objective="Tell me of the tiger."))
    assert result.problem is not None
    assert (result.status, result.problem.code, result.problem.message) == ("failure", "E971", "Not that.")
    assert model.requests == []


async def test_a_masked_message_reaches_the_model_masked(tmp_path: Path) -> None:
    """In the place of what was found stands the name of the rule."""
    model = ScriptedModel(["fine"])
    async with guarded(tmp_path, model) as app:
        assert (await app.run(task(helper, objective="See T-1 and T-2."))).status == "success"
    assert model.requests[0].messages[0].text == "See {TICKET} and {TICKET}."


async def test_results_of_tools_are_masked_wherever_in_them_something_is(tmp_path: Path) -> None:
    """Their shape stays."""
    model = ScriptedModel([call("look", what="x"), "fine"])
    async with guarded(tmp_path, model) as app:
        assert (await app.run(task(helper))).status == "success"
    assert results(model) == [{"seen": "x", "ticket": "{TICKET}", "rows": [["{TICKET}", 3]]}]


async def test_a_blocked_result_is_replaced_and_the_run_goes_on(tmp_path: Path) -> None:
    """No page can end a run."""
    model = ScriptedModel([call("look", what="a tig" + "er"), "fine"])
    async with guarded(tmp_path, model, FILE.replace("[words]", "[words]\non = 'input'")) as app:
        result = await app.run(task(helper))
    assert (result.status, results(model)) == ("success", ["Not that."])


async def test_a_blocked_answer_is_withheld_journaled_nowhere_and_billed(tmp_path: Path) -> None:
    """Its tokens were used all the same."""
    model = ScriptedModel(["A tiger, that is."])
    async with guarded(tmp_path, model) as app:
        result = await app.run(task(helper))
        told = await journal(app, result.run_id)
    assert result.problem is not None
    assert (result.status, result.problem.code, result.problem.message) == ("failure", "E972", "Not this.")
    assert "A tiger" not in told
    assert "guardrail blocked an answer: word" in told
    assert result.cost_usage.output_tokens > 0


async def test_a_masked_answer_is_journaled_and_told_masked(tmp_path: Path) -> None:
    """Nobody sees what was masked, not even while it streams."""
    model = ScriptedModel(["It is T-99."])
    heard: list[str] = []
    async with guarded(tmp_path, model) as app:
        object.__setattr__(app.kit, "on_delta", lambda run_id, delta: heard.append(delta.text))
        result = await app.run(task(helper))
        told = await journal(app, result.run_id)
    assert result.result_payload == "It is {TICKET}."
    assert "".join(heard).strip() == "It is {TICKET}."
    assert "T-99" not in told
    assert "guardrail masked an answer: pattern ticket" in told


async def test_the_questions_of_code_agents_pass_it_as_well(tmp_path: Path) -> None:
    """They see a ModelError, which they may answer as any other."""

    @agent
    async def asks(given: Any, memory: Any, context: Any) -> Any:
        try:
            return await context.ask(given)
        except ModelError as error:
            return error.code

    for wish, outcome in (("a tiger?", "E971"), ("a lion?", "yes, {TICKET}")):
        async with guarded(tmp_path, ScriptedModel(["yes, T-5"]), FILE, asks) as app:
            assert (await app.run(task(asks, objective=wish))).result_payload == outcome


async def test_a_final_answer_must_stand_in_what_the_tools_returned(tmp_path: Path) -> None:
    """Contextual grounding: a number that no tool returned is enough to withhold an answer."""
    for answer, status in (("Rows seen of x: 3.", "success"), ("Rows seen of x: 4.", "failure")):
        model = ScriptedModel([call("look", what="x"), answer])
        async with guarded(tmp_path, model, "[grounding]\nthreshold = 0.5") as app:
            result = await app.run(task(helper, objective="Which rows are seen?"))
        assert result.status == status


async def test_a_file_that_cannot_be_used_opens_no_app(tmp_path: Path) -> None:
    """Fail closed: no guardrail at all is not what was asked for."""
    with pytest.raises(ConfigError, match="E973"):
        guarded(tmp_path, ScriptedModel([]), "[content.anger]")
    with pytest.raises(ConfigError, match="E973"):
        app_for_tests(helper, guardrails=str(tmp_path / "none.toml"))
