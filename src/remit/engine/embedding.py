"""Embeddings that are patient: in batches the model takes, again when it is busy, and checked."""

from __future__ import annotations

from collections.abc import Sequence

from remit.core.errors import ModelError
from remit.ports.clock import Clock
from remit.ports.embeddings import Embeddings, Purpose

ATTEMPTS = 5
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0


class Patient:
    """Any `Embeddings`, with more tries. Waits grow by doubling, with jitter, unless the model says how long."""

    def __init__(self, inner: Embeddings, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    @property
    def name(self) -> str:
        """The model."""
        return self._inner.name

    @property
    def batch(self) -> int:
        """How many texts the model takes at once; here any number may be given."""
        return self._inner.batch

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text, in order. Raises ModelError once it has tried five times, or where trying again is no use."""
        size = self._inner.batch
        made: list[list[float]] = []
        for start in range(0, len(texts), size):
            made += await self._batch(texts[start : start + size], purpose)
        return made

    async def close(self) -> None:
        """Let go of connections."""
        await self._inner.close()

    async def _batch(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        for attempt in range(ATTEMPTS):
            try:
                return self._checked(await self._inner.embed(texts, purpose), len(texts))
            except ModelError as error:
                if not error.retryable or attempt + 1 == ATTEMPTS:
                    raise
                longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)
                jittered = longest * (0.5 + self._clock.random() / 2)
                wait_s = jittered if error.retry_after_s is None else min(error.retry_after_s, LONGEST_WAIT_S)
            await self._clock.sleep(wait_s)
        raise AssertionError("unreachable")

    def _checked(self, vectors: list[list[float]], count: int) -> list[list[float]]:
        if len(vectors) != count or len({len(vector) for vector in vectors}) > 1:
            raise ModelError(
                f"`{self.name}` gave {len(vectors)} vectors for {count} texts, or vectors of several lengths",
                code="E938",
                help="is it a model of embeddings?",
            )
        return vectors
