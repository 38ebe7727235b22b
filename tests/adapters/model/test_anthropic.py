"""The Anthropic adapter, with the official client."""

from __future__ import annotations

import sys

import pytest

from remit.adapters.model.anthropic import AnthropicModel
from remit.core.errors import ConfigError, ModelError
from remit.core.extras import how_to_install
from remit.core.message import Document, Image, Message, Text, Thinking, ToolResult, ToolUse, user
from remit.core.tool import ToolSpec
from remit.ports.model import ModelRequest
from remit.testing.contracts.model import SECRET, ModelContract, request
from remit.testing.model_server import ModelServer, Turn

pytest.importorskip("anthropic", reason='pip install "remit[anthropic]"')


class Blobs:
    async def put(self, data: bytes) -> str:
        return "sha256:x"

    async def get(self, digest: str) -> bytes:
        return b"DATA"


class TestAnthropic(ModelContract):
    def make(self, server: ModelServer, secret: str) -> AnthropicModel:
        return AnthropicModel(base_url=server.anthropic_url, api_key=secret)

    async def test_a_request_on_the_wire(self, server: ModelServer) -> None:
        """Turns are merged, results come first, foreign reasoning is dropped, one's own goes back unchanged."""
        conversation = (
            user("Look"),
            Message(
                "user", (Image("image/png", "sha256:x"), Document("application/pdf", "sha256:x", "a.pdf"))
            ),
            Message(
                "assistant",
                (
                    Thinking("hm", "SIG"),
                    Thinking("foreign"),
                    Thinking("", "redacted:R"),
                    Text(" "),
                    ToolUse("c1", "t", {}, "{bad"),
                ),
            ),
            Message("user", (Text("so?"), ToolResult("c1", [1], is_error=True))),
        )
        asked = ModelRequest(
            "claude", conversation, "Be brief.", (ToolSpec("t", "Tool.", {}),), 99, 0.5, {"type": "object"}
        )
        model = AnthropicModel(
            base_url=server.anthropic_url,
            api_key=SECRET,
            blobs=Blobs(),
            prompt_cache=True,
            extra={"metadata": {"user_id": "u"}},
        )
        server.script(Turn("done"))
        await model.ask(asked)
        await model.close()
        (got,) = server.requests
        assert got.path == "/v1/messages"
        assert SECRET in (
            got.headers.get("x-api-key"),
            got.headers.get("authorization", "").removeprefix("Bearer "),
        )
        assert got.body.pop("temperature", 0.5) == 0.5  # the newest version of the API has none
        first, second, third = got.body.pop("messages")
        assert [block["type"] for block in first["content"]] == ["text", "image", "document"]
        assert first["content"][1]["source"] == {
            "type": "base64",
            "media_type": "image/png",
            "data": "REFUQQ==",
        }
        assert second["content"] == [
            {"type": "thinking", "thinking": "hm", "signature": "SIG"},
            {"type": "redacted_thinking", "data": "R"},
            {"type": "tool_use", "id": "c1", "name": "t", "input": {"malformed_arguments": "{bad"}},
        ]
        cached = {"cache_control": {"type": "ephemeral"}}
        assert third["content"] == [
            {"type": "tool_result", "tool_use_id": "c1", "content": "[1]", "is_error": True},
            {"type": "text", "text": "so?"} | cached,
        ]
        assert got.body == {
            "model": "claude",
            "max_tokens": 99,
            "system": [{"type": "text", "text": "Be brief."} | cached],
            "tools": [{"name": "t", "description": "Tool.", "input_schema": {"type": "object"}}],
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            "metadata": {"user_id": "u"},
        }

    @pytest.mark.parametrize("mode", ["whole", "streamed"])
    async def test_redacted_and_hidden_thinking_survive(self, server: ModelServer, mode: str) -> None:
        """What the provider hides is kept to be sent back."""
        reply, _ = await self.ask(server, Turn("ok", signature="SIG", redacted="R"), mode)
        assert reply.message.blocks == (Thinking("", "SIG"), Thinking("", "redacted:R"), Text("ok"))

    async def test_tools_of_the_past_are_declared(self, server: ModelServer) -> None:
        """A conversation with tool blocks is refused when no tool is declared."""
        model = self.make(server, SECRET)
        server.script(Turn("ok"))
        past = (
            user("x"),
            Message("assistant", (ToolUse("c", "old", {}),)),
            Message("user", (ToolResult("c", "r"),)),
        )
        await model.ask(ModelRequest("claude", past))
        await model.close()
        assert [tool["name"] for tool in server.requests[0].body["tools"]] == ["old"]
        assert server.requests[0].body["tool_choice"] == {"type": "none"}

    @pytest.mark.parametrize("mode", ["whole", "streamed"])
    async def test_a_refusal_may_be_silent(self, server: ModelServer, mode: str) -> None:
        """A refusal is an answer, not a failure."""
        reply, _ = await self.ask(server, Turn("", stop="refusal"), mode)
        assert (reply.stop_reason, reply.message.blocks) == ("refusal", ())

    async def test_no_key_says_what_to_set(self, server: ModelServer) -> None:
        """The environment is not searched for one."""
        with pytest.raises(ModelError, match="ANTHROPIC_API_KEY") as caught:
            await self.make(server, "").ask(request())
        assert caught.value.code == "E610"

    async def test_a_missing_client_says_what_to_install(
        self, server: ModelServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The exact line."""
        monkeypatch.setitem(sys.modules, "anthropic", None)
        with pytest.raises(ConfigError) as caught:
            await self.make(server, SECRET).ask(request())
        assert (caught.value.code, caught.value.help) == ("E210", how_to_install("anthropic"))
