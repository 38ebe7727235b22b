"""One collection of vectors on disk: numbers in a file that is only appended to, ids and places in SQLite beside it.

A write appends rows to the file, syncs it, and then commits their places to SQLite: what was not committed is not there,
and the next write goes over it. Writers of all processes take turns by SQLite's lock. Readers map the file into memory and
follow the commits of others by a sequence number. Rows of what was replaced or deleted are left out when at least half are dead.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remit.adapters.vectors.checking import check
from remit.core.errors import StoreError
from remit.ports.vectors import Near, Vector

Floats = NDArray[np.float32]

FEWEST_DEAD = 1024
"""Dead rows below which a file is never rewritten."""
COPIED_ROWS = 4096
"""Rows that are copied at a time when a file is rewritten."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), dimensions INTEGER, file INTEGER NOT NULL,
    rows INTEGER NOT NULL, seq INTEGER NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, NULL, 0, 0, 0);
CREATE TABLE IF NOT EXISTS place (id TEXT PRIMARY KEY, row INTEGER, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_seq ON place (seq);
"""


class Matrix:
    """The vectors of one collection. Safe for threads: one verb at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            folder / "vectors.db", timeout=30, isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self._forget()

    def put(self, vectors: Sequence[Vector]) -> None:
        """Write vectors. Raises InputError, StoreError."""
        with self._lock, self._writing() as (dimensions, file, rows, seq):
            unique = list({vector.id: vector for vector in vectors}.values())
            width = dimensions or len(unique[0].values)
            for vector in unique:
                check(vector.values, width)
            block = np.asarray([vector.values for vector in unique], dtype=np.float32)
            self._write(file, rows, block)
            self._db.executemany(
                "INSERT INTO place VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row, seq = excluded.seq",
                [(vector.id, rows + n, seq + 1) for n, vector in enumerate(unique)],
            )
            self._db.execute(
                "UPDATE state SET dimensions = ?, rows = ?, seq = ?", (width, rows + len(unique), seq + 1)
            )
            self._tidy()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete vectors."""
        with self._lock, self._writing() as (_, _, _, seq):
            self._db.executemany(
                "UPDATE place SET row = NULL, seq = ? WHERE id = ? AND row IS NOT NULL",
                [(seq + 1, name) for name in ids],
            )
            self._db.execute("UPDATE state SET seq = ?", (seq + 1,))
            self._tidy()

    def drop(self) -> None:
        """Delete everything; vectors of another length may come."""
        with self._lock, self._writing() as (_, file, _, seq):
            self._db.execute("DELETE FROM place")
            self._db.execute(
                "UPDATE state SET dimensions = NULL, file = ?, rows = 0, seq = ?", (file + 1, seq + 1)
            )

    def near(self, query: Sequence[float], limit: int) -> list[Near]:
        """The nearest vectors, by looking at every one. Raises InputError, StoreError."""
        with self._lock:
            self._refresh()
            if self._map is None or limit < 1:
                return []
            check(query, self._map.shape[1])
            return self._nearest(np.asarray(query, dtype=np.float32), limit)

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._forget()
            self._db.close()

    def _nearest(self, query: Floats, limit: int) -> list[Near]:
        assert self._map is not None
        scores = self._map @ query
        scores[self._dead] = -np.inf
        return self._best(scores, np.arange(len(scores)), limit)

    def _best(self, scores: Floats, rows: NDArray[Any], limit: int) -> list[Near]:
        """The best of these rows by their scores; dead ones score minus infinity."""
        if limit < len(scores):
            chosen = np.argpartition(scores, len(scores) - limit)[-limit:]
            scores, rows = scores[chosen], rows[chosen]
        found = [
            Near(self._ids[row], score)
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
            if score != -np.inf
        ]
        return sorted(found, key=lambda near: (-near.score, near.id))

    def _forget(self) -> None:
        """Know nothing of what is on disk."""
        self._map: Floats | None = None
        self._file = -1
        self._seq = 0
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._dead: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def _refresh(self) -> None:
        """Catch up with what was committed since."""
        for _ in range(3):
            self._db.execute("BEGIN")  # one snapshot for both questions
            try:
                width, file, rows, seq = self._state()
                if file != self._file:
                    self._forget()
                    self._file = file
                changes = self._db.execute("SELECT id, row FROM place WHERE seq > ?", (self._seq,)).fetchall()
            finally:
                self._db.execute("COMMIT")
            if seq == self._seq:
                return
            try:
                self._take(width, file, rows, changes)
            except FileNotFoundError:  # rewritten meanwhile: the next state names the new file
                self._forget()
                continue
            self._seq = seq
            return
        raise StoreError(
            f"the vectors in `{self._folder}` lack a file",
            code="E936",
            help="delete the folder, and run `remit documents reindex`",
        )

    def _take(self, width: int | None, file: int, rows: int, changes: list[tuple[str, int | None]]) -> None:
        if width and rows:
            mapped = np.memmap(self._path(file), dtype=np.float32, mode="r", shape=(rows, width))
            self._map = np.asarray(mapped)
        known = len(self._ids)
        self._ids += [""] * (rows - known)
        dead = set(self._dead.tolist()) | set(range(known, rows))
        for name, row in changes:
            before = self._rows.pop(name, None)
            if before is not None:
                dead.add(before)
            if row is not None:
                self._rows[name], self._ids[row] = row, name
                dead.discard(row)
        self._dead = np.fromiter(dead, dtype=np.int64, count=len(dead))

    def _state(self) -> tuple[int | None, int, int, int]:
        found: tuple[int | None, int, int, int] = self._db.execute(
            "SELECT dimensions, file, rows, seq FROM state"
        ).fetchone()
        return found

    @contextmanager
    def _writing(self) -> Iterator[tuple[int | None, int, int, int]]:
        """A transaction that nobody else writes in, and the state it starts from."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            before = self._state()
            yield before
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        after = self._state()[1]
        if after != before[1]:
            self._path(before[1]).unlink(missing_ok=True)

    def _write(self, file: int, row: int, block: Floats) -> None:
        with self._path(file).open("r+b" if self._path(file).exists() else "w+b") as out:
            out.seek(row * block.shape[1] * 4)
            out.write(block.tobytes())
            out.flush()
            os.fsync(out.fileno())

    def _tidy(self) -> None:
        """Rewrite the file without its dead rows, when they are half of it."""
        width, file, rows, seq = self._state()
        (live,) = self._db.execute("SELECT count(row) FROM place").fetchone()
        if not width or rows - live < max(FEWEST_DEAD, live):
            return
        old = np.memmap(self._path(file), dtype=np.float32, mode="r", shape=(rows, width))
        kept = self._db.execute("SELECT id, row FROM place WHERE row IS NOT NULL ORDER BY row").fetchall()
        for start in range(0, live, COPIED_ROWS):
            part = kept[start : start + COPIED_ROWS]
            self._write(file + 1, start, np.asarray(old[[row for _, row in part]]))
        self._db.execute("DELETE FROM place")
        self._db.executemany(
            "INSERT INTO place VALUES (?, ?, ?)", [(name, n, seq) for n, (name, _) in enumerate(kept)]
        )
        self._db.execute("UPDATE state SET file = ?, rows = ?", (file + 1, live))

    def _path(self, file: int) -> Path:
        return self._folder / f"vectors-{file}.f32"
