"""Vectors in files of this machine, searched one by one with NumPy: exact, and quick to a hundred thousand. Needs the extra `documents`."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from remit.adapters.vectors.checking import safe_name
from remit.core.errors import ConfigError, StoreError
from remit.core.extras import how_to_install
from remit.ports.vectors import Near, Vector

try:
    from remit.adapters.vectors.matrix import Matrix
except ImportError as error:
    raise ConfigError(
        "documents need the package `numpy`, which is not installed",
        code="E695",
        help=how_to_install("documents"),
    ) from error

T = TypeVar("T")


class LocalVectors:
    """A folder a collection under `root`. Several processes of one machine may use the same root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Matrix] = {}
        self._lock = threading.Lock()

    async def put(self, collection: str, vectors: Sequence[Vector]) -> None:
        """Write vectors. Raises InputError E931, StoreError E936."""
        if vectors:
            await self._do(collection, lambda matrix: matrix.put(vectors))

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete vectors."""
        if ids and self._exists(collection):
            await self._do(collection, lambda matrix: matrix.delete(ids))

    async def near(self, collection: str, query: Sequence[float], *, limit: int = 10) -> list[Near]:
        """The nearest vectors."""
        if not self._exists(collection):
            return []
        return await self._do(collection, lambda matrix: matrix.near(query, limit))

    async def drop(self, collection: str) -> None:
        """Delete a collection."""
        if self._exists(collection):
            await self._do(collection, Matrix.drop)

    async def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            opened = list(self._open.values())
            self._open.clear()
        for matrix in opened:
            await asyncio.to_thread(matrix.close)

    def _make(self, folder: Path) -> Matrix:
        return Matrix(folder)

    def _exists(self, collection: str) -> bool:
        return (self._root / safe_name(collection)).is_dir()

    async def _do(self, collection: str, work: Callable[[Matrix], T]) -> T:
        def go() -> T:
            name = safe_name(collection)
            with self._lock:
                if name not in self._open:
                    self._open[name] = self._make(self._root / name)
                matrix = self._open[name]
            return work(matrix)

        try:
            return await asyncio.to_thread(go)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the vectors in `{self._root}` cannot be read or written: {error}",
                code="E936",
                help="is the disk full, or the folder somebody else's?",
            ) from error
