"""What retrieval asks of a store of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Vector(Struct, frozen=True):
    """A vector under an id, kept in float32."""

    id: str
    values: Sequence[float]


class Near(Struct, frozen=True):
    """A vector that is near a query; `score` is the cosine of the angle between them."""

    id: str
    score: float


class Vectors(Protocol):
    """Collections of vectors of unit length, each of one length. Every adapter passes `remit.testing.contracts.vectors`.

    A collection is there once something is put into it, and its name may be any text. What a verb did is durable when it
    returns, and seen by every process that opens the same store.
    """

    async def put(self, collection: str, vectors: Sequence[Vector]) -> None:
        """Write vectors, all or none; one whose id is there already is replaced. Raises InputError E931, StoreError E936."""

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete vectors; those that are not there are no error."""

    async def near(self, collection: str, query: Sequence[float], *, limit: int = 10) -> list[Near]:
        """The nearest vectors, nearest first. Raises InputError E931 for a query of another length."""

    async def drop(self, collection: str) -> None:
        """Delete a collection with all it holds; what is put into it later may have another length."""

    async def close(self) -> None:
        """Let go of files and connections."""
