"""Models of embeddings on Amazon Bedrock by InvokeModel: Amazon Titan, one text a call, and Cohere Embed, 96."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from msgspec import Struct

from remit.adapters.embeddings import refusals
from remit.core import aws
from remit.core.errors import ConfigError, ModelError
from remit.ports.embeddings import Purpose

AT_ONCE = 8
"""Calls of Titan in flight."""
MOST_COHERE = 2048
"""Characters of a text that Cohere takes."""
MOST_TITAN = 50_000


class _Titan(Struct):
    embedding: list[float]


class _Typed(Struct):
    float_: list[list[float]] = msgspec.field(name="float")


class _Cohere(Struct):
    embeddings: list[list[float]] | _Typed


class BedrockEmbeddings:
    """One model, e.g. `amazon.titan-embed-text-v2:0` or `cohere.embed-multilingual-v3`, or a cross-region profile of one.

    `clients(service, ...)` is a client of boto3; its own retries are off.
    """

    def __init__(self, clients: Callable[..., Any], model: str) -> None:
        """Raises ConfigError E937 for a model of another family."""
        self._clients = clients
        self._model = model
        self._is_cohere = "cohere.embed" in model
        if not self._is_cohere and "amazon.titan-embed-text" not in model:
            raise ConfigError(
                f"`{model}` is no model of embeddings that is known on Bedrock",
                code="E937",
                help="set `documents.embeddings` to bedrock:amazon.titan-embed-text-v2:0 or bedrock:cohere.embed-...",
            )
        self._threads = ThreadPoolExecutor(AT_ONCE, "remit-embeddings")

    @property
    def name(self) -> str:
        """`bedrock:` and the model."""
        return f"bedrock:{self._model}"

    @property
    def batch(self) -> int:
        """96 texts, as many as Cohere takes."""
        return 96

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text. Raises ModelError."""
        if self._is_cohere:
            body = {
                "texts": [text[:MOST_COHERE] for text in texts],
                "input_type": f"search_{purpose}",
                "truncate": "END",
                "embedding_types": ["float"],
            }
            answer = (await self._ask(body, _Cohere)).embeddings
            vectors = answer.float_ if isinstance(answer, _Typed) else answer
        else:
            # an empty text is refused; nothing else is one blank
            asked = [self._ask({"inputText": text[:MOST_TITAN] or " "}, _Titan) for text in texts]
            vectors = [answer.embedding for answer in await asyncio.gather(*asked)]
        return refusals.unit(self.name, vectors, len(texts))

    async def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)

    async def _ask(self, body: dict[str, Any], kind: type[Any]) -> Any:
        data = msgspec.json.encode(body)
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._invoke, data)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise refusals.unreadable(self.name) from error

    def _invoke(self, data: bytes) -> bytes:
        try:
            answer = self._clients("bedrock-runtime", attempts=1).invoke_model(
                modelId=self._model, body=data, contentType="application/json", accept="application/json"
            )
            body: bytes = answer["body"].read()
            return body
        except ConfigError:
            raise
        except Exception as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> ModelError:
        response = getattr(error, "response", None)
        if not isinstance(response, dict):
            if aws.kind_of(error) == "denied":
                return refusals.refused(self.name, 403, aws.code_of(error))
            return refusals.unreached(self.name, aws.code_of(error))
        status = {"throttled": 429, "denied": 403, "missing": 404}.get(aws.kind_of(error))
        status = status or int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
        return refusals.refused(
            self.name, status, f"{aws.code_of(error)} {response.get('Error', {}).get('Message', '')}"
        )
