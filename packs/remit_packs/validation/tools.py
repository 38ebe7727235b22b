"""The tools of the comparison. All only read, and only local files."""

from __future__ import annotations

from typing import Any

import duckdb
from msgspec import Struct, field

from remit.sdk import tool
from remit_packs.validation.canonical import (
    Digest,
    HashFunction,
    Kind,
    aggregates,
    canonical,
    digests,
    quote,
    row_text,
)
from remit_packs.validation.files import Column, File, columns_of, local_file, session


class Wanted(Struct, frozen=True):
    """A column to hash: how it is stored, and the type both sides agreed on."""

    name: str
    stored: Kind
    common: Kind


class ColumnDigest(Struct, frozen=True):
    """A column's digest, or a note that says why there is none."""

    name: str
    hash: str
    nulls: int
    note: str = ""


class Digests(Struct, frozen=True):
    """What `hash_columns` answers. `rows_hash` is over whole rows, and empty when a column has no digest."""

    columns: list[ColumnDigest]
    rows_hash: str = ""


class Sample(Struct, frozen=True):
    """Rows that differ: their keys and the canonical texts on both sides."""

    differing: int
    rows: list[dict[str, Any]] = field(default_factory=list)


@tool(timeout_s=600)
def count_rows(path: str) -> int:
    """The number of rows in a local CSV, TSV or Parquet file."""
    file = local_file(path)
    with session(path) as connection:
        row = connection.execute(f"SELECT count(*) FROM {file.relation()}").fetchone()
    return int(row[0]) if row else 0


@tool(timeout_s=600)
def describe_columns(path: str) -> list[Column]:
    """The columns of a local file with their types; of CSV what the text of all rows looks like."""
    file = local_file(path)
    with session(path) as connection:
        return columns_of(connection, file)


@tool(timeout_s=3600)
def hash_columns(path: str, columns: list[Wanted], hash_function: HashFunction = "md5") -> Digests:
    """The colhash/1 digest of each column, and of all rows. A value that does not fit its type is noted, not skipped."""
    file = local_file(path)
    relation = file.relation(texts(columns))
    with session(path) as connection:
        try:
            return _hashed(connection, relation, columns, hash_function)
        except duckdb.Error:
            return Digests([_alone(connection, file, column, hash_function) for column in columns])


def texts(columns: list[Wanted]) -> list[str]:
    """The columns that a CSV file has to give as text."""
    return [column.name for column in columns if column.stored.text]


def _hashed(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: list[Wanted], algorithm: HashFunction
) -> Digests:
    """All columns and the rows in one pass."""
    values = [canonical(c.name, c.stored, c.common) for c in columns]
    names = [quote(f"c{i}") for i in range(len(columns))]
    inner = ", ".join(f"{value} AS {name}" for value, name in zip(values, names, strict=True))
    query = aggregates([*names, row_text(names)], f"(SELECT {inner} FROM {relation})", algorithm)
    row = connection.execute(query).fetchone() or ()
    *found, rows = digests(row, len(columns) + 1, algorithm)
    return Digests([_named(c, d) for c, d in zip(columns, found, strict=True)], rows.hash)


def _alone(
    connection: duckdb.DuckDBPyConnection, file: File, column: Wanted, algorithm: HashFunction
) -> ColumnDigest:
    try:
        return _hashed(connection, file.relation(texts([column])), [column], algorithm).columns[0]
    except duckdb.Error as error:
        return ColumnDigest(column.name, "", 0, str(error).strip().splitlines()[0])


def _named(column: Wanted, digest: Digest) -> ColumnDigest:
    return ColumnDigest(column.name, digest.hash, digest.nulls)


@tool(timeout_s=3600, sensitivity="private", trust="untrusted")
def sample_differences(
    source: str,
    target: str,
    key: str,
    source_columns: list[Wanted],
    target_columns: list[Wanted],
    limit: int = 5,
) -> Sample:
    """The first rows, by key, that are missing on one side or differ in a column."""
    left, right = local_file(source), local_file(target)
    with session(source) as connection:
        query = _joined(_side(left, source_columns), _side(right, target_columns), key, source_columns)
        count = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()
        rows = connection.execute(f"{query} ORDER BY key LIMIT {max(1, min(limit, 100))}")
        names = [d[0] for d in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return Sample(int(count[0]) if count else 0, [_row(row, key, source_columns) for row in found])


def _side(file: File, columns: list[Wanted]) -> str:
    inner = ", ".join(f"{canonical(c.name, c.stored, c.common)} AS {quote(c.name)}" for c in columns)
    return f"(SELECT {inner} FROM {file.relation(texts(columns))})"


def _joined(source: str, target: str, key: str, columns: list[Wanted]) -> str:
    values = ", ".join(
        f"s.{quote(c.name)} AS {quote('s' + str(i))}, t.{quote(c.name)} AS {quote('t' + str(i))}"
        for i, c in enumerate(columns)
    )
    differ = " OR ".join(f"s.{quote(c.name)} IS DISTINCT FROM t.{quote(c.name)}" for c in columns)
    k = quote(key)
    return f"SELECT coalesce(s.{k}, t.{k}) AS key, {values} FROM {source} s FULL JOIN {target} t ON s.{k} = t.{k} WHERE {differ}"


def _row(row: dict[str, Any], key: str, columns: list[Wanted]) -> dict[str, Any]:
    sides = [(c.name, row[f"s{i}"], row[f"t{i}"]) for i, c in enumerate(columns)]
    present = {name: (s, t) for name, s, t in sides}[key]
    if None in present:
        return {"key": row["key"], "missing_in": "source" if present[0] is None else "target"}
    return {"key": row["key"], "columns": {name: [s, t] for name, s, t in sides if s != t}}
