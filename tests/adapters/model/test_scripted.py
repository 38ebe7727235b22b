"""The scripted model and the rules model: the two that need no network."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.adapters.model.rules import NO_RULE, RulesModel
from remit.adapters.model.scripted import ScriptedModel
from remit.core.errors import ModelError
from remit.core.message import Message, Text, Thinking, ToolUse, assistant, user
from remit.ports.model import Delta, ModelRequest

ASKED = ModelRequest("m", (user("Hello"),))


async def test_replies_come_in_order() -> None:
    """Texts, messages, functions and errors; every request is kept."""
    calls = Message("assistant", (Thinking("hm"), ToolUse("c", "look_up", {"id": 1})))
    model = ScriptedModel(
        ["one", calls, lambda request: request.messages[0].text, ModelError("no", code="E603")]
    )
    assert (await model.ask(ASKED)).message == assistant("one")
    reply = await model.ask(ASKED)
    assert (reply.message, reply.stop_reason) == (calls, "tool_use")
    assert (await model.ask(ASKED)).message.text == "Hello"
    with pytest.raises(ModelError, match="E603"):
        await model.ask(ASKED)
    with pytest.raises(ModelError, match="E620"):
        await model.ask(ASKED)
    assert (len(model.requests), model.left, model.provider) == (5, 0, "scripted")


async def test_usage_is_the_same_every_time() -> None:
    """Four characters a token."""
    first, second = [(await ScriptedModel(["x" * 40]).ask(ASKED)).usage for _ in range(2)]
    assert first == second
    assert (first.input_tokens, first.output_tokens, first.model_calls) == (2, 11, 1)


async def test_a_script_may_start_again() -> None:
    """For benchmarks and demos."""
    model = ScriptedModel(["a", "b"], cycle=True)
    assert [(await model.ask(ASKED)).message.text for _ in range(5)] == ["a", "b", "a", "b", "a"]


async def test_a_script_from_a_file(tmp_path: Path) -> None:
    """Texts, messages and errors as JSON."""
    path = tmp_path / "script.json"
    path.write_text(
        '{"replies": ["Hi.", {"role": "assistant", "blocks": [{"type": "tool_use", "id": "c", "name": "t", "input": {"a": 1}}]},'
        ' {"error": {"message": "busy", "code": "E601", "retryable": true, "retry_after_s": 2}}]}'
    )
    model = ScriptedModel.from_file(path)
    assert (await model.ask(ASKED)).message.text == "Hi."
    assert (await model.ask(ASKED)).message.tool_uses == (ToolUse("c", "t", {"a": 1}),)
    with pytest.raises(ModelError) as caught:
        await model.ask(ASKED)
    assert (caught.value.code, caught.value.retryable, caught.value.retry_after_s) == ("E601", True, 2.0)


async def test_the_first_rule_that_answers_wins() -> None:
    """And when none does, the model says so instead of making something up."""
    told: list[Delta] = []
    model = RulesModel(
        [
            lambda r: None,
            lambda r: assistant("hello") if "Hello" in r.messages[-1].text else None,
            lambda r: assistant("never"),
        ]
    )
    reply = await model.ask(ASKED, told.append)
    assert (reply.message.text, told, model.provider) == ("hello", [Delta("text", "hello")], "rules")
    assert (await RulesModel([]).ask(ASKED)).message.blocks == (Text(NO_RULE),)
    await model.close()
