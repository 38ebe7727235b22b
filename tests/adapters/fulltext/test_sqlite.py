"""Words in SQLite's FTS5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from remit.adapters.fulltext.sqlite import SqliteFullText
from remit.core.errors import StoreError
from remit.ports.fulltext import Entry, FullText
from remit.testing.contracts.fulltext import FullTextContract


class TestSqliteFullText(FullTextContract):
    """The contract."""

    @pytest.fixture
    def open_index(self, tmp_path: Path) -> Callable[[], FullText]:
        return lambda: SqliteFullText(tmp_path / "words")


async def test_accents_do_not_matter(tmp_path: Path) -> None:
    """Neither in texts nor in queries."""
    index = SqliteFullText(tmp_path)
    await index.put("c", [Entry("a", "Ein Café in Zürich"), Entry("b", "résumé")])
    assert await index.search("c", "cafe zurich") == ["a"]
    assert await index.search("c", "RESUMÉ") == ["b"]
    await index.close()


async def test_a_rare_word_counts_more_than_a_frequent_one(tmp_path: Path) -> None:
    """BM25."""
    index = SqliteFullText(tmp_path)
    await index.put("c", [Entry(f"e{n}", "pump pump pressure") for n in range(20)])
    await index.put("c", [Entry("rare", "pressure of the zymurgy vessel, among much else that stands here")])
    assert (await index.search("c", "pump zymurgy"))[0] == "rare"
    await index.close()


async def test_a_file_that_is_no_index_is_told(tmp_path: Path) -> None:
    """E936."""
    index = SqliteFullText(tmp_path)
    await index.put("c", [Entry("a", "water")])
    await index.close()
    for file in tmp_path.glob("*"):
        file.unlink() if file.suffix != ".db" else file.write_bytes(b"no database at all, this" * 200)
    with pytest.raises(StoreError) as raised:
        await SqliteFullText(tmp_path).search("c", "water")
    assert raised.value.code == "E936"
