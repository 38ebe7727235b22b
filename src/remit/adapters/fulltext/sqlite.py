"""An index of words in SQLite's FTS5, a file a collection: ranked by BM25, English endings stripped, accents ignored."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from remit.core.errors import StoreError
from remit.core.words import telling
from remit.ports.fulltext import Entry

T = TypeVar("T")

_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (text, tokenize = "porter unicode61 remove_diacritics 2");
CREATE TABLE IF NOT EXISTS entry (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
"""
MOST_RANKED = 8000
"""Rows that a search ranks, unless its rarest word alone has more: ranking is what takes the time."""

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
_SEARCH = """SELECT id FROM (SELECT rowid AS row FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?)
    JOIN entry USING (row)"""


class SqliteFullText:
    """Files under `root`. Several processes of one machine may use the same root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, _Index] = {}
        self._lock = threading.Lock()

    async def put(self, collection: str, entries: Sequence[Entry]) -> None:
        """Index texts. Raises StoreError E936."""
        if entries:
            await self._do(collection, lambda index: index.put(entries))

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete texts."""
        if ids and self._path(collection).exists():
            await self._do(collection, lambda index: index.delete(ids))

    async def search(self, collection: str, query: str, *, limit: int = 10) -> list[str]:
        """Texts that hold a word of the query."""
        if limit < 1 or not self._path(collection).exists():
            return []
        return await self._do(collection, lambda index: index.search(query, limit))

    async def drop(self, collection: str) -> None:
        """Delete a collection."""
        if self._path(collection).exists():
            await self._do(collection, lambda index: index.drop())

    async def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            opened = list(self._open.values())
            self._open.clear()
        for index in opened:
            await asyncio.to_thread(index.close)

    def _path(self, collection: str) -> Path:
        return self._root / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.db"

    async def _do(self, collection: str, work: Callable[[_Index], T]) -> T:
        def go() -> T:
            path = self._path(collection)
            with self._lock:
                if path.name not in self._open:
                    self._open[path.name] = _Index(path)
                index = self._open[path.name]
            with index.lock:
                return work(index)

        try:
            return await asyncio.to_thread(go)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the index of words in `{self._root}` cannot be read or written: {error}",
                code="E936",
                help="is the disk full, or the folder somebody else's?",
            ) from error


class _Index:
    """One file. One verb at a time: its caller holds `lock`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def put(self, entries: Sequence[Entry]) -> None:
        """Index texts, the last of those with one id."""
        unique = {entry.id: entry.text for entry in entries}

        def work() -> None:
            self._remove(list(unique))
            for name, text in unique.items():
                (row,) = self._db.execute(
                    "INSERT INTO entry (id) VALUES (?) RETURNING row", (name,)
                ).fetchone()
                self._db.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)", (row, text.replace("\0", " "))
                )

        self._write(work)

    def delete(self, ids: Sequence[str]) -> None:
        """Delete texts."""
        self._write(lambda: self._remove(ids))

    def drop(self) -> None:
        """Delete every text."""

        def work() -> None:
            self._db.execute("DELETE FROM words")
            self._db.execute("DELETE FROM entry")

        self._write(work)

    def search(self, query: str, limit: int) -> list[str]:
        """Ids by BM25."""
        wanted = self._expression([f'"{word}"' for word in telling(query)])
        return [name for (name,) in self._db.execute(_SEARCH, (wanted, limit))] if wanted else []

    def _expression(self, words: list[str]) -> str:
        """Rows with any of the words. Where that would be very many, rows with any of the rarest, and the others only rank them."""
        counted = sorted((self._count(word), word) for word in words)
        rare = [
            word
            for n, (_, word) in enumerate(counted)
            if n == 0 or sum(c for c, _ in counted[: n + 1]) <= MOST_RANKED
        ]
        frequent = [word for _, word in counted[len(rare) :]]
        found = " OR ".join(rare)
        return f"({found}) OR (({found}) AND ({' OR '.join(frequent)}))" if frequent else found

    def _count(self, word: str) -> int:
        """How many rows hold a word, as far as it matters."""
        found = self._db.execute(_COUNT, (word, MOST_RANKED))
        return int(found.fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self._db.close()

    def _remove(self, ids: Sequence[str]) -> None:
        for name in ids:
            found = self._db.execute("DELETE FROM entry WHERE id = ? RETURNING row", (name,)).fetchone()
            if found:
                self._db.execute("DELETE FROM words WHERE rowid = ?", found)

    def _write(self, work: Callable[[], object]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            work()
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
