"""The Bedrock adapter, with the real boto3 client and real event-stream framing."""

from __future__ import annotations

import sys

import pytest

from remit.adapters.model.bedrock import BedrockModel, inference_profile
from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.core.message import Document, Image, Message, Text, Thinking, ToolResult, ToolUse, user
from remit.core.tool import ToolSpec
from remit.ports.model import ModelRequest
from remit.testing.contracts.model import SECRET, ModelContract, request
from remit.testing.model_server import ModelServer, Status, Turn

boto3 = pytest.importorskip("boto3", reason='pip install "remit[bedrock]"')


SESSION = boto3.Session("AKIA0123456789ABCDEF", SECRET)  # shared: it caches the service descriptions


class Blobs:
    async def put(self, data: bytes) -> str:
        return "sha256:x"

    async def get(self, digest: str) -> bytes:
        return b"DATA"


@pytest.mark.parametrize(
    ("model", "region", "override", "called"),
    [
        ("anthropic.claude-x", "eu-central-1", "", "eu.anthropic.claude-x"),
        ("anthropic.claude-x", "us-east-1", "", "us.anthropic.claude-x"),
        ("anthropic.claude-x", "us-gov-west-1", "", "us-gov.anthropic.claude-x"),
        ("amazon.nova-pro-v1:0", "ap-southeast-2", "", "apac.amazon.nova-pro-v1:0"),
        ("anthropic.claude-x", "sa-east-1", "", "global.anthropic.claude-x"),
        ("us.anthropic.claude-x", "eu-west-1", "", "us.anthropic.claude-x"),
        (
            "arn:aws:bedrock:eu-west-1:1:inference-profile/p",
            "eu-west-1",
            "",
            "arn:aws:bedrock:eu-west-1:1:inference-profile/p",
        ),
        ("amazon.titan-text", "eu-west-1", "", "amazon.titan-text"),
        ("anthropic.claude-x", "eu-west-1", "global.anthropic.claude-y", "global.anthropic.claude-y"),
    ],
)
def test_the_region_chooses_the_inference_profile(
    model: str, region: str, override: str, called: str
) -> None:
    """C6: by geography, and BEDROCK_MODEL_ID wins."""
    assert inference_profile(model, region, override) == called


class TestBedrock(ModelContract):
    def make(self, server: ModelServer, secret: str) -> BedrockModel:
        session = SESSION if secret == SECRET else boto3.Session("AKIA0123456789ABCDEF", secret)
        return BedrockModel(region="eu-west-1", endpoint_url=server.bedrock_url, session=session)

    async def test_a_request_on_the_wire(self, server: ModelServer) -> None:
        """Converse's own words; the profile is in the path; results come first; foreign reasoning is dropped."""
        conversation = (
            Message(
                "user",
                (
                    Text("Look"),
                    Image("image/png", "sha256:x"),
                    Document("application/pdf", "sha256:x", "q/1: a.pdf"),
                ),
            ),
            Message(
                "assistant",
                (
                    Thinking("hm", "SIG"),
                    Thinking("foreign"),
                    Thinking("", "redacted:UkVE"),
                    ToolUse("c1", "t", {}, "{bad"),
                ),
            ),
            Message("user", (Text("so?"), ToolResult("c1", [1], is_error=True))),
        )
        asked = ModelRequest(
            "anthropic.claude",
            conversation,
            "Be brief.",
            (ToolSpec("t", "Tool.", {}),),
            99,
            0.5,
            {"type": "object"},
        )
        model = BedrockModel(
            region="us-east-1",
            endpoint_url=server.bedrock_url,
            session=boto3.Session("a", SECRET),
            blobs=Blobs(),
            prompt_cache=True,
            extra={"thinking": {"type": "adaptive"}},
        )
        server.script(Turn("done"))
        reply = await model.ask(asked)
        await model.close()
        assert reply.model == "us.anthropic.claude"
        (got,) = server.requests
        assert got.path == "/model/us.anthropic.claude/converse"
        first, second, third = got.body.pop("messages")
        assert first["content"][2] == {
            "document": {"name": "q 1 a pdf", "format": "pdf", "source": {"bytes": "REFUQQ=="}}
        }
        assert second["content"] == [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "SIG"}}},
            {"reasoningContent": {"redactedContent": "UkVE"}},
            {"toolUse": {"toolUseId": "c1", "name": "t", "input": {"malformed_arguments": "{bad"}}},
        ]
        point = {"cachePoint": {"type": "default"}}
        assert third["content"] == [
            {"toolResult": {"toolUseId": "c1", "content": [{"text": "[1]"}], "status": "error"}},
            {"text": "so?"},
            point,
        ]
        assert got.body == {
            "inferenceConfig": {"maxTokens": 99, "temperature": 0.5},
            "system": [{"text": "Be brief."}, point],
            "toolConfig": {
                "tools": [
                    {
                        "toolSpec": {
                            "name": "t",
                            "description": "Tool.",
                            "inputSchema": {"json": {"type": "object"}},
                        }
                    }
                ]
            },
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"name": "answer", "schema": '{"type":"object"}'}},
                }
            },
            "additionalModelRequestFields": {"thinking": {"type": "adaptive"}},
        }

    @pytest.mark.parametrize("mode", ["whole", "streamed"])
    async def test_redacted_thinking_survives(self, server: ModelServer, mode: str) -> None:
        """What the provider hides is kept, in base64, to be sent back."""
        reply, _ = await self.ask(server, Turn("ok", redacted="RED"), mode)
        assert reply.message.blocks == (Thinking("", "redacted:UkVE"), Text("ok"))

    @pytest.mark.parametrize("mode", ["whole", "streamed"])
    async def test_calls_that_bedrock_calls_malformed_are(self, server: ModelServer, mode: str) -> None:
        """However well they parse."""
        from remit.testing.model_server import Call

        reply, _ = await self.ask(
            server, Turn("", calls=(Call("c", "t", "{}"),), stop="malformed_tool_use"), mode
        )
        assert [use.malformed for use in reply.message.tool_uses] == ["{}"]

    @pytest.mark.parametrize("stop", ["guardrail_intervened", "content_filtered"])
    async def test_guardrails_are_refusals(self, server: ModelServer, stop: str) -> None:
        """The masked text is still there."""
        reply, _ = await self.ask(server, Turn("I may not.", stop=stop))
        assert (reply.stop_reason, reply.message.text) == ("refusal", "I may not.")

    async def test_an_unknown_model_names_the_setting(self, server: ModelServer) -> None:
        """Bedrock says ValidationException for it."""
        error = await self.fail(server, Status(400, message="The provided model identifier is invalid."))
        assert error.code == "E611"
        assert "BEDROCK_MODEL_ID" in error.help

    async def test_tools_of_the_past_are_declared(self, server: ModelServer) -> None:
        """Converse refuses tool blocks without a tool configuration."""
        model = self.make(server, SECRET)
        server.script(Turn("ok"))
        past = (
            user("x"),
            Message("assistant", (ToolUse("c", "old", {}),)),
            Message("user", (ToolResult("c", "r"),)),
        )
        await model.ask(ModelRequest("anthropic.claude", past))
        await model.close()
        assert server.requests[0].body["toolConfig"]["tools"][0]["toolSpec"]["name"] == "old"

    async def test_a_missing_client_says_what_to_install(
        self, server: ModelServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The exact line."""
        monkeypatch.setitem(sys.modules, "boto3", None)
        with pytest.raises(ConfigError) as caught:
            await BedrockModel(region="eu-west-1", endpoint_url=server.bedrock_url).ask(request())
        assert (caught.value.code, caught.value.help) == ("E210", how_to_install("bedrock"))

    async def test_missing_credentials_say_what_to_do(
        self, server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
    ) -> None:
        """E610 from boto3's own chain."""
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        ):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
        from remit.core.errors import ModelError

        model = BedrockModel(region="eu-west-1", endpoint_url=server.bedrock_url)
        with pytest.raises(ModelError) as caught:
            await model.ask(request())
        await model.close()
        assert (caught.value.code, caught.value.retryable) == ("E610", False)
        assert "bedrock:InvokeModel" in caught.value.help
