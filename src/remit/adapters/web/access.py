"""The web as a deployment has it: one search, pages at hand if there are any, and the public web if that is allowed."""

from __future__ import annotations

from remit.adapters.web.addresses import shown
from remit.adapters.web.corpus import Corpus
from remit.adapters.web.fetching import Fetcher
from remit.core.errors import ArgumentsError
from remit.ports.web import Hit, Page, Search


class WebAccess:
    """`ports.web.Web` of its parts. Pages at hand are never asked for outside."""

    def __init__(
        self, search: Search, *, corpus: Corpus | None = None, fetcher: Fetcher | None = None
    ) -> None:
        self._search = search
        self._corpus = corpus
        self._fetcher = fetcher

    async def search(self, query: str, *, limit: int = 5) -> list[Hit]:
        """The best pages first."""
        return await self._search.search(query, limit=limit)

    async def fetch(self, url: str) -> Page:
        """A page as text. Raises ArgumentsError E920 to E923."""
        page = await self._corpus.page(url) if self._corpus else None
        if page is not None:
            return page
        if self._fetcher is None:
            raise ArgumentsError(
                f"`{shown(url)}` is no page of the corpus, and no other is read here",
                code="E922",
                help='read a page that a search found; `web.fetch = "public"` in remit.toml opens the web',
            )
        return await self._fetcher.fetch(url)
