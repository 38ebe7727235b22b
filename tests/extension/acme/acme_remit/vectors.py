"""A store of vectors: rows of a SQLite file, compared one by one."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from remit import InputError, Near, Opening, Vector


class AcmeVectors:
    """Vectors of float64, so that every score is exact."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connect()) as file:
            file.execute(
                "create table if not exists v (c text, id text, n int, body text, primary key (c, id))"
            )

    async def put(self, collection: str, vectors: Sequence[Vector]) -> None:
        """Write all or none."""
        with closing(self._connect()) as file:
            file.execute("begin immediate")
            size = self._size(file, collection)
            for vector in vectors:
                size = size or len(vector.values)
                _check(vector.values, size)
                body = " ".join(map(repr, map(float, vector.values)))
                file.execute(
                    "insert or replace into v values (?, ?, ?, ?)", (collection, vector.id, size, body)
                )
            file.execute("commit")

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete by id."""
        with closing(self._connect()) as file:
            file.executemany("delete from v where c = ? and id = ?", [(collection, name) for name in ids])

    async def near(self, collection: str, query: Sequence[float], *, limit: int = 10) -> list[Near]:
        """The nearest first."""
        with closing(self._connect()) as file:
            size = self._size(file, collection)
            if not size:
                return []
            _check(query, size)
            rows = file.execute("select id, body from v where c = ?", (collection,)).fetchall()
        found = [Near(name, sum(map(_times, map(float, body.split()), query))) for name, body in rows]
        return sorted(found, key=lambda near: (-near.score, near.id))[:limit]

    async def drop(self, collection: str) -> None:
        """Delete a collection."""
        with closing(self._connect()) as file:
            file.execute("delete from v where c = ?", (collection,))

    async def close(self) -> None:
        """Each verb has closed what it opened."""

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None)

    @staticmethod
    def _size(file: sqlite3.Connection, collection: str) -> int:
        row = file.execute("select n from v where c = ? limit 1", (collection,)).fetchone()
        return row[0] if row else 0


def _times(one: float, other: float) -> float:
    return one * other


def _check(values: Sequence[float], size: int) -> None:
    if len(values) != size or not math.isclose(math.hypot(*values), 1, abs_tol=1e-3):
        raise InputError(f"a vector is not of {size} numbers and length 1", code="E931")


def open_vectors(opening: Opening) -> AcmeVectors:
    """The entry of `remit.vectors`, for `acme:`."""
    return AcmeVectors(Path(opening.home, "acme-vectors.db"))
