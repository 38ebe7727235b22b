"""Search in pages at hand: a folder, indexed in memory by SQLite's FTS5 and ranked by BM25. No network is asked."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
from pathlib import Path
from threading import Lock

from remit.adapters.web.corpus_files import File, Stamp, read_file, stamps
from remit.adapters.web.querying import checked, snippet_of
from remit.core.errors import ConfigError
from remit.ports.clock import Clock
from remit.ports.extraction import Extraction
from remit.ports.web import Hit, Page

REFRESH_S = 1.0
"""How often the folder is looked at for changes, at most."""

TITLE_WEIGHT = 2.0
MOST_WORDS = 40

_WORD = re.compile(r"\w+")
_INDEX = f"""
CREATE VIRTUAL TABLE page USING fts5(
    title, text, path UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO page (page, rank) VALUES ('rank', 'bm25({TITLE_WEIGHT}, 1.0)');
"""
_BEST = "SELECT path, snippet(page, 1, '', '', ' … ', 64), -rank FROM page WHERE page MATCH ? ORDER BY rank LIMIT ?"


class Corpus:
    """A folder of pages. The index is made at the first search; later, files that changed are read again.

    Of ten thousand pages the index takes some seconds and about three times their size in memory; a query takes milliseconds.
    """

    def __init__(self, folder: Path, clock: Clock, extraction: Extraction) -> None:
        self._folder = folder
        self._extraction = extraction
        self._clock = clock
        self._lock = Lock()
        self._index: sqlite3.Connection | None = None
        self._stamps: dict[str, Stamp] = {}
        self._files: dict[str, File] = {}
        self._paths: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self._rowids = itertools.count(1)
        self._looked = 0.0

    async def search(self, query: str, *, limit: int = 5) -> list[Hit]:
        """The best pages first. Raises ArgumentsError E928 for no query, ConfigError E926 for no folder."""
        words = list(dict.fromkeys(_WORD.findall(checked(query, limit).lower())))[:MOST_WORDS]
        return await asyncio.to_thread(self._search, words, limit) if words else []

    async def page(self, url: str) -> Page | None:
        """The page of an address, without its fragment; None when the corpus has no such page."""
        return await asyncio.to_thread(self._page, url.partition("#")[0])

    def _search(self, words: list[str], limit: int) -> list[Hit]:
        match = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            rows = self._fresh().execute(_BEST, (match, limit)).fetchall()
            return [self._hit(*row) for row in rows]

    def _page(self, url: str) -> Page | None:
        with self._lock:
            self._fresh()
            file = self._files.get(self._paths.get(url, ""))
        return Page(file.url, file.title, file.text, file.media_type) if file else None

    def _hit(self, path: str, snippet: str, score: float) -> Hit:
        file = self._files[path]
        return Hit(file.title, file.url, snippet_of(snippet), round(score, 4), file.published)

    def _fresh(self) -> sqlite3.Connection:
        """The index as the folder is now."""
        index = self._index or _new_index()
        now = self._clock.monotonic()
        if self._index is None or now - self._looked >= REFRESH_S:
            found = stamps(self._folder)
            if found != self._stamps:
                self._update(index, found)
            self._index, self._looked = index, now
        return index

    def _update(self, index: sqlite3.Connection, found: dict[str, Stamp]) -> None:
        """Read what is new or changed, forget what is gone."""
        changed = [path for path, stamp in found.items() if self._stamps.get(path) != stamp]
        gone = self._stamps.keys() - found.keys()
        # This is a thread, which has no loop of its own; reading HTML waits for another process.
        read = asyncio.run(self._read(changed))
        for path in (*gone, *changed):
            self._files.pop(path, None)
        self._files.update(read)
        rows = {path: next(self._rowids) for path in read}
        old = [(self._rows.pop(path),) for path in (*gone, *changed) if path in self._rows]
        with index:  # one transaction: the index comes in one piece, which is faster to make and to ask
            index.execute("BEGIN")
            index.executemany("DELETE FROM page WHERE rowid = ?", old)
            index.executemany(
                "INSERT INTO page (rowid, title, text, path) VALUES (?, ?, ?, ?)",
                ((rows[path], file.title, _beside(file), path) for path, file in read.items()),
            )
        self._rows.update(rows)
        self._stamps = found
        self._paths = {self._files[path].url: path for path in sorted(self._files, reverse=True)}

    async def _read(self, paths: list[str]) -> dict[str, File]:
        """The pages that can be read."""
        found = {path: await read_file(self._folder, path, self._extraction) for path in paths}
        return {path: file for path, file in found.items() if file is not None}


def _beside(file: File) -> str:
    """The text without a heading that only repeats the title, which would count twice."""
    return file.text.removeprefix(f"# {file.title}\n").lstrip()


def _new_index() -> sqlite3.Connection:
    index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    try:
        index.executescript(_INDEX)
    except sqlite3.OperationalError as error:
        raise ConfigError(
            "SQLite of this Python has no full-text search", code="E926", help="use a Python built with FTS5"
        ) from error
    return index
