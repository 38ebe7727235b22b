"""Aggregates and filters mean the same on every engine, to the last digit."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stores import Columns, Postgres, Store

from remit_packs.validation.canonical import Kind
from remit_packs.validation.checks.orphans import orphans
from remit_packs.validation.engines.base import Engine, Filter, Measure, Wanted
from remit_packs.validation.engines.errors import SourceError
from remit_packs.validation.engines.statements import harmless, one_select
from remit_packs.validation.sources import open_engine

D = Decimal

COLUMNS: Columns = {
    "id": ("integer", [1, 2, 3, 4, 5]),
    "name": ("string", ["b", "B", "a ", "é", None]),
    "city": ("string", ["x", "x", "y", None, "x"]),
    "amount": ("decimal(12,2)", [D("1.10"), D("2.20"), D("-3.30"), None, D("4.40")]),
    "day": ("date", [date(2026, 1, 1), date(2026, 1, 2), date(2025, 12, 31), None, date(2026, 1, 2)]),
    "at": (
        "timestamp",
        [
            datetime(2026, 1, 1, 8),
            datetime(2026, 1, 2, 0, 0, 0, 1),
            None,
            datetime(2025, 1, 1),
            datetime(2026, 1, 1),
        ],
    ),
    "ok": ("boolean", [True, False, None, True, True]),
    "rate": ("float", [0.5, -1.5, None, 2.25, 1e3]),
}

MEASURES: list[tuple[Measure, Any]] = [
    (Measure("count"), 5),
    (Measure("nulls", "amount"), 1),
    (Measure("distinct", columns=["name"]), 4),
    (Measure("distinct", "city"), 2),
    (Measure("distinct", columns=["city", "day"]), 3),
    (Measure("distinct", columns=["ok"]), 2),
    (Measure("min", "amount"), D("-3.30")),
    (Measure("max", "amount"), D("4.40")),
    (Measure("sum", "amount"), D("4.40")),
    (Measure("avg", "amount"), D("1.10")),
    (Measure("sum", "id"), 15),
    (Measure("avg", "id"), 3),
    (Measure("min", "name"), "B"),
    (Measure("max", "name"), "é"),
    (Measure("min", "day"), date(2025, 12, 31)),
    (Measure("max", "at"), datetime(2026, 1, 2, 0, 0, 0, 1)),
    (Measure("max", "rate"), 1000.0),
    (Measure("sum", "rate"), 1001.25),
    (Measure("avg", "rate"), 250.3125),
    (Measure("max_length", "name"), 2),
    (Measure("below", "amount", value=2.2), 2),
    (Measure("above", "amount", value=0), 3),
    (Measure("below", "day", value="2026-01-01"), 1),
    (Measure("above", "at", value="2026-01-01"), 2),
    (Measure("not_in", "name", values=["b", "a"]), 3),
    (Measure("not_in", "amount", values=[1.1, 2.2, 4.4]), 1),
    (Measure("not_in", "id", values=[]), 5),
    (Measure("not_matching", "name", pattern="[a-z]"), 3),
    (Measure("not_matching", "name", pattern="b|B"), 2),
    (Measure("not_finite", "rate"), 0),
]

FILTERS: list[tuple[list[Filter], list[int]]] = [
    ([], [1, 2, 3, 4, 5]),
    ([Filter("name", "=", "b")], [1]),
    ([Filter("name", "!=", "b")], [2, 3, 4]),
    ([Filter("name", "=", "a")], []),
    ([Filter("name", "in", ["a ", "é", "zz"])], [3, 4]),
    ([Filter("name", "in", [])], []),
    ([Filter("name", "<", "b")], [2, 3]),
    ([Filter("name", "is_null")], [5]),
    ([Filter("amount", "not_null"), Filter("amount", "<=", "2.2")], [1, 2, 3]),
    ([Filter("amount", "=", 1.1)], [1]),
    ([Filter("day", "=", "2026-01-02")], [2, 5]),
    ([Filter("at", ">=", "2026-01-02")], [2]),
    ([Filter("at", "=", "2026-01-01T08:00:00")], [1]),
    ([Filter("ok", "=", True)], [1, 4, 5]),
    ([Filter("ok", "=", "false")], [2]),
    ([Filter("rate", ">", 0.5)], [4, 5]),
    ([Filter("name", "=", "'; DROP TABLE x; --")], []),
    ([Filter("name", "=", "\\")], []),
]


@pytest.fixture(scope="module")
def engine(store: Store) -> Iterator[Engine]:
    """A table in each engine, opened once."""
    with open_engine(store.write(COLUMNS)) as opened:
        yield opened


def test_every_measure(engine: Engine) -> None:
    found = engine.measures([measure for measure, _ in MEASURES])
    for (measure, expected), actual in zip(MEASURES, found, strict=True):
        assert actual == expected, (measure, actual)
        if isinstance(expected, D):
            assert not isinstance(actual, float), measure


def test_every_filter(engine: Engine) -> None:
    for filters, kept in FILTERS:
        assert engine.count(filters) == len(kept), filters
        assert engine.measures([Measure("sum", "id")], filters) == [sum(kept) or None], filters


def test_nothing_has_no_sum(engine: Engine) -> None:
    none = [Filter("id", "<", 0)]
    asked = [Measure("count"), Measure("sum", "amount"), Measure("avg", "amount"), Measure("min", "day")]
    assert engine.measures(asked, none) == [0, None, None, None]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (Filter("nope", "=", 1), "E565"),
        (Filter("amount", "=", "abc"), "E572"),
        (Filter("amount", "=", None), "E572"),
        (Filter("amount", "in", 3), "E572"),
        (Filter("amount", "<", True), "E572"),
        (Filter("amount", "<", math.inf), "E572"),
        (Filter("day", "=", "yesterday"), "E572"),
        (Filter("ok", "=", "maybe"), "E572"),
    ],
)
def test_a_filter_that_means_nothing_is_told(engine: Engine, wrong: Filter, code: str) -> None:
    with pytest.raises(SourceError) as error:
        engine.count([wrong])
    assert error.value.code == code


def test_only_numbers_have_a_sum(engine: Engine) -> None:
    with pytest.raises(SourceError) as error:
        engine.measures([Measure("sum", "name")])
    assert error.value.code == "E572"


def test_rows_stream_in_batches(engine: Engine) -> None:
    batches = list(engine.stream(f"SELECT id FROM {engine.relation()} ORDER BY id", 2))
    assert sorted(int(row[0]) for batch in batches for row in batch) == [1, 2, 3, 4, 5]
    assert len(batches) > 1 or len(batches[0]) == 5
    assert engine.count() == 5


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM {table}",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM {table}",
        "INSERT INTO {table} VALUES (1)",
        "",
        "SET x = 1",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "SELECT 1 INTO OUTFILE '/tmp/out'",
    ],
)
def test_only_one_select_is_run(engine: Engine, sql: str) -> None:
    with pytest.raises(SourceError):
        engine.fetch(sql.replace("{table}", engine.relation()))
    assert engine.count() == 5


def test_a_failed_question_does_not_end_the_session(engine: Engine) -> None:
    with pytest.raises(SourceError):
        engine.fetch(f"SELECT nothing_like_it FROM {engine.relation()}")
    assert engine.count() == 5


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '<?php' WHERE 1=1--1 INTO OUTFILE '/tmp/out'",
        "SELECT 1 # ' \n INTO OUTFILE '/tmp/out' # '",
        "SELECT 1 AS $$, 2 INTO OUTFILE '/tmp/out' LINES TERMINATED BY '$$'",
    ],
)
def test_mysql_comments_hide_nothing(sql: str) -> None:
    """What other engines take for a comment or a string, MySQL runs."""
    with pytest.raises(SourceError) as refused:
        one_select(sql, mysql=True)
    assert refused.value.code == "E569"


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (SELECT 1) DELETE FROM orders",
        "WITH x AS (DELETE FROM orders RETURNING 1) SELECT * FROM x",
        "SELECT * INTO other FROM orders",
        "SELECT * FROM orders FOR UPDATE",
    ],
)
def test_a_select_that_writes_or_locks_is_none(sql: str) -> None:
    """Also on engines whose session is not read-only."""
    with pytest.raises(SourceError, match="writes or locks"):
        one_select(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT \"pg_read_file\" /* x */ ('/etc/passwd')",
        "SELECT E'\\'' || pg_read_binary_file('/etc/passwd') || E'\\''",
        "SELECT query_to_xml('SELECT ' || 'pg_read' || '_file(1)', true, true, '')",
        "SELECT LOAD_FILE('/etc/passwd')",
        "SELECT pg_sleep(3600)",
        "SELECT lo_export(1, '/tmp/out')",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT U&\"\\0070g_read_file\"('/etc/passwd')",
        "SELECT 1 /*!50000 INTO OUTFILE '/tmp/out' */",
        "SELECT 1 /*M! INTO OUTFILE '/tmp/out' */",
    ],
)
def test_a_written_query_only_asks_about_data(sql: str) -> None:
    """A login that may read files of its server is not used for that."""
    with pytest.raises(SourceError) as refused:
        harmless(sql)
    assert refused.value.code == "E569"


def test_a_text_among_numbers_is_in_no_range(tmp_path: Path) -> None:
    """SQLite keeps any text in a column of numbers, and takes it for greater than all of them."""
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE t (id INTEGER, price REAL, amount DECIMAL(9,2))")
        database.execute("INSERT INTO t VALUES (1, 1.5, 2.5), ('broken', 'broken', 'broken')")
    for column in ("id", "price", "amount"):
        for measure in (Measure("below", column, value=0), Measure("sum", column), Measure("min", column)):
            with open_engine(f"{path}::t") as engine, pytest.raises(SourceError) as told:
                engine.measures([measure])
            assert told.value.code == "E568"


@pytest.mark.skipif(not Postgres.dsn, reason="REMIT_TEST_POSTGRES names no server to test with")
def test_equality_does_not_ask_the_collation_of_a_column() -> None:
    """PostgreSQL has collations that ignore case; a rule about values does not."""
    import psycopg

    with psycopg.connect(Postgres.dsn, autocommit=True) as database:
        database.execute(
            "CREATE COLLATION IF NOT EXISTS any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
        database.execute("DROP TABLE IF EXISTS collated")
        database.execute("CREATE TABLE collated (v text COLLATE any_case, c char(4) COLLATE any_case)")
        database.execute("INSERT INTO collated VALUES ('paid', 'ab'), ('PAID', 'AB')")
        with open_engine(f"{Postgres.dsn}/collated") as engine:
            assert engine.measures([Measure("not_in", "v", values=["paid"])]) == [1]
            assert engine.measures([Measure("not_in", "c", values=["ab"])]) == [1]
            assert engine.count([Filter("v", "=", "paid")]) == 1
            assert engine.count([Filter("c", "=", "ab  ")]) == 1
            assert engine.count([Filter("c", "!=", "ab")]) == 1
        database.execute("DELETE FROM collated WHERE v = 'paid'")
        database.execute("INSERT INTO collated VALUES ('PAID', NULL)")
        database.execute("CREATE TABLE referring AS SELECT 'paid'::text COLLATE any_case AS v")
        key = [Wanted("v", Kind("string", name="text"), Kind("string"))]
        with (
            open_engine(f"{Postgres.dsn}/referring") as child,
            open_engine(f"{Postgres.dsn}/collated") as parent,
        ):
            assert orphans(child, key, parent, key).rows == 1
        database.execute("DROP TABLE referring")
        database.execute("DROP TABLE collated")
