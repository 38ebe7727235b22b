"""What retrieval asks of a model of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

Purpose = Literal["document", "query"]


class Embeddings(Protocol):
    """Texts to vectors of unit length, all of one model: vectors of two models cannot be compared.

    Every adapter passes `remit.testing.contracts.embeddings`. `remit.engine.embedding.Patient` tries again for all of them.
    """

    @property
    def name(self) -> str:
        """The model, e.g. `bedrock:amazon.titan-embed-text-v2:0`; an index is of one model, which this names."""

    @property
    def batch(self) -> int:
        """How many texts one call of `embed` may hold."""

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text, in order. One attempt. Raises ModelError."""

    async def close(self) -> None:
        """Let go of connections."""
