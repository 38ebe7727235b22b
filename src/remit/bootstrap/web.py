"""The web as settings name it: one corpus and one wire for all, keys and secrets of the tenant that asks."""

from __future__ import annotations

import functools
from pathlib import Path

from remit.adapters.extraction.files import FileExtraction
from remit.adapters.web.access import WebAccess
from remit.adapters.web.corpus import Corpus
from remit.adapters.web.fetching import Fetcher
from remit.adapters.web.outside import AllowedOutside
from remit.adapters.web.tavily import TavilySearch
from remit.adapters.web.wire import Wire
from remit.ports.clock import Clock
from remit.ports.extraction import Extraction
from remit.ports.secrets import Secrets
from remit.ports.web import Outside, Web
from remit.settings import WebSettings

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
"""The pages that ship: a demo runs without the web."""

READING_S = 15.0
"""For the HTML or PDF of one page. A page that needs longer was written to."""


class WebOpener:
    """Opens the web for a tenant."""

    def __init__(self, settings: WebSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def web(self, secrets: Secrets) -> Web:
        """Search and pages, with the tenant's own key for the search service."""
        chosen = self._settings
        if chosen.search == "corpus":
            fetcher = self._fetcher if chosen.fetch == "public" else None
            return WebAccess(self._corpus, corpus=self._corpus, fetcher=fetcher)
        search = TavilySearch(lambda: secrets.get("tavily_api_key"), base_url=chosen.tavily_url)
        if chosen.fetch == "corpus":
            return WebAccess(search, corpus=self._corpus)
        return WebAccess(search, fetcher=self._fetcher)

    def outside(self, secrets: Secrets) -> Outside:
        """Requests to the allowed addresses, with the tenant's own secrets. Raises ConfigError E927."""
        chosen = self._settings
        return AllowedOutside(chosen.http_allow, secrets, secrets_for=chosen.http_secrets, wire=self._wire)

    @functools.cached_property
    def _extraction(self) -> Extraction:
        return FileExtraction(wall_s=READING_S)

    @functools.cached_property
    def _corpus(self) -> Corpus:
        return Corpus(
            Path(self._settings.corpus) if self._settings.corpus else CORPUS, self._clock, self._extraction
        )

    @functools.cached_property
    def _fetcher(self) -> Fetcher:
        return Fetcher(self._extraction)

    @functools.cached_property
    def _wire(self) -> Wire:
        return Wire(private=self._settings.http_private, ports=None)
