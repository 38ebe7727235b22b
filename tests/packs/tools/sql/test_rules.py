"""Rules of rows and columns, by generated queries; and what happens when they cannot hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World, at

from remit.sdk import ConfigError, RemitError, ToolError
from remit_packs.tools.sql import Database, Limits

_NUMBERS = ("id", "customer_id", "total", "n", "rating", "product_id")
_COLUMNS = {
    "customers": ("id", "name", "country"),
    "orders": ("id", "customer_id", "total", "status"),
    "reviews": ("id", "customer_id", "product_id", "rating"),
}


@st.composite
def relations(draw: st.DrawFn, depth: int = 2) -> tuple[str, tuple[str, ...]]:
    """Something that can stand after FROM, and the names of its columns."""
    if depth == 0 or draw(st.booleans()):
        table = draw(st.sampled_from(sorted(_COLUMNS)))
        return table, _COLUMNS[table]
    inner, columns = draw(queries(depth - 1))
    return f"({inner})", columns


@st.composite
def conditions(draw: st.DrawFn, alias: str, columns: tuple[str, ...], depth: int) -> str:
    """A condition, now and then one that looks elsewhere."""
    column = draw(st.sampled_from(columns))
    kind = draw(st.sampled_from(["plain", "or", "in", "exists", "fails", "true"]))
    if kind == "in" and depth:
        query, given_columns = draw(queries(depth - 1))
        return f"{alias}.{column} IN (SELECT {draw(st.sampled_from(given_columns))} FROM ({query}) AS i)"
    if kind == "exists" and depth:
        relation, inner = draw(relations(depth - 1))
        return f"{draw(st.sampled_from(['', 'NOT ']))}EXISTS (SELECT 1 FROM {relation} AS e WHERE e.{draw(st.sampled_from(inner))} = {alias}.{column})"
    if kind == "fails":
        return f"abs(length({alias}.{column})) > {draw(st.integers(0, 5))}"
    if kind == "true":
        return "1 = 1"
    simple = f"{alias}.{column} {draw(st.sampled_from(['<', '>', '<>', '=']))} {draw(st.sampled_from(['3', '200', repr('DE'), repr('paid')]))}"
    return simple if kind != "or" else f"({simple} OR 1 = 1)"


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> tuple[str, tuple[str, ...]]:
    """A query, and the names of its columns: joins, groups, windows, unions, WITH, one within the other."""
    first, columns = draw(relations(depth))
    if draw(st.booleans()):
        second, others = draw(relations(depth))
        how = draw(st.sampled_from(["JOIN", "LEFT JOIN", "FULL JOIN", "CROSS JOIN"]))
        on = (
            ""
            if how == "CROSS JOIN"
            else f" ON a.{draw(st.sampled_from(columns))} = b.{draw(st.sampled_from(others))}"
        )
        source = f"{first} AS a {how} {second} AS b{on}"
    else:
        source = f"{first} AS a"
    where = f" WHERE {draw(conditions('a', columns, depth))}" if draw(st.booleans()) else ""
    shape = draw(st.sampled_from(["plain", "group", "union", "with", "window"]))
    chosen = draw(st.sampled_from(columns))
    if shape == "group":
        return f"SELECT a.{chosen} AS {chosen}, count(*) AS n FROM {source}{where} GROUP BY a.{chosen}", (
            chosen,
            "n",
        )
    plain = f"SELECT {', '.join(f'a.{c} AS {c}' for c in columns)} FROM {source}{where}"
    if shape == "union":
        word = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
        return f"SELECT a.{chosen} AS {chosen} FROM {source}{where} {word} SELECT id FROM orders", (chosen,)
    if shape == "with":
        return f"WITH w AS ({plain}) SELECT * FROM w", columns
    if shape == "window":
        return (
            f"SELECT a.{chosen} AS {chosen}, row_number() OVER (ORDER BY a.{chosen}) AS n FROM {source}{where}",
            (chosen, "n"),
        )
    return plain, columns


@pytest.fixture(scope="module")
def pair(
    sqlite: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Database, sqlite3.Connection]]:
    """The whole database through the guard, and the tenant's rows alone without it."""
    with closing(sqlite3.connect(sqlite.alone)) as alone:
        yield sqlite.shop(limits=Limits(max_rows=5_000, max_bytes=50_000_000, timeout_s=20)), alone


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(query=queries())
def test_any_query_sees_exactly_the_tenants_rows(
    query: tuple[str, tuple[str, ...]], pair: tuple[Database, sqlite3.Connection]
) -> None:
    """Whatever is joined, nested or united: the answer is that of a database which holds nothing of anybody else."""
    shop, alone = pair
    sql, _ = query
    try:
        result = shop.query(sql, at())
    except RemitError as error:
        refused = error.code
    else:
        refused = "E905" if result.truncated else ""
    if refused:
        assert refused in ("E901", "E904", "E905"), sql  # too many relations or too much work; never a name
        return
    answered = sorted(repr([row[c.name] for c in result.columns]) for row in result.rows)
    assert answered == sorted(repr(list(row)) for row in alone.execute(sql).fetchall())


@pytest.mark.parametrize(
    "tenant", ["nobody", "", "ACME", "acme ", " acme", "acme' OR '1'='1", "acme\\", "%", "ａcme"]
)
def test_a_tenant_is_nobody_else(here: World, tenant: str) -> None:
    """No spelling of a tenant's id is another tenant, in no engine's idea of equal texts."""
    result = here.shop().query("SELECT count(*) AS n FROM customers", at(tenant))
    assert result.rows == [{"#": "r1", "n": 0}]


def test_tenants_differ(here: World) -> None:
    """Each sees its own rows, and what is shared."""
    shop = here.shop()
    counts = [
        shop.query("SELECT count(*) AS n FROM orders", at(t)).rows[0]["n"]
        for t in ("local", "acme", "globex")
    ]
    assert sum(map(int, map(str, counts))) == 400
    assert len(set(counts)) >= 2
    assert {
        shop.query("SELECT count(*) AS n FROM categories", at(t)).rows[0]["n"] for t in ("local", "nobody")
    } == {10}


def test_conditions_name_who_asks(here: World) -> None:
    """`:tenant` and `:actor` in a rule are texts of whoever asks, whatever they hold."""
    rule = {
        "orders": "customer_id IN (SELECT id FROM customers WHERE tenant_id = :tenant AND name <> :actor) AND status <> 'cancelled'"
    }
    shop = here.shop(tables=["orders"], tenant_column="", shared=[], rows=rule, hide=[], masks={})
    mine = here.unguarded("SELECT count(*) FROM orders WHERE status <> 'cancelled'")[0][0]
    assert shop.query("SELECT count(*) AS n FROM orders", at(actor="x' OR '1'='1")).rows[0]["n"] == mine


def test_a_mask_stands_wherever_the_column_is_named(here: World) -> None:
    """In conditions, too: nothing can be found out about what is behind it."""
    shop = here.shop()
    assert shop.query("SELECT DISTINCT email FROM customers", at()).rows == [
        {"#": "r1", "email": "@example.com"}
    ]
    assert shop.query("SELECT id FROM customers WHERE email LIKE '%a%1%'", at()).rows == []


def test_a_tenant_whose_column_is_a_number(tmp_path: Path) -> None:
    """An id that is no number has no rows, and is no zero."""
    with closing(sqlite3.connect(tmp_path / "n.db")) as connection, connection:
        connection.executescript(
            "CREATE TABLE t (tenant INTEGER, x INTEGER); INSERT INTO t VALUES (0, 1), (7, 2);"
        )
    shop = Database("n", f"sqlite:///{tmp_path / 'n.db'}", tables="*", tenant_column="tenant")
    assert shop.query("SELECT x FROM t", at("7")).rows == [{"#": "r1", "x": 2}]
    for tenant in ("acme", "7x", "", "7.0", "٧"):
        with pytest.raises(ToolError) as refused:
            shop.query("SELECT x FROM t", at(tenant))
        assert refused.value.code == "E909"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"shared": []}, "of no tenant"),
        ({"tables": ["vault"]}, "of no tenant"),
        ({"tables": ["nothing"]}, "no table `nothing`"),
        ({"tables": []}, "no table may be asked"),
        ({"tables": {"orders": ["nothing"]}}, "`orders.nothing`"),
        ({"hide": ["customers.nothing"]}, "`customers.nothing`"),
        ({"masks": {"nothing.x": "1"}}, "`nothing`"),
        ({"rows": {"nothing": "1 = 1"}}, "`nothing`"),
        ({"rows": {"orders": "status = = 1"}}, "no expression"),
        ({"rows": {"orders": "status = :role"}}, "no condition"),
        ({"masks": {"customers.email": "SELECT 1"}}, "no condition"),
    ],
)
def test_a_rule_that_fits_nothing_stops_everything(sqlite: World, more: dict[str, object], why: str) -> None:
    """Better no answer than one without the rule: E907."""
    with pytest.raises(ToolError, match=why) as refused:
        sqlite.shop(**more).query("SELECT 1", at())
    assert refused.value.code == "E907"


def test_all_tables_are_those_whose_rows_are_known(sqlite: World) -> None:
    """`*` leaves out what is of no tenant, and no column but the tenant's."""
    shop = sqlite.shop(tables="*", shared=[], masks={})
    assert "vault" not in {t.name for t in shop.describe(at()).tables}
    assert "categories" not in {t.name for t in shop.describe(at()).tables}
    columns = {c.name for t in shop.describe(at(), ["customers"]).tables for c in t.columns}
    assert columns == {"id", "name", "email", "city", "country", "segment", "joined_on"}


@pytest.mark.parametrize(
    ("name", "url"), [("", "sqlite:///x"), ("a b", "sqlite:///x"), ("a", "oracle://x"), ("a", "x://[")]
)
def test_what_is_no_database_is_refused(name: str, url: str) -> None:
    """A bad name at once, a bad URL when it is opened: E907, and the URL is not told."""
    with pytest.raises(ConfigError) as refused:
        Database(name, url, tables="*").query("SELECT 1", at())
    assert refused.value.code == "E907"
    assert "oracle" not in str(refused.value)
