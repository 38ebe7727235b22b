"""Keys of one table that another does not have, wherever the two live."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from remit_packs.validation.engines.base import Engine, Filter, Wanted


class Orphans(Struct, frozen=True):
    """`rows` of the table whose key the reference does not have, `keys` different ones; the first of those with their rows."""

    rows: int
    keys: int
    first: list[tuple[tuple[str, ...], int]]


def orphans(
    child: Engine,
    columns: Sequence[Wanted],
    parent: Engine,
    parent_columns: Sequence[Wanted],
    filters: Sequence[Filter] = (),
    limit: int = 1000,
) -> Orphans:
    """Find them. On one server it is one query; else only the different keys leave each engine, and wait in a file.

    A key with a NULL in it refers to nothing and is no orphan, as in SQL.
    """
    mine = _grouped(child, columns, filters)
    theirs = _distinct(parent, parent_columns)
    if child.server == parent.server:
        return _counted(_joined(child, mine, theirs, len(columns)), limit)
    with tempfile.TemporaryDirectory(prefix="remit-orphans-") as folder:
        return _counted(_spooled(Path(folder) / "keys.db", child, mine, parent, theirs, len(columns)), limit)


def _texts(engine: Engine, columns: Sequence[Wanted]) -> str:
    return ", ".join(f"{engine.dialect.canonical(c)} AS k{i}" for i, c in enumerate(columns))


def _keys(count: int) -> str:
    return ", ".join(f"k{i}" for i in range(count))


def _filled(count: int) -> str:
    return " AND ".join(f"k{i} IS NOT NULL" for i in range(count))


def _grouped(engine: Engine, columns: Sequence[Wanted], filters: Sequence[Filter]) -> str:
    """SQL: each different key with its number of rows."""
    where = engine.dialect.where(filters)
    inner = f"SELECT {_texts(engine, columns)} FROM {engine.relation(columns)}" + (
        f" WHERE {where}" if where else ""
    )
    keys = _keys(len(columns))
    return (
        f"SELECT {keys}, count(*) AS n FROM ({inner}) rows_of WHERE {_filled(len(columns))} GROUP BY {keys}"
    )


def _distinct(engine: Engine, columns: Sequence[Wanted]) -> str:
    inner = f"SELECT {_texts(engine, columns)} FROM {engine.relation(columns)}"
    return f"SELECT DISTINCT {_keys(len(columns))} FROM ({inner}) keys_of WHERE {_filled(len(columns))}"


def _joined(engine: Engine, mine: str, theirs: str, count: int) -> Iterator[tuple[tuple[str, ...], int]]:
    same = " AND ".join(f"p.k{i} = c.k{i}" for i in range(count))
    keys = ", ".join(f"c.k{i}" for i in range(count))
    sql = f"SELECT {keys}, c.n FROM ({mine}) c LEFT JOIN ({theirs}) p ON {same} WHERE p.k0 IS NULL"
    for batch in engine.stream(sql):
        yield from ((tuple(str(k) for k in row[:-1]), int(row[-1])) for row in batch)


def _spooled(
    path: Path, child: Engine, mine: str, parent: Engine, theirs: str, count: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    """The same over a file, so that memory does not grow with the number of keys."""
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA journal_mode = OFF")
        names = [f"k{i}" for i in range(count)]
        declared = ", ".join(f"{n} TEXT" for n in names)
        store.execute(f"CREATE TABLE known ({declared}, PRIMARY KEY ({', '.join(names)})) WITHOUT ROWID")
        marks = ", ".join("?" * count)
        for batch in parent.stream(theirs):
            rows = [tuple(str(v) for v in row) for row in batch]
            store.executemany(f"INSERT OR IGNORE INTO known VALUES ({marks})", rows)
        find = f"SELECT 1 FROM known WHERE {' AND '.join(f'{n} = ?' for n in names)}"
        for batch in child.stream(mine):
            for row in batch:
                key = tuple(str(v) for v in row[:-1])
                if store.execute(find, key).fetchone() is None:
                    yield key, int(row[-1])


def _counted(found: Iterator[tuple[tuple[str, ...], int]], limit: int) -> Orphans:
    rows = keys = 0
    first: list[tuple[tuple[str, ...], int]] = []
    for key, count in found:
        rows, keys = rows + count, keys + 1
        if len(first) < limit:
            first.append((key, count))
    return Orphans(rows, keys, sorted(first))
