"""What retrieval asks of an index of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Entry(Struct, frozen=True):
    """A text under an id."""

    id: str
    text: str


class FullText(Protocol):
    """Collections of texts, found by any of their words. Every adapter passes `remit.testing.contracts.fulltext`.

    As with vectors, a collection is there once something is put into it, and what a verb did is durable.
    """

    async def put(self, collection: str, entries: Sequence[Entry]) -> None:
        """Index texts, all or none; one whose id is there already is replaced. Raises StoreError E936."""

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete texts; those that are not there are no error."""

    async def search(self, collection: str, query: str, *, limit: int = 10) -> list[str]:
        """Ids of texts that hold a word of the query, best first. Any text is a query; it has no syntax."""

    async def drop(self, collection: str) -> None:
        """Delete a collection with all it holds."""

    async def close(self) -> None:
        """Let go of files and connections."""
