"""What tools ask of the web: search it, read a page of it, and send requests to the few places that are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct


class Hit(Struct, frozen=True):
    """A page that a search found. `score` is the provider's, higher is better; `published` ISO 8601, empty if unknown."""

    title: str
    url: str
    snippet: str
    score: float = 0.0
    published: str = ""


class Page(Struct, frozen=True):
    """A page as text. `url` is where it was found after redirects."""

    url: str
    title: str
    text: str
    media_type: str
    truncated: bool = False


class Reply(Struct, frozen=True):
    """The answer to an HTTP request."""

    status: int
    headers: dict[str, str]
    body: str
    truncated: bool = False


class Search(Protocol):
    """A search engine: of the web, or of a corpus that is at hand."""

    async def search(self, query: str, *, limit: int = 5) -> list[Hit]:
        """The best pages first. Raises ToolError."""


class Web(Search, Protocol):
    """The public web: never an address of a private network, never more than the limits."""

    async def fetch(self, url: str) -> Page:
        """A page as text. Raises ToolError, and ArgumentsError for an address that may not be fetched."""


class Outside(Protocol):
    """Requests to the addresses that the deployment allows."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        idempotency_key: str = "",
    ) -> Reply:
        """Send a request. Raises ToolError when it certainly did not arrive, ArgumentsError for what is not allowed."""
