"""What every index of words keeps. Subclass `FullTextContract`, give it the fixture `open_index`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from remit.ports.fulltext import Entry, FullText

TEXTS = (
    Entry("kettle", "The kettle switches off before the water boils. Descale the kettle."),
    Entry("router", "The router blinks red: there is no internet connection."),
    Entry("returns", "You may return what you bought within thirty days."),
)
SYNTAX = (
    '"', "'", "AND", "OR NOT", "a AND (b", "col:umn", "water*", "-water", "NEAR(a b)", "^x", "&", "| !", "a & | b", "<->",
    "\x00water\x00", "%", ";--", "x" * 5000, "wasser 水 вода", "()", "water:*", "\\", "''''", "{", "🙂",
)  # fmt: skip


class FullTextContract:
    """The contract of `ports.fulltext.FullText`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def open_index(self) -> Callable[[], FullText]:
        """Opens one and the same index, empty at first, as another process would."""
        raise NotImplementedError("override the fixture `open_index`")

    @pytest_asyncio.fixture
    async def index(self, open_index: Callable[[], FullText]) -> AsyncIterator[FullText]:
        """The index."""
        opened = open_index()
        yield opened
        await opened.close()

    @pytest.mark.parametrize(
        ("query", "best"),
        [
            ("kettle", "kettle"),
            ("KETTLES boiling", "kettle"),
            ("why is there no internet?", "router"),
            ("can I return a purchase", "returns"),
            ("internet connection beside the kettle", "router"),
        ],
    )
    async def test_any_word_of_a_query_finds(self, index: FullText, query: str, best: str) -> None:
        """In any case and with English endings; common words do not count where there are others."""
        await index.put("c", TEXTS)
        assert (await index.search("c", query))[0] == best

    async def test_what_holds_no_word_of_the_query_is_not_found(self, index: FullText) -> None:
        """Nor is anything found in no collection, or by no word."""
        await index.put("c", TEXTS)
        assert await index.search("c", "giraffe") == []
        assert await index.search("c", "... !?") == []
        assert await index.search("nowhere", "kettle") == []

    @pytest.mark.parametrize("query", SYNTAX)
    async def test_a_query_has_no_syntax(self, index: FullText, query: str) -> None:
        """Whatever it holds, it is words to look for; it neither fails nor means anything else."""
        await index.put("c", TEXTS)
        found = await index.search("c", query)
        assert set(found) <= ({"kettle"} if "water" in query else set())

    async def test_what_is_put_again_is_replaced(self, index: FullText) -> None:
        """By its old words it is found no more."""
        await index.put("c", TEXTS)
        await index.put("c", [Entry("kettle", "nothing"), Entry("kettle", "giraffe")])
        assert await index.search("c", "kettle nothing") == []
        assert await index.search("c", "giraffes") == ["kettle"]

    async def test_what_is_deleted_is_not_found(self, index: FullText) -> None:
        """Deleting what is not there is no error; deleted ids may come back."""
        await index.put("c", TEXTS)
        await index.delete("c", ["kettle", "nobody"])
        await index.delete("nowhere", ["kettle"])
        assert await index.search("c", "kettle") == []
        await index.put("c", TEXTS[:1])
        assert await index.search("c", "kettle") == ["kettle"]

    @pytest.mark.parametrize("name", ["other", "C", "c ", "c/../d", "ć", "x" * 300, ""])
    async def test_collections_know_nothing_of_each_other(self, index: FullText, name: str) -> None:
        """Whatever their names are."""
        await index.put("c", TEXTS)
        assert await index.search(name, "kettle") == []
        await index.put(name, [Entry("kettle", "giraffe")])
        await index.drop(name)
        assert await index.search(name, "giraffe") == []
        assert await index.search("c", "kettle") == ["kettle"]

    async def test_limits_are_kept(self, index: FullText) -> None:
        """Never more than asked, and all there is when more is asked."""
        await index.put("c", [Entry(f"e{n}", f"water number {n}") for n in range(30)])
        for limit, count in ((0, 0), (1, 1), (29, 29), (1000, 30)):
            assert len(await index.search("c", "water", limit=limit)) == count

    async def test_any_text_may_be_put(self, index: FullText) -> None:
        """Empty, with NUL characters, in any script, without a space in it, long."""
        texts = ["", "\x00", "nul\x00giraffe", "水は沸いた", "x" * 200_000, "🙂 " * 1000]
        await index.put("c", [Entry(f"e{n}", text) for n, text in enumerate(texts)])
        assert await index.search("c", "giraffe") == ["e2"]

    async def test_what_one_process_writes_another_sees(
        self, index: FullText, open_index: Callable[[], FullText]
    ) -> None:
        """At once, deletions and drops too."""
        other = open_index()
        try:
            await index.put("c", TEXTS)
            assert await other.search("c", "kettle") == ["kettle"]
            await other.delete("c", ["kettle"])
            assert await index.search("c", "kettle") == []
            await other.drop("c")
            assert await index.search("c", "router") == []
        finally:
            await other.close()

    async def test_writers_do_not_disturb_each_other(
        self, index: FullText, open_index: Callable[[], FullText]
    ) -> None:
        """Many writes at once through two doors, the first of a collection among them: all are there."""
        other = open_index()
        try:
            await asyncio.gather(
                *((index, other)[n % 2].put("c", [Entry(f"e{n}", "water")]) for n in range(20))
            )
            assert len(await index.search("c", "water", limit=100)) == 20
        finally:
            await other.close()
