"""What tools ask of the documents of a tenant: find passages, with the exact place they are from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from remit.core.provenance import Sensitivity, Trust


class Document(Struct, frozen=True):
    """A document that was taken in. `source` is where it came from, a URI or a path; `characters` the length of its text.

    `digest` is that of its bytes, `passages` how many it was cut into, `added_ts` Unix milliseconds.
    """

    document_id: str
    title: str
    source: str
    media_type: str
    digest: str
    characters: int
    passages: int
    added_ts: int
    trust: Trust = "untrusted"
    sensitivity: Sensitivity = "internal"
    tags: tuple[str, ...] = ()


class Passage(Struct, frozen=True):
    """A part of a document: `text` is exactly characters `start` to `end` (Unicode code points) of the document's text.

    `score` orders the passages of one search, and means nothing beyond it. `of` is the length of the document's text.
    """

    citation: str
    document_id: str
    title: str
    source: str
    start: int
    end: int
    text: str
    of: int
    score: float = 0.0
    trust: Trust = "untrusted"
    sensitivity: Sensitivity = "internal"


class DocumentPage(Struct, frozen=True):
    """Documents in order of their ids, and the cursor of the next page (`None` at the end)."""

    items: list[Document]
    cursor: str | None = None


class Documents(Protocol):
    """The documents of one tenant."""

    async def add(
        self,
        data: bytes,
        *,
        document_id: str = "",
        title: str = "",
        source: str = "",
        media_type: str = "",
        trust: Trust = "untrusted",
        sensitivity: Sensitivity = "internal",
        tags: Sequence[str] = (),
    ) -> Document:
        """Take in a document, in the place of the one with its id. Whoever searches meanwhile finds the old one or the new.

        Without an id it gets one of its bytes. Raises InputError E932 to E934, ConfigError E930, ModelError.
        """

    async def search(self, query: str, *, limit: int = 5, tags: Sequence[str] = ()) -> list[Passage]:
        """Passages by words and by meaning, best first, of documents that have every one of the tags.

        Raises InputError E934, ConfigError E930, ModelError.
        """

    async def passage(self, document_id: str, start: int = 0, end: int | None = None) -> Passage:
        """The text of a document, or the span that a citation names. Raises NotFoundError."""

    async def get(self, document_id: str) -> Document:
        """A document. Raises NotFoundError."""

    async def page(self, *, limit: int = 50, cursor: str | None = None) -> DocumentPage:
        """Documents by id."""

    async def delete(self, document_id: str) -> None:
        """Delete a document: its bytes, its text and its passages. Raises NotFoundError."""
