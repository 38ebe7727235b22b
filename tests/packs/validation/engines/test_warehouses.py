"""Engines that cannot run here: their own SQL, run on an engine that can with the few functions it lacks, or read by shape."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from colhash_reference import canonical, digest
from stores import Postgres

from remit_packs.validation.canonical import HashFunction, Kind, digests
from remit_packs.validation.engines.athena import kind_of
from remit_packs.validation.engines.base import Filter, Wanted
from remit_packs.validation.engines.bigquery import BigQueryDialect
from remit_packs.validation.engines.errors import SourceError
from remit_packs.validation.engines.redshift import RedshiftDialect
from remit_packs.validation.engines.snowflake import SnowflakeDialect
from remit_packs.validation.engines.sql import SqlDialect
from remit_packs.validation.engines.trino import TrinoDialect

D = Decimal
COLUMNS: dict[str, tuple[str, list[Any], Kind]] = {
    "i": ("integer", [1, -7, None], Kind("number")),
    "d": ("decimal(9,2)", [D("1.10"), D("-0.01"), None], Kind("number", 3)),
    "s": ("string", ["é", "", None], Kind("string")),
    "b": ("boolean", [True, False, None], Kind("boolean")),
    "y": ("date", [date(1, 1, 1), date(2026, 1, 1), None], Kind("date")),
    "x": ("binary", [b"", b"\x00\xff", None], Kind("binary")),
}

TRINO_ON_DUCKDB = [
    "CREATE MACRO to_utf8(x) AS encode(x)",
    "CREATE MACRO to_hex(x) AS hex(x)",
    "CREATE MACRO from_base(x, b) AS ('0x' || x)::bigint",
]


def expected(algorithm: HashFunction) -> list[str]:
    return [
        digest([canonical(v, kind.family, kind.digits) for v in values], algorithm)
        for _, values, kind in COLUMNS.values()
    ]


def question(dialect: SqlDialect, kinds: dict[str, Kind], algorithm: HashFunction, table: str) -> str:
    """What SqlEngine asks for digests, without the rows."""
    sums = ["count(*)"]
    for name, (_, _, common) in COLUMNS.items():
        text = dialect.canonical(Wanted(name, kinds[name], common))
        sums += [f"count({text})", *(dialect.total(lane) for lane in dialect.lanes(text, algorithm))]
    return f"SELECT {', '.join(sums)} FROM {table}"


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_trino_hashes_alike(tmp_path: Path, algorithm: HashFunction) -> None:
    """Its expressions on DuckDB, where a hash is text: `to_hex(md5(to_utf8(x)))` needs the bytes again."""
    dialect = TrinoDialect()
    with duckdb.connect(":memory:") as connection:
        for macro in TRINO_ON_DUCKDB:
            connection.execute(macro)
        connection.execute("CREATE TABLE t (i BIGINT, d DECIMAL(9,2), s VARCHAR, b BOOLEAN, y DATE, x BLOB)")
        rows = list(zip(*(values for _, values, _ in COLUMNS.values()), strict=True))
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", rows)
        stored = {n: Kind(common.family) for n, (_, _, common) in COLUMNS.items()}
        sql = question(dialect, stored, algorithm, "t")
        sql = sql.replace(f"to_hex({algorithm}(to_utf8(", f"(({algorithm}(")
        row = connection.execute(sql).fetchone() or ()
    assert [d.hash for d in digests(row, len(COLUMNS), algorithm)] == expected(algorithm)


@pytest.mark.service
@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_redshift_hashes_alike(tmp_path: Path, algorithm: HashFunction) -> None:
    """Its expressions on PostgreSQL, with `strtol`, `sha2` and `to_hex` of Redshift made there."""
    if not os.environ.get("REMIT_TEST_POSTGRES"):
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no server to test with")
    import psycopg

    store = Postgres(tmp_path)
    location = store.write({name: (t, values) for name, (t, values, _) in COLUMNS.items()})
    table = location.rpartition("/")[2]
    dialect = RedshiftDialect()
    stored = {
        n: Kind(common.family, name="numeric(9,2)" if n == "d" else "")
        for n, (_, _, common) in COLUMNS.items()
    }
    with psycopg.connect(store.dsn) as connection:
        for made in (
            "strtol(text, integer) RETURNS bigint AS $$ SELECT ('x' || $1)::bit(60)::bigint $$",
            "sha2(text, integer) RETURNS text AS $$ SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex') $$",
            "to_hex(bytea) RETURNS text AS $$ SELECT encode($1, 'hex') $$",
        ):
            connection.execute(f"CREATE FUNCTION pg_temp.{made} LANGUAGE sql IMMUTABLE".encode())
        sql = question(dialect, stored, algorithm, table)
        for name in ("strtol(", "sha2(", "to_hex("):
            sql = sql.replace(name, f"pg_temp.{name}")
        row = connection.execute(sql.encode()).fetchone() or ()
    store.close()
    assert [d.hash for d in digests(row, len(COLUMNS), algorithm)] == expected(algorithm)


SHAPES: list[tuple[Callable[[], SqlDialect], Wanted, str]] = [
    (SnowflakeDialect, Wanted("a", Kind("number", 2), Kind("number", 3)), 'CAST(CAST("a" AS decimal(38,3)) AS varchar)'),
    (SnowflakeDialect, Wanted("a", Kind("timestamp", 9), Kind("timestamp", 3)), """left(to_char("a"::timestamp_ntz(9), 'YYYY-MM-DD"T"HH24:MI:SS.FF9'), 23)"""),
    (SnowflakeDialect, Wanted("a", Kind("binary"), Kind("binary")), 'lower(hex_encode("a"))'),
    (BigQueryDialect, Wanted("a`b", Kind("number"), Kind("number", 2)), "FORMAT('%.2f', ROUND(CAST(`a\\`b` AS BIGNUMERIC), 2))"),
    (BigQueryDialect, Wanted("a", Kind("timestamp", 6, zoned=True), Kind("timestamp", 6)), "SUBSTR(FORMAT_TIMESTAMP('%E4Y-%m-%dT%H:%M:%E6S', `a`, 'UTC'), 1, 26)"),
    (BigQueryDialect, Wanted("a", Kind("timestamp", 6), Kind("timestamp", 0)), "SUBSTR(FORMAT_DATETIME('%E4Y-%m-%dT%H:%M:%E6S', `a`), 1, 19)"),
    (TrinoDialect, Wanted("a", Kind("string"), Kind("string")), 'CAST("a" AS varchar)'),
]  # fmt: skip


@pytest.mark.parametrize(("make", "wanted", "sql"), SHAPES)
def test_shapes(make: Callable[[], SqlDialect], wanted: Wanted, sql: str) -> None:
    assert make().canonical(wanted) == sql


@pytest.mark.parametrize(
    ("make", "lane"),
    [
        (SnowflakeDialect, "sum(to_number(substr(md5(t), 1, 15), 'XXXXXXXXXXXXXXX'))"),
        (
            BigQueryDialect,
            "SUM(CAST(CAST(CONCAT('0x', substr(TO_HEX(MD5(t)), 1, 15)) AS INT64) AS BIGNUMERIC))",
        ),
        (
            TrinoDialect,
            "sum(CAST(from_base(substr(lower(to_hex(md5(to_utf8(t)))), 1, 15), 16) AS decimal(38,0)))",
        ),
    ],
)
def test_lanes(make: Callable[[], SqlDialect], lane: str) -> None:
    dialect = make()
    assert dialect.total(dialect.lanes("t", "md5")[0]) == lane


@pytest.mark.parametrize(
    ("make", "constant"),
    [
        (SnowflakeDialect, r"'\\'' OR 1=1 --'"),
        (BigQueryDialect, r"'\\\' OR 1=1 --'"),
        (TrinoDialect, r"'\'' OR 1=1 --'"),
    ],
)
def test_constants_cannot_break_out(make: Callable[[], SqlDialect], constant: str) -> None:
    dialect = make()
    dialect.kinds = lambda: {"a": Kind("string")}
    assert dialect.where([Filter("a", "=", "\\' OR 1=1 --")]) == f"({dialect.quote('a')} = {constant})"


def test_snowflake_refuses_floats() -> None:
    with pytest.raises(SourceError) as error:
        SnowflakeDialect().canonical(Wanted("a", Kind("float"), Kind("number", 2, name="rounded")))
    assert error.value.code == "E573"


@pytest.mark.parametrize(
    ("hive", "kind"),
    [
        ("bigint", Kind("number", name="bigint")),
        ("decimal(10,2)", Kind("number", 2, name="decimal(10,2)")),
        ("decimal(10)", Kind("number", 0, name="decimal(10)")),
        ("varchar(20)", Kind("string", name="varchar(20)")),
        ("timestamp", Kind("timestamp", 3, name="timestamp")),
        ("array<int>", Kind("other", name="array<int>")),
        ("struct<a:int>", Kind("other", name="struct<a:int>")),
        ("map<string,int>", Kind("other", name="map<string,int>")),
    ],
)
def test_types_of_the_glue_catalogue(hive: str, kind: Kind) -> None:
    assert kind_of(hive) == kind
