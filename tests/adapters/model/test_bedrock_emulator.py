"""Bedrock Converse through the AWS emulator: its idea of the API against ours, with the real boto3 client.

Start the emulator with `eval "$(scripts/ci/ministack.sh)"`; this test serves the model behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.adapters.emulator import model_proxy

from remit.adapters.model.bedrock import BedrockModel
from remit.core.message import Message, ToolResult, ToolUse, user
from remit.core.tool import ToolSpec
from remit.ports.model import Delta, ModelRequest
from remit.testing.model_server import Call, ModelServer, Tokens, Turn

boto3 = pytest.importorskip("boto3", reason='pip install "remit[bedrock]"')
pytestmark = pytest.mark.service

MODEL = "anthropic.claude-haiku-4-5-v1:0"
TOOL = ToolSpec("look_up", "Looks up.", {"type": "object", "properties": {"id": {"type": "integer"}}})


@pytest.fixture(scope="module")
def emulator() -> str:
    url = os.environ.get("REMIT_TEST_MINISTACK", "")
    if not url:
        reason = 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"'
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return url


@pytest.fixture
def proxy(emulator: str) -> Iterator[ModelServer]:
    with model_proxy() as server:
        yield server


@pytest.fixture
def model(emulator: str) -> BedrockModel:
    return BedrockModel(region="eu-west-1", endpoint_url=emulator, session=boto3.Session("test", "test"))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_loop(proxy: ModelServer, model: BedrockModel, streamed: bool) -> None:
    """Two parallel calls, their results, and the answer; tokens as the model counted them."""
    calls = (Call("c1", "look_up", '{"id": 1}'), Call("c2", "look_up", '{"id": 2}'))
    proxy.script(Turn("", calls=calls, tokens=Tokens(31, 17)), Turn("Both are there.", tokens=Tokens(41, 7)))
    deltas: list[Delta] = []
    listen = deltas.append if streamed else None
    first = await model.ask(
        ModelRequest(MODEL, (user("Are 1 and 2 there?"),), tools=(TOOL,), timeout_s=20), listen
    )
    assert first.stop_reason == "tool_use"
    assert [(use.name, use.input, use.malformed) for use in first.message.tool_uses] == [
        ("look_up", {"id": 1}, None),
        ("look_up", {"id": 2}, None),
    ]
    assert (first.usage.input_tokens, first.usage.output_tokens) == (31, 17)
    results = Message("user", tuple(ToolResult(use.id, {"there": True}) for use in first.message.tool_uses))
    conversation = (user("Are 1 and 2 there?"), first.message, results)
    second = await model.ask(ModelRequest(MODEL, conversation, tools=(TOOL,), timeout_s=20), listen)
    await model.close()
    assert (second.stop_reason, second.message.text) == ("end_turn", "Both are there.")
    assert (second.usage.input_tokens, second.usage.output_tokens) == (41, 7)
    assert len(proxy.requests) == 2
    assert [m["role"] for m in proxy.requests[1].body["messages"]].count("tool") == 2
    if streamed:
        assert "".join(d.text for d in deltas if d.kind == "text") == "Both are there."


@pytest.mark.parametrize("streamed", [False, True])
async def test_malformed_arguments_are_no_call(
    proxy: ModelServer, model: BedrockModel, streamed: bool
) -> None:
    """Whatever the emulator makes of them."""
    from remit.core.errors import ModelError

    proxy.script(Turn("", calls=(Call("c1", "look_up", '{"id": '),)))
    uses: tuple[ToolUse, ...] = ()
    try:
        reply = await model.ask(
            ModelRequest(MODEL, (user("x"),), tools=(TOOL,), timeout_s=20),
            (lambda _: None) if streamed else None,
        )
        uses = reply.message.tool_uses
    except ModelError:
        pass
    await model.close()
    assert len(proxy.requests) == 1
    assert all(use.malformed is not None for use in uses)
