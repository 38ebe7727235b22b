"""What a person would write for exactly this pair, as the limit. Usage: python -m benchmarks.validation.handwritten PLACE TASK SOURCE TARGET.

It checks no types, no duplicate keys and no NULL keys, and keeps nothing. Prints `{"answer": ..., "seconds": ...}`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.validation.generate import COLUMNS

Fetch = Callable[[str], list[tuple[Any, ...]]]
REST = COLUMNS[1:]


def connect(place: str, source: str) -> Fetch:
    """Something that answers SQL."""
    if place == "parquet":
        import duckdb

        duck = duckdb.connect()
        duck.execute("SET enable_progress_bar = false")
        return lambda sql: duck.execute(sql).fetchall()
    import psycopg

    postgres = psycopg.connect(source.rpartition("/")[0], autocommit=True)
    return lambda sql: postgres.execute(sql.encode()).fetchall()


def answered(place: str, task: str, fetch: Fetch, source: str, target: str) -> list[Any]:
    """The answer."""
    tables = [f"'{p}'" if place == "parquet" else p.rpartition("/")[2] for p in (source, target)]
    if task == "count":
        return [fetch(f"SELECT count(*) FROM {table}")[0][0] for table in tables]
    if task == "columns":
        row_hash = "hash({})" if place == "parquet" else "hash_record_extended(ROW({}), 0)"
        sums = ", ".join(f"sum({row_hash.format(column)})" for column in COLUMNS)
        mine, theirs = (fetch(f"SELECT {sums} FROM {table}")[0] for table in tables)
        return sorted(c for c, a, b in zip(COLUMNS, mine, theirs, strict=True) if a != b)
    return [int(n) for n in fetch(_duckdb(*tables) if place == "parquet" else _postgres(*tables))[0]]


def _duckdb(source: str, target: str) -> str:
    sides = [f"(SELECT id, hash({', '.join(REST)}) AS h FROM {table})" for table in (source, target)]
    return _counts(f"{sides[0]} a FULL JOIN {sides[1]} b ON a.id = b.id WHERE a.h IS DISTINCT FROM b.h")


def _postgres(source: str, target: str) -> str:
    rows = [f"({', '.join(f'{side}.{column}' for column in REST)})" for side in "ab"]
    joined = f"{source} a FULL JOIN {target} b ON a.id = b.id"
    return _counts(f"{joined} WHERE a.id IS NULL OR b.id IS NULL OR {rows[0]} IS DISTINCT FROM {rows[1]}")


def _counts(joined: str) -> str:
    return (
        "SELECT count(*) FILTER (WHERE b.id IS NULL), count(*) FILTER (WHERE a.id IS NULL),"
        f" count(*) FILTER (WHERE a.id = b.id) FROM {joined}"
    )


def main() -> None:
    """Answer once."""
    place, task, source, target = sys.argv[1:]
    started = time.perf_counter()
    answer = answered(place, task, connect(place, source), source, target)
    print(json.dumps({"answer": answer, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
