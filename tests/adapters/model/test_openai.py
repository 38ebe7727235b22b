"""The OpenAI-compatible adapter."""

from __future__ import annotations

import pytest

from remit.adapters.model.openai import OpenAIModel
from remit.core.message import Image, Message, Text, Thinking, ToolResult, ToolUse, assistant, user
from remit.core.tool import ToolSpec
from remit.ports.model import ModelRequest
from remit.testing.contracts.model import SECRET, ModelContract
from remit.testing.model_server import Body, ModelServer, Status, Turn

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


class Blobs:
    async def put(self, data: bytes) -> str:
        return "sha256:x"

    async def get(self, digest: str) -> bytes:
        return b"PNG"


class TestOpenAI(ModelContract):
    full = "length"
    signs = False
    writes_cache = False

    def make(self, server: ModelServer, secret: str) -> OpenAIModel:
        return OpenAIModel(base_url=server.openai_url, api_key=secret)

    async def test_a_request_on_the_wire(self, server: ModelServer) -> None:
        """System, turns, tool calls and results, images, tools and schema in the format's own words."""
        conversation = (
            Message("user", (Text("Look"), Image("image/png", "sha256:x"))),
            Message(
                "assistant",
                (
                    Thinking("hm", "s"),
                    Text("ok"),
                    ToolUse("c1", "t", {"a": 1}),
                    ToolUse("c2", "t", {}, "{bad"),
                ),
            ),
            Message(
                "user",
                (ToolResult("c1", {"n": 1}), ToolResult("c2", "no JSON", is_error=True), Text("go on")),
            ),
        )
        asked = ModelRequest(
            "gpt", conversation, "Be brief.", (ToolSpec("t", "Tool.", {"properties": {}}),), 99, 0.5, SCHEMA
        )
        model = OpenAIModel(base_url=server.openai_url, api_key=SECRET, blobs=Blobs(), extra={"seed": 7})
        server.script(Turn("done"))
        await model.ask(asked)
        await model.close()
        (got,) = server.requests
        assert got.path == "/v1/chat/completions"
        assert got.headers["authorization"] == f"Bearer {SECRET}"
        system, look, said, first, second, go_on = got.body.pop("messages")
        assert system == {"role": "system", "content": "Be brief."}
        assert look["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,UE5H"}}
        assert said["content"] == "ok"
        assert [call["function"]["arguments"] for call in said["tool_calls"]] == [
            '{"a":1}',
            '{"malformed_arguments":"{bad"}',
        ]
        assert first == {"role": "tool", "tool_call_id": "c1", "content": '{"n":1}'}
        assert second == {"role": "tool", "tool_call_id": "c2", "content": "error: no JSON"}
        assert go_on == {"role": "user", "content": "go on"}
        assert got.body == {
            "model": "gpt",
            "max_tokens": 99,
            "temperature": 0.5,
            "seed": 7,
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "t",
                        "description": "Tool.",
                        "parameters": {"type": "object", "properties": {}},
                    },
                }
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
            },
        }

    async def test_a_stream_asks_for_usage(self, server: ModelServer) -> None:
        """Without `include_usage` a stream would cost nothing."""
        await self.ask(server, Turn("x"), "streamed")
        assert server.requests[0].body["stream_options"] == {"include_usage": True}

    async def test_a_server_without_usage_is_counted(self, server: ModelServer) -> None:
        """Budgets hold against servers that do not count."""
        reply, _ = await self.ask(
            server, Body(b'{"choices":[{"message":{"content":"12345678"},"finish_reason":"stop"}]}')
        )
        assert (reply.usage.input_tokens > 0, reply.usage.output_tokens) == (True, 3)

    async def test_arguments_as_an_object_are_understood(self, server: ModelServer) -> None:
        """Some servers send arguments unquoted, without ids, and say `stop`."""
        call = b'{"function":{"name":"t","arguments":{"a":[1]}}}'
        body = (
            b'{"choices":[{"message":{"content":null,"tool_calls":[' + call + b']},"finish_reason":"stop"}]}'
        )
        reply, _ = await self.ask(server, Body(body))
        assert reply.message.tool_uses == (ToolUse("call_1_0", "t", {"a": [1]}),)
        assert reply.stop_reason == "tool_use"

    async def test_used_up_quota_is_not_retryable(self, server: ModelServer) -> None:
        """Waiting does not bring money."""
        error = await self.fail(server, Status(429, kind="insufficient_quota"))
        assert (error.code, error.retryable) == ("E601", False)

    async def test_an_error_in_the_body_is_one_whatever_its_code(self, server: ModelServer) -> None:
        """Some servers answer 200 with an error; its code need not be a number, though it may look like one."""
        error = await self.fail(server, Body('{"error":{"code":"²","message":"no"}}'.encode()))
        assert error.code == "E603"

    @pytest.mark.parametrize(
        ("base_url", "field"),
        [("https://api.openai.com/v1", "max_completion_tokens"), ("http://x/v1", "max_tokens")],
    )
    def test_the_limit_goes_into_the_field_the_host_knows(self, base_url: str, field: str) -> None:
        """OpenAI's newer models refuse `max_tokens`; others know nothing else."""
        body = OpenAIModel(base_url=base_url)._body(
            ModelRequest("m", (user("x"), assistant("y"))), {}, stream=False
        )
        assert body[field] == 2048
