"""Writing Parquet and CSV files for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb


def write_parquet(path: Path, columns: dict[str, tuple[str, Sequence[Any]]]) -> str:
    """Columns are name -> (DuckDB type, values)."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        fields = ", ".join(f'"{name}" {type_name}' for name, (type_name, _) in columns.items())
        connection.execute(f"CREATE TABLE t ({fields})")
        rows = list(zip(*(values for _, values in columns.values()), strict=True))
        if rows:
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", rows)
        connection.table("t").write_parquet(str(path))
    return str(path)


def write_csv(path: Path, columns: dict[str, Sequence[str | None]]) -> str:
    """Text as given: None is an unquoted empty field, all else is quoted."""
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    lines = [",".join("" if v is None else '"' + v.replace('"', '""') + '"' for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return str(path)
