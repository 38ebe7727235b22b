"""Rows of two engines, brought together as text in a DuckDB of their own that lives as long as the join takes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from remit_packs.validation.diff.join import Half, Join, Joined
from remit_packs.validation.engines.duckdb import DuckDbDialect, connect

if TYPE_CHECKING:
    import duckdb

BATCH = 10_000
"""Rows that are in memory at once; with `CUT` characters a text this is what bounds them."""


class Scratch:
    """A DuckDB that spills to disk, and a folder through which rows enter it."""

    dialect = DuckDbDialect()

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="remit-diff-")
        self._connection: duckdb.DuckDBPyConnection = connect(directories=[f"{self._folder.name}/"])

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._folder.cleanup()

    def fill(self, table: str, width: int, batches: Iterable[Sequence[Sequence[Any]]]) -> Half:
        """Rows of texts as a table; the half of a join that reads it."""
        columns = ", ".join(f"x{i} VARCHAR" for i in range(width))
        self._connection.execute(f"CREATE TABLE {table} ({columns})")
        picked = ", ".join(f"j[{i + 1}]" for i in range(width))
        path = Path(self._folder.name) / f"{table}.jsonl"
        read = f"read_json('{path}', format = 'newline_delimited', records = false, columns = {{'j': 'VARCHAR[]'}})"
        encode = msgspec.json.Encoder().encode_lines
        for batch in batches:
            path.write_bytes(encode(batch))
            self._connection.execute(f"INSERT INTO {table} SELECT {picked} FROM {read}")
        path.unlink(missing_ok=True)
        names = [f"c{i}" for i in range(width)]
        return Half(f"SELECT * FROM {table}", [f"x{i}" for i in range(width)], names, names)

    def run(self, join: Join) -> Joined:
        """The join's answer."""
        return join.read(self._connection.execute(join.query()).fetchall())
