"""Bedrock Guardrails: on the wire, and on an emulator that judges (`eval "$(scripts/ci/ministack.sh)"` starts it)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.adapters.emulator import REGION, URL, clients, model_proxy

from remit.adapters.aws.session import Session
from remit.adapters.model.bedrock import BedrockModel
from remit.adapters.model.guardrail import PIECE, BedrockGuardrail, guardrail_config, judged, pieces
from remit.core.errors import ConfigError, ModelError
from remit.core.message import Message, ToolResult, ToolUse, user
from remit.core.tool import ToolSpec
from remit.ports.guardrail import About, Guardrail
from remit.ports.model import Delta, ModelReply, ModelRequest
from remit.testing.model_server import Body, ModelServer, Status, Turn

__all__ = ["clients"]

boto3 = pytest.importorskip("boto3", reason='pip install "remit[bedrock]"')
service = pytest.mark.service

MODEL = "anthropic.claude-haiku-4-5-v1:0"
TOOL = ToolSpec("look_up", "Looks up.", {"type": "object"})
GUARD = {"guardrailIdentifier": "gr-1", "guardrailVersion": "3"}
PASSED = Body(b'{"action": "NONE", "outputs": [], "assessments": []}')
STREAMED = pytest.mark.parametrize("streamed", [False, True])


def after_tools(*results: Any) -> tuple[Message, ...]:
    """A conversation whose tools have answered, one turn each."""
    messages = [user("Look it up.")]
    for number, result in enumerate(results):
        messages += [
            Message("assistant", (ToolUse(f"c{number}", "look_up"),)),
            Message("user", (ToolResult(f"c{number}", result),)),
        ]
    return tuple(messages)


def intervened(text: str, **assessment: Any) -> Body:
    """An answer of `ApplyGuardrail` that puts a text in the place of another."""
    answer = {"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": text}], "assessments": [assessment]}
    return Body(json.dumps(answer).encode())


# on the wire


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as made:
        yield made


def model_at(url: str, guard: dict[str, str] = GUARD) -> BedrockModel:
    return BedrockModel(
        region="us-east-1", endpoint_url=url, session=boto3.Session("test", "test"), guardrail=guard
    )


async def asked(
    model: BedrockModel, messages: tuple[Message, ...], streamed: bool
) -> tuple[ModelReply, list[Delta]]:
    deltas: list[Delta] = []
    request = ModelRequest(MODEL, messages, tools=(TOOL,), timeout_s=20)
    try:
        return await model.ask(request, deltas.append if streamed else None), deltas
    finally:
        await model.close()


@STREAMED
async def test_an_exchange_names_the_guardrail(server: ModelServer, streamed: bool) -> None:
    """With what it did asked for, and in a stream no word before it is judged."""
    server.script(Turn("Fine."))
    reply, _ = await asked(model_at(server.bedrock_url), (user("Hello"),), streamed)
    (request,) = server.requests
    sync = {"streamProcessingMode": "sync"} if streamed else {}
    assert request.body["guardrailConfig"] == {**GUARD, "trace": "enabled", **sync}
    assert (reply.stop_reason, reply.notes) == ("end_turn", ())


async def test_results_of_tools_are_judged_before_the_model_reads_them(server: ModelServer) -> None:
    """Each goes on as the guardrail lets it; what it found is not noted, which rule it was is."""
    blocked = {"topicPolicy": {"topics": [{"name": "advice", "type": "DENY", "action": "BLOCKED"}]}}
    masked = {
        "sensitiveInformationPolicy": {
            "piiEntities": [{"match": "ann@example.com", "type": "EMAIL", "action": "ANONYMIZED"}]
        }
    }
    server.script(
        PASSED,
        intervened("not allowed", **blocked),
        intervened('{"mail": "{EMAIL}"}', **masked),
        Turn("Done."),
    )
    messages = after_tools("harmless", "buy now", {"mail": "ann@example.com"})
    reply, _ = await asked(model_at(server.bedrock_url), messages, False)
    *checks, exchange = server.requests
    assert [request.path for request in checks] == ["/guardrail/gr-1/version/3/apply"] * 3
    assert [request.body["source"] for request in checks] == ["INPUT"] * 3
    said = [
        block["toolResult"]["content"][0]["text"]
        for message in exchange.body["messages"]
        for block in message["content"]
        if "toolResult" in block
    ]
    assert said == ["harmless", "not allowed", '{"mail": "{EMAIL}"}']
    assert reply.notes == ("guardrail masked a result of a tool: personal data EMAIL",)


async def test_a_result_is_judged_once(server: ModelServer) -> None:
    """A conversation shows the model its results in every turn; what was blocked stays blocked."""
    server.script(intervened("not allowed"), Turn("One."), PASSED, Turn("Two."))
    model = model_at(server.bedrock_url)
    for results in (("bad",), ("bad", "good")):
        await model.ask(ModelRequest(MODEL, after_tools(*results), tools=(TOOL,), timeout_s=20))
    await model.close()
    assert ["apply" in request.path for request in server.requests] == [True, False, True, False]
    assert "bad" not in json.dumps(server.requests[3].body)


@pytest.mark.parametrize(("status", "code"), [(429, "E601"), (500, "E603"), (403, "E610")])
async def test_a_result_that_cannot_be_judged_does_not_go_on(
    server: ModelServer, status: int, code: str
) -> None:
    """The model is not asked at all."""
    server.script(Status(status))
    with pytest.raises(ModelError) as raised:
        await asked(model_at(server.bedrock_url), after_tools("anything"), False)
    assert raised.value.code == code
    assert raised.value.retryable is (status != 403)
    assert len(server.requests) == 1


class Fake:
    """`ApplyGuardrail` that masks the word `secret`."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = asked["content"][0]["text"]["text"]
        self.texts.append(text)
        if "secret" not in text:
            return {"action": "NONE", "outputs": [{"text": text}]}
        rule = {"name": "word", "action": "ANONYMIZED"}
        return {
            "action": "GUARDRAIL_INTERVENED",
            "outputs": [{"text": text.replace("secret", "{word}")}],
            "assessments": [{"sensitiveInformationPolicy": {"regexes": [rule]}}],
        }


async def test_an_answer_is_judged_with_what_it_should_stand_in() -> None:
    """Contextual grounding: sources, question and answer go in one request, each by its qualifier, and anew each time."""
    asked: list[dict[str, Any]] = []

    async def fake(arguments: dict[str, Any]) -> dict[str, Any]:
        asked.append(arguments)
        return {"action": "NONE", "outputs": [], "assessments": []}

    guardrail: Guardrail = BedrockGuardrail(fake, GUARD)
    about = About(("The price is 20.",), "What does it cost?")
    for _ in range(2):
        assert (await guardrail.check("It costs 20.", "output", about)).outcome == "passed"
    assert len(asked) == 2
    assert asked[0] == {
        **GUARD,
        "source": "OUTPUT",
        "content": [
            {"text": {"text": "The price is 20.", "qualifiers": ["grounding_source"]}},
            {"text": {"text": "What does it cost?", "qualifiers": ["query"]}},
            {"text": {"text": "It costs 20.", "qualifiers": ["guard_content"]}},
        ],
    }


async def test_a_long_text_is_judged_in_pieces() -> None:
    """Cut between words, and put together again."""
    fake = Fake()
    text = "some words " * 4000 + "a secret" + " and more" * 4000
    guardrail: Guardrail = BedrockGuardrail(fake, GUARD)
    verdict = await guardrail.check(text, "output")
    assert verdict.outcome == "masked"
    assert verdict.text == text.replace("secret", "{word}")
    assert verdict.why == ("pattern word",)
    assert all(len(piece) <= PIECE for piece in fake.texts)
    assert (await guardrail.check(text, "output")) is verdict


@pytest.mark.parametrize("text", ["", "  ", "x", "x" * (3 * PIECE + 1), "x " * PIECE, "\n" * (2 * PIECE)])
def test_pieces_lose_nothing(text: str) -> None:
    """But blank space at the end, which no guardrail takes."""
    assert "".join(pieces(text)).rstrip() == text.rstrip()


def test_what_does_not_only_mask_has_blocked() -> None:
    """Also where the guardrail does not say why; rules that only looked are left out."""
    mask = {"sensitiveInformationPolicy": {"piiEntities": [{"type": "NAME", "action": "ANONYMIZED"}]}}
    block = {"contentPolicy": {"filters": [{"type": "VIOLENCE", "confidence": "HIGH", "action": "BLOCKED"}]}}
    looked = {"topicPolicy": {"topics": [{"name": "t", "type": "DENY", "action": "NONE"}]}}
    assert judged([mask]) == ("masked", ("personal data NAME",))
    assert judged([mask, block]) == ("blocked", ("personal data NAME", "content VIOLENCE"))
    assert judged([looked]) == ("blocked", ())
    assert judged([]) == ("blocked", ())


def test_the_setting_names_a_version() -> None:
    """An id or an ARN, and a number or DRAFT."""
    arn = "arn:aws:bedrock:us-east-1:000000000000:guardrail/gr1"
    assert guardrail_config("gr-1:3") == GUARD
    assert guardrail_config(f"{arn}:DRAFT") == {"guardrailIdentifier": arn, "guardrailVersion": "DRAFT"}
    for text in ("gr-1", "gr-1:", ":1", "gr-1:latest", arn):
        with pytest.raises(ConfigError) as raised:
            guardrail_config(text)
        assert raised.value.code == "E689"


# on the emulator


@pytest.fixture(scope="module")
def guard(clients: Session) -> dict[str, str]:
    """A guardrail that blocks a word and masks addresses."""
    made = clients("bedrock").create_guardrail(
        name="test",
        blockedInputMessaging="I cannot talk about that.",
        blockedOutputsMessaging="I cannot say that.",
        wordPolicyConfig={"wordsConfig": [{"text": "forbidden"}]},
        sensitiveInformationPolicyConfig={"piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}]},
    )
    return {"guardrailIdentifier": made["guardrailId"], "guardrailVersion": made["version"]}


@pytest.fixture
def proxy() -> Iterator[ModelServer]:
    with model_proxy() as made:
        yield made


@pytest.fixture
def model(guard: dict[str, str]) -> BedrockModel:
    """The model in the account that has the guardrail."""
    return BedrockModel(region=REGION, endpoint_url=URL, session=boto3.Session(), guardrail=guard)


@service
@STREAMED
async def test_a_question_that_is_blocked_is_a_refusal(
    proxy: ModelServer, model: BedrockModel, streamed: bool
) -> None:
    """The model never sees it; the answer is the guardrail's sentence, and the journal learns of it."""
    reply, deltas = await asked(model, (user("Something forbidden, please"),), streamed)
    assert (reply.stop_reason, reply.message.text) == ("refusal", "I cannot talk about that.")
    assert reply.notes[0].startswith("guardrail blocked the exchange: ")
    assert proxy.requests == []
    assert "".join(d.text for d in deltas) == ("I cannot talk about that." if streamed else "")


@service
@STREAMED
async def test_an_answer_that_is_blocked_is_a_refusal(
    proxy: ModelServer, model: BedrockModel, streamed: bool
) -> None:
    """Nothing of what the model said is told."""
    proxy.script(Turn("Well, this is forbidden."))
    reply, deltas = await asked(model, (user("Tell me"),), streamed)
    assert (reply.stop_reason, reply.message.text) == ("refusal", "I cannot say that.")
    assert "forbidden" not in "".join(d.text for d in deltas)


@service
async def test_an_answer_that_is_masked_is_an_answer(proxy: ModelServer, model: BedrockModel) -> None:
    """The turn ends as it would have."""
    proxy.script(Turn("Write to ann@example.com."))
    reply, _ = await asked(model, (user("Whom?"),), False)
    assert (reply.stop_reason, reply.message.text) == ("end_turn", "Write to {EMAIL}.")
    assert reply.notes == ("guardrail masked the exchange: personal data EMAIL",)


@service
async def test_a_result_of_a_tool_is_blocked(proxy: ModelServer, model: BedrockModel) -> None:
    """The model reads the guardrail's sentence in its place, and goes on."""
    proxy.script(Turn("There is nothing."))
    reply, _ = await asked(model, after_tools("a forbidden page", "of ann@example.com"), False)
    (request,) = proxy.requests
    said = json.dumps(request.body["messages"])
    assert "forbidden" not in said
    assert "ann@example.com" not in said
    assert "I cannot talk about that." in said
    assert (reply.stop_reason, reply.message.text) == ("end_turn", "There is nothing.")


@service
@STREAMED
async def test_a_guardrail_that_is_not_there_is_told(clients: Session, streamed: bool) -> None:
    """By the setting, and not as a model that is unknown."""
    with pytest.raises(ModelError) as raised:
        await asked(model_at(URL), (user("x"),), streamed)
    assert raised.value.code == "E688"
    assert "REMIT_GUARDRAIL" in raised.value.help
