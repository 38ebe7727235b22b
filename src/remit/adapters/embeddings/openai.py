"""Models of embeddings behind `POST /embeddings` as OpenAI has it: OpenAI, Ollama, vLLM, Mistral and most others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import httpx
import msgspec
from msgspec import Struct

from remit.adapters.embeddings import refusals
from remit.ports.embeddings import Purpose

TIMEOUT_S = 60.0


class _Item(Struct):
    index: int
    embedding: list[float]


class _Answer(Struct):
    data: list[_Item]


_answers = msgspec.json.Decoder(_Answer)


class OpenAIEmbeddings:
    """One model at `base_url`, which ends in `/v1`. `key` gives the API key, empty for none. The environment is not read."""

    batch = 128

    def __init__(self, model: str, *, key: Callable[[], str], base_url: str) -> None:
        self._model = model
        self._key = key
        self._url = f"{base_url.rstrip('/')}/embeddings"
        self._held: tuple[asyncio.AbstractEventLoop, httpx.AsyncClient] | None = None

    @property
    def name(self) -> str:
        """`openai:` and the model."""
        return f"openai:{self._model}"

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text; such models ask for no purpose. Raises ModelError."""
        key = self._key()
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body = {"model": self._model, "input": [text or " " for text in texts], "encoding_format": "float"}
        try:
            reply = await self._client().post(self._url, json=body, headers=headers)
        except httpx.TimeoutException as error:
            raise refusals.timed_out(self.name) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise refusals.unreached(self.name, type(error).__name__) from error
        if reply.status_code != 200:
            said = reply.text.replace(key, "***") if key else reply.text
            raise refusals.refused(self.name, reply.status_code, said, _seconds(reply))
        try:
            items = sorted(_answers.decode(reply.content).data, key=lambda item: item.index)
        except (msgspec.DecodeError, RecursionError) as error:
            raise refusals.unreadable(self.name) from error
        return refusals.unit(self.name, [item.embedding for item in items], len(texts))

    async def close(self) -> None:
        """Let go of connections."""
        held, self._held = self._held, None
        if held and held[0] is asyncio.get_running_loop():
            await held[1].aclose()

    def _client(self) -> httpx.AsyncClient:
        """The client of the running loop: connections belong to theirs."""
        loop = asyncio.get_running_loop()
        if self._held is None or self._held[0] is not loop:
            self._held = (loop, httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False))
        return self._held[1]


def _seconds(reply: httpx.Response) -> float | None:
    """How long the provider asks to wait."""
    text = reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
