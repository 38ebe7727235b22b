"""What every search keeps. Subclass `SearchContract` and give it the fixture `search`: one that finds `PAGES` and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from remit.core.errors import ArgumentsError
from remit.ports.web import Page, Search

PAGES = tuple(
    Page(f"https://pages.example/{slug}", title, text, "text/markdown")
    for slug, title, text in (
        (
            "walruses",
            "Walruses",
            "Walruses live on ice in the Arctic and eat clams. Their tusks grow to one metre.",
        ),
        (
            "penguins",
            "Penguins",
            "Penguins live in the south. They cannot fly, and swim after krill and fish.",
        ),
        (
            "glaciers",
            "Glaciers",
            "A glacier is ice that flows downhill under its own weight. Some walruses rest near it.",
        ),
        (
            "volcanoes",
            "Volcanoes",
            "A volcano lets out lava. Iceland has about thirty systems that are active.",
        ),
        (
            "tides",
            "Tides",
            "The moon pulls the sea, so that water rises and falls twice a day. " + "Water rises. " * 200,
        ),
    )
)
"""The pages that a search under this contract finds."""


class SearchContract:
    """The contract of `ports.web.Search`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def search(self) -> Search:
        """A search that finds `PAGES`."""
        raise NotImplementedError("override the fixture `search`")

    async def test_the_page_on_a_topic_comes_first(self, search: Search) -> None:
        """Its title says so; a page that only mentions the topic comes after it."""
        found = await search.search("walruses")
        assert [hit.url for hit in found[:2]] == [PAGES[0].url, PAGES[2].url]
        assert found[0].title == "Walruses"

    async def test_a_hit_says_where_it_is_from(self, search: Search) -> None:
        """Address, title and a snippet of the page, on one line and not long."""
        for hit in await search.search("ice moon lava krill"):
            assert hit.url in {page.url for page in PAGES}
            assert hit.title
            assert 0 < len(hit.snippet) <= 510
            assert "\n" not in hit.snippet

    async def test_the_best_come_first(self, search: Search) -> None:
        """Scores fall."""
        scores = [hit.score for hit in await search.search("ice walruses glacier")]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) >= 2

    @pytest.mark.parametrize("limit", [1, 2, 20])
    async def test_no_more_than_asked_for(self, search: Search, limit: int) -> None:
        """`limit` bounds what is found, and no page is found twice."""
        found = [hit.url for hit in await search.search("ice moon lava krill", limit=limit)]
        assert 1 <= len(found) <= limit
        assert len(set(found)) == len(found)

    @pytest.mark.parametrize("limit", [-1, 0, 21, 10**9])
    async def test_a_limit_beyond_the_bounds_is_refused(self, search: Search, limit: int) -> None:
        """One to twenty."""
        with pytest.raises(ArgumentsError, match="number of results"):
            await search.search("ice", limit=limit)

    async def test_nothing_found_is_no_failure(self, search: Search) -> None:
        """There are simply no hits."""
        assert await search.search("xylophone") == []

    @pytest.mark.parametrize("query", ["", "  ", "\n\t", "\x00", "\u200b\ufeff", "a" * 2001])
    async def test_what_is_no_query_is_refused(self, search: Search, query: str) -> None:
        """Empty, invisible, and far too long."""
        with pytest.raises(ArgumentsError, match="no query"):
            await search.search(query)

    @pytest.mark.parametrize(
        "query",
        [
            '"ice',
            "ice AND",
            "NOT ice",
            "NEAR(ice, 2)",
            "title:ice",
            "ice*",
            "ice^2",
            "(ice",
            "{ice moon}",
            "-ice",
            "ice' OR 1=1 --",
            "'; DROP TABLE page; --",
            "ice\x00moon",
            "%_\\",
            "🧊",
            "лёд ἄρκτος 冰",
            "ice " * 400,
        ],
    )
    async def test_a_query_is_words_and_no_language(self, search: Search, query: str) -> None:
        """Operators, quotes and symbols never fail, and mean nothing."""
        found = await search.search(query)
        assert len(found) <= 5
        again = await search.search("walruses")
        assert again[0].url == PAGES[0].url

    async def test_many_may_search_at_once(self, search: Search) -> None:
        """Each gets its own answer."""
        titles = [page.title for page in PAGES] * 4
        found = await asyncio.gather(*(search.search(title, limit=1) for title in titles))
        assert [hits[0].title for hits in found] == titles
