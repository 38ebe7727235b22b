"""A few rows that differ, whatever engines the two sides are in. For all of them, exactly, there is `diff_rows`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from remit_packs.validation.engines.base import Engine, Wanted
from remit_packs.validation.engines.duckdb import connect


def differing(
    left: Engine,
    left_columns: Sequence[Wanted],
    right: Engine,
    right_columns: Sequence[Wanted],
    key: str,
    limit: int,
) -> tuple[int, list[dict[str, Any]]]:
    """How many rows differ, and the first of them by key. Canonical texts wait in files, not in memory."""
    names = [column.name for column in left_columns]
    with tempfile.TemporaryDirectory(prefix="remit-sample-") as folder:
        sides = [
            _spooled(engine, columns, Path(folder) / f"{name}.jsonl")
            for name, engine, columns in (("s", left, left_columns), ("t", right, right_columns))
        ]
        query = _joined(sides[0], sides[1], names.index(key), len(names))
        with connect(directories=[f"{folder}/"]) as connection:
            (total,) = connection.execute(f"SELECT count(*) FROM ({query})").fetchone() or (0,)
            rows = connection.execute(f"{query} ORDER BY ALL LIMIT {limit}").fetchall()
    return int(total), [_told(row, names, names.index(key)) for row in rows]


def _spooled(engine: Engine, columns: Sequence[Wanted], path: Path) -> str:
    """The canonical texts of one side as a relation of DuckDB."""
    texts = ", ".join(f"{engine.dialect.canonical(c)} AS c{i}" for i, c in enumerate(columns))
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for batch in engine.stream(f"SELECT {texts} FROM {engine.relation(columns)}"):
            for row in batch:
                file.write(encode({f"c{i}": value for i, value in enumerate(row)}) + b"\n")
    fields = ", ".join(f"c{i}: 'VARCHAR'" for i in range(len(columns)))
    return f"read_json('{path}', format = 'newline_delimited', maximum_object_size = 268435456, columns = {{{fields}}})"


def _joined(source: str, target: str, key: int, width: int) -> str:
    values = ", ".join(f"s.c{i} AS s{i}, t.c{i} AS t{i}" for i in range(width))
    differ = " OR ".join(f"s.c{i} IS DISTINCT FROM t.c{i}" for i in range(width))
    return (
        f"SELECT coalesce(s.c{key}, t.c{key}) AS key, {values} FROM {source} s"
        f" FULL JOIN {target} t ON s.c{key} = t.c{key} WHERE {differ}"
    )


def _told(row: tuple[Any, ...], names: Sequence[str], key: int) -> dict[str, Any]:
    sides = [(name, row[1 + 2 * i], row[2 + 2 * i]) for i, name in enumerate(names)]
    if None in sides[key]:
        return {"key": row[0], "missing_in": "source" if sides[key][1] is None else "target"}
    return {"key": row[0], "columns": {name: [s, t] for name, s, t in sides if s != t}}
