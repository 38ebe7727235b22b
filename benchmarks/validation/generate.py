"""The pair of tables that every tool compares, with a known answer. The same for everybody, on every run.

`rows` rows of eight columns; one row in 10,000 is changed, one in 20,000 is missing in the target, and as many are extra.
Everything follows from the row's number, so there is no seed to lose.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb

FOLDER = Path(__file__).resolve().parents[2] / ".bench" / "validation"
COLUMNS = ("id", "customer_id", "qty", "amount", "rate", "name", "note", "created_at")
DDL = (
    "id bigint primary key, customer_id bigint, qty integer, amount numeric(12,2), rate numeric(8,4),"
    " name text, note text, created_at timestamp(6)"
)


class Answer(NamedTuple):
    """What a right tool says about the pair: rows on each side, and rows changed, missing and extra in the target."""

    source_rows: int
    target_rows: int
    changed: int
    missing: int
    extra: int
    columns: tuple[str, ...]


def answer(rows: int) -> Answer:
    """The known answer for a size."""
    changed, moved = max(4, rows // 10_000), max(1, rows // 20_000)
    return Answer(rows, rows, changed, moved, moved, ("amount", "qty", "name", "note"))


def pair(rows: int) -> tuple[Path, Path]:
    """Source and target as Parquet files under `.bench/validation`, made unless they are there."""
    folder = FOLDER / str(rows)
    source, target = folder / "source.parquet", folder / "target.parquet"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            _write(connection, _source(rows), source)
            _write(connection, _target(rows), target)
    return source, target


def _write(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """In one step, so that a file that is there is whole."""
    partial = path.with_suffix(".partial")
    connection.execute(f"COPY ({query}) TO '{partial}' (FORMAT parquet)")
    partial.rename(path)


def _source(rows: int) -> str:
    return f"""
        SELECT i AS id,
            (i * 7919) % 250007 AS customer_id,
            ((i * 31) % 97 + 1)::integer AS qty,
            (((i * 104729) % 99999999) / 100)::decimal(12,2) AS amount,
            (((i * 1299709) % 9999999) / 10000)::decimal(8,4) AS rate,
            'customer ' || ((i * 7919) % 250007) || chr((97 + i % 26)::integer) || 'é' AS name,
            CASE WHEN i % 5 = 0 THEN NULL WHEN i % 7 = 0 THEN '' ELSE 'note ' || ((i * 15485863) % 1000003) END AS note,
            TIMESTAMP '2024-01-01' + to_microseconds((i * 1000003) % 63072000000000) AS created_at
        FROM range(1, {rows + 1}) r(i)"""


def _target(rows: int) -> str:
    """Every step-th row is changed in one of four columns in turn; rows beside them are missing; extra ones follow the last."""
    known = answer(rows)
    step, gap = rows // known.changed, rows // known.missing
    turn = f"CASE WHEN id % {step} = 0 AND id <= {step * known.changed} THEN (id // {step}) % 4 END"
    return f"""
        SELECT id, customer_id,
            CASE WHEN turn = 0 THEN qty + 1 ELSE qty END AS qty,
            CASE WHEN turn = 1 THEN (amount + 0.01)::decimal(12,2) ELSE amount END AS amount,
            rate,
            CASE WHEN turn = 2 THEN name || ' ' ELSE name END AS name,
            CASE WHEN turn = 3 THEN CASE WHEN note IS NULL THEN '' ELSE NULL END ELSE note END AS note,
            created_at
        FROM (SELECT *, {turn} AS turn FROM ({_source(rows)}))
        WHERE NOT (id % {gap} = 1 AND id < {gap * known.missing})
        UNION ALL
        SELECT id + {rows}, customer_id, qty, amount, rate, name, note, created_at FROM ({_source(known.extra)})"""


def load_duckdb(rows: int) -> Path:
    """The pair as tables `source` and `target` of a DuckDB file, for tools that read no Parquet."""
    source, target = pair(rows)
    path = source.with_name("pair.duckdb")
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with duckdb.connect(str(partial)) as connection:
            connection.execute("SET enable_progress_bar = false")
            for name, file in (("source", source), ("target", target)):
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM '{file}'")
        partial.rename(path)
    return path


def load_postgres(rows: int, dsn: str) -> tuple[str, str]:
    """Copy the pair into PostgreSQL as `source_<rows>` and `target_<rows>`, with statistics; nothing when it is there."""
    import psycopg

    names = (f"source_{rows}", f"target_{rows}")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, path in zip(names, pair(rows), strict=True):
            if connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
                continue
            connection.execute(f"DROP TABLE IF EXISTS {name}_new")
            connection.execute(f"CREATE TABLE {name}_new ({DDL})")
            _copy(path, f"{name}_new", dsn)
            connection.execute(f"VACUUM ANALYZE {name}_new")
            connection.execute(f"ALTER TABLE {name}_new RENAME TO {name}")
    return names


def _copy(path: Path, table: str, dsn: str) -> None:
    """Parquet to CSV to COPY, without a file between them."""
    import psycopg

    query = (
        f"COPY (SELECT * FROM '{path}') TO '/dev/stdout' (FORMAT csv, HEADER false, FORCE_QUOTE (name, note))"
    )
    code = f"import duckdb; duckdb.sql('SET enable_progress_bar = false'); duckdb.sql({query!r})"
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with (
        psycopg.connect(dsn) as connection,
        connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv)") as copy,
    ):
        while block := writer.stdout.read(1 << 20):
            copy.write(block)
    if writer.wait():
        raise RuntimeError(f"{path} could not be read")
