"""Models of embeddings: the lexical one, providers over real sockets, and patience with them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

from remit.adapters.embeddings.bedrock import BedrockEmbeddings
from remit.adapters.embeddings.lexical import LexicalEmbeddings, embedded
from remit.adapters.embeddings.openai import OpenAIEmbeddings
from remit.core.errors import ConfigError, ModelError
from remit.engine.embedding import ATTEMPTS, Patient
from remit.ports.embeddings import Embeddings
from remit.testing import FakeClock
from remit.testing.contracts.embeddings import EmbeddingsContract

_spec = importlib.util.spec_from_file_location("embedding_servers", Path(__file__).with_name("servers.py"))
assert _spec is not None
assert _spec.loader is not None
servers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(servers)

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-multilingual-v3"


@pytest.fixture
def provider() -> Iterator[Any]:
    """A provider on a socket of its own."""
    with servers.serving() as running:
        yield running


@pytest.fixture
def clients(provider: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Clients of AWS that reach the provider."""
    if importlib.util.find_spec("boto3") is None:
        pytest.skip('the extra "remit[aws]" is not installed')
    from remit.adapters.aws.session import Session

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Session(region="us-east-1", endpoint_url=provider.url)


class TestLexical(EmbeddingsContract):
    """The contract, without a model."""

    @pytest.fixture
    def embeddings(self) -> Embeddings:
        return LexicalEmbeddings()


class TestOpenAI(EmbeddingsContract):
    """The contract, through `/embeddings`."""

    @pytest.fixture
    def embeddings(self, provider: Any) -> Embeddings:
        return OpenAIEmbeddings("text-embedding-3-small", key=lambda: "sk-key", base_url=f"{provider.url}/v1")


class TestTitan(EmbeddingsContract):
    """The contract, through InvokeModel of Titan."""

    @pytest.fixture
    def embeddings(self, clients: Callable[..., Any]) -> Embeddings:
        return BedrockEmbeddings(clients, TITAN)


class TestCohere(EmbeddingsContract):
    """The contract, through InvokeModel of Cohere."""

    @pytest.fixture
    def embeddings(self, clients: Callable[..., Any]) -> Embeddings:
        return BedrockEmbeddings(clients, COHERE)


def test_inflections_and_typos_are_near() -> None:
    """Nearer than other words; synonyms are not, and nobody says so."""

    def near(one: str, other: str) -> float:
        return float(embedded(one) @ embedded(other))

    assert near("descaling the kettles", "descale the kettle") > 0.5
    assert near("descale the ketle", "descale the kettle") > 0.5
    assert near("descale the kettle", "refund my order") < 0.2


def test_the_lexical_model_is_the_same_everywhere() -> None:
    """Its vectors are stored: if this fails, its name must change, so that indexes are made anew."""
    made = embedded("The kettle switches off, and off again.")
    places = [int(n) for n in abs(made).argsort()[-5:][::-1]]
    assert (LexicalEmbeddings.name, places) == ("lexical:1", [327, 369, 368, 357, 156])


async def test_each_purpose_is_told_to_models_that_ask(clients: Callable[..., Any], provider: Any) -> None:
    """Cohere embeds a query otherwise than a document."""
    model = BedrockEmbeddings(clients, COHERE)
    await model.embed(["a"], "document")
    await model.embed(["a"], "query")
    assert [r["body"]["input_type"] for r in provider.requests] == ["search_document", "search_query"]
    assert {r["path"] for r in provider.requests} == {f"/model/{COHERE}/invoke"}


async def test_the_key_is_sent_and_never_told(provider: Any) -> None:
    """Not even when the provider repeats it."""
    model = OpenAIEmbeddings("m", key=lambda: "sk-very-secret", base_url=provider.url)
    await model.embed(["a"], "query")
    assert provider.requests[0]["headers"]["authorization"] == "Bearer sk-very-secret"
    provider.instead = [(401, {}, b'{"error": {"message": "wrong key sk-very-secret"}}')]
    with pytest.raises(ModelError) as raised:
        await model.embed(["a"], "query")
    assert "very-secret" not in str(raised.value)
    assert not raised.value.retryable
    await model.close()


@pytest.mark.parametrize(
    ("instead", "code", "retryable"),
    [
        ((429, {"retry-after": "7"}, b"slow down"), "E601", True),
        ((500, {}, b"oops"), "E603", True),
        ((503, {}, b""), "E603", True),
        ((401, {}, b""), "E610", False),
        ((404, {}, b"no such model"), "E611", False),
        ((400, {}, b"bad"), "E602", False),
        ((200, {}, b"not json"), "E938", False),
        ((200, {}, b'{"data": []}'), "E938", False),
        ((200, {}, b'{"data": [{"index": 0, "embedding": [0.0, 0.0]}]}'), "E938", False),
    ],
)
async def test_failures_say_whether_to_try_again(
    provider: Any, instead: tuple[int, dict[str, str], bytes], code: str, retryable: bool
) -> None:
    """And how long to wait, when the provider says so."""
    model = OpenAIEmbeddings("m", key=str, base_url=provider.url)
    provider.instead = [instead]
    with pytest.raises(ModelError) as raised:
        await model.embed(["a"], "query")
    assert (raised.value.code, raised.value.retryable) == (code, retryable)
    assert raised.value.retry_after_s == (7 if "retry-after" in instead[1] else None)
    await model.close()


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        ("ThrottlingException", "E601", True),
        ("InternalServerException", "E603", True),
        ("AccessDeniedException", "E610", False),
        ("ResourceNotFoundException", "E611", False),
        ("ValidationException", "E602", False),
    ],
)
async def test_failures_of_bedrock_too(
    clients: Callable[..., Any], provider: Any, failure: str, code: str, retryable: bool
) -> None:
    """By AWS's own names."""
    provider.instead = [servers.error_of_aws(failure, "because")]
    with pytest.raises(ModelError) as raised:
        await BedrockEmbeddings(clients, TITAN).embed(["a"], "query")
    assert (raised.value.code, raised.value.retryable) == (code, retryable)


async def test_a_provider_that_is_away_is_told() -> None:
    """E604, worth another try."""
    model = OpenAIEmbeddings("m", key=str, base_url="http://127.0.0.1:1/v1")
    with pytest.raises(ModelError) as raised:
        await model.embed(["a"], "query")
    assert (raised.value.code, raised.value.retryable) == ("E604", True)
    await model.close()


async def test_patience(provider: Any) -> None:
    """A busy provider is asked again after as long as it says, else ever later; batches are no larger than it takes."""
    clock = FakeClock()
    model = Patient(OpenAIEmbeddings("m", key=str, base_url=provider.url), clock)
    provider.instead = [(429, {"retry-after": "7"}, b""), (500, {}, b""), (500, {}, b"")]
    found = await model.embed([f"text {n}" for n in range(300)], "document")
    assert len(found) == 300
    assert [len(r["body"]["input"]) for r in provider.requests] == [128, 128, 128, 128, 128, 44]
    assert clock.slept[0] == 7
    assert 0.5 <= clock.slept[1] <= 1 <= clock.slept[2] <= 2
    await model.close()


async def test_patience_ends(provider: Any) -> None:
    """After five tries; at once where trying again is no use."""
    model = Patient(OpenAIEmbeddings("m", key=str, base_url=provider.url), FakeClock())
    provider.instead = [(500, {}, b"")] * 50
    with pytest.raises(ModelError):
        await model.embed(["a"], "query")
    assert len(provider.requests) == ATTEMPTS
    provider.instead = [(400, {}, b"")] * 50
    with pytest.raises(ModelError):
        await model.embed(["a"], "query")
    assert len(provider.requests) == ATTEMPTS + 1
    await model.close()


def test_another_family_on_bedrock_is_refused() -> None:
    """E937 names what there is."""
    with pytest.raises(ConfigError) as raised:
        BedrockEmbeddings(json.loads, "anthropic.claude-sonnet")
    assert raised.value.code == "E937"
