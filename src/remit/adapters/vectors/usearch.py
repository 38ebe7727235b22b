"""Vectors in files of this machine, found by a graph of neighbours (HNSW): for more than a hundred thousand. Needs the extra `usearch`.

The files of `local` stay the truth, and what the graph finds is measured again with them; so the graph may be lost, and is built
anew. It is saved as it grows, and whoever opens it adds what came later.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remit.adapters.vectors.local import LocalVectors
from remit.adapters.vectors.matrix import Floats, Matrix
from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.ports.vectors import Near, Vector

try:
    from usearch.index import Index
except ImportError as error:
    raise ConfigError(
        "`documents.vectors = usearch` needs the package `usearch`, which is not installed",
        code="E695",
        help=how_to_install("usearch"),
    ) from error

FEWEST = 10_000
"""Vectors below which every one is looked at."""
OVERSAMPLED = 4
MOST_APPROXIMATE = 500
"""Results up to which the graph is asked; above them every vector is looked at."""
SAVED_GROWTH = 0.1
"""By which part a graph grows before it is saved again."""


class UsearchVectors(LocalVectors):
    """`LocalVectors` with a graph for each large collection."""

    def _make(self, folder: Path) -> Matrix:
        return Graph(folder)


class Graph(Matrix):
    """A collection whose neighbours are found by a graph, which knows vectors by their row in the file."""

    def put(self, vectors: Sequence[Vector]) -> None:
        """Write vectors, and let the graph grow."""
        super().put(vectors)
        with self._lock:
            self._refresh()
            if self._map is not None and len(self._map) >= FEWEST:
                self._grown()

    def _nearest(self, query: Floats, limit: int) -> list[Near]:
        assert self._map is not None
        live = len(self._map) - len(self._dead)
        if live < FEWEST or limit > MOST_APPROXIMATE:
            return super()._nearest(query, limit)
        graph = self._grown()
        dead = np.zeros(len(self._map), dtype=bool)
        dead[self._dead] = True
        share = len(self._map) / live
        found = graph.search(query, int(limit * OVERSAMPLED * share) + 16)
        rows = np.asarray(found.keys, dtype=np.int64)
        rows = rows[~dead[rows]]
        if len(rows) < limit:  # the dead crowded out the living
            return super()._nearest(query, limit)
        return self._best(self._map[rows] @ query, rows, limit)

    def _forget(self) -> None:
        super()._forget()
        self._graph: Any = None
        self._saved = 0

    def _grown(self) -> Any:
        """The graph of every row there is."""
        assert self._map is not None
        rows, width = self._map.shape
        if self._graph is None:
            self._graph = self._opened(width)
            self._saved = len(self._graph)
        have = len(self._graph)
        if have < rows:
            self._graph.add(np.arange(have, rows), self._map[have:])
        if rows - self._saved > max(FEWEST // 2, self._saved * SAVED_GROWTH):
            self._save(rows)
        return self._graph

    def _opened(self, width: int) -> Any:
        """The graph as it was saved, or an empty one: one of another make, or cut short by a crash, is built anew."""
        path = self._graph_path()
        if path.exists():
            with contextlib.suppress(Exception):
                saved = _empty(width)
                saved.load(str(path))
                if saved.ndim == width and self._map is not None and len(saved) <= len(self._map):
                    return saved
        return _empty(width)

    def _save(self, rows: int) -> None:
        path = self._graph_path()
        temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
        self._graph.save(str(temporary))
        temporary.replace(path)
        self._saved = rows

    def _graph_path(self) -> Path:
        return self._folder / f"graph-{self._file}.usearch"


def _empty(width: int) -> Any:
    return Index(
        ndim=width, metric="ip", dtype="f16", connectivity=16, expansion_add=128, expansion_search=128
    )
