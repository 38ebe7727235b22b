"""The engine's own session holds where nobody guards the query: what would write, read a file or look elsewhere fails there too."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from world import SERVERS, World, at, connected, shop

from remit.core.extras import how_to_install
from remit.sdk import ConfigError, RemitError, ToolError
from remit_packs.tools.sql import Limits
from remit_packs.tools.sql.engines import open_engine

WRITES = (
    "DELETE FROM orders",
    "UPDATE customers SET name = 'x'",
    "INSERT INTO categories VALUES (99, 'x', NULL)",
    "DROP TABLE reviews",
    "CREATE TABLE mine (x INTEGER)",
    "CREATE TEMPORARY TABLE mine (x INTEGER)",
    "SELECT 1; DELETE FROM orders",
)
OWN = {
    "postgres": (
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "COPY orders TO '/tmp/out'",
        "SELECT secret FROM vault",
        "SELECT * FROM pg_authid",
        "SELECT pg_sleep(60)",
        "SET default_transaction_read_only = off; DELETE FROM orders",
    ),
    "sqlite": (
        "SELECT secret FROM vault",
        "SELECT password_hash FROM customers",
        "SELECT * FROM sqlite_master",
        "ATTACH '/tmp/x.db' AS x",
        "PRAGMA query_only = OFF",
        "SELECT randomblob(1000000000)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    ),
    "duckdb": (
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY orders TO '/tmp/out'",
        "ATTACH '/tmp/x.db'",
        "SET memory_limit = '10GB'",
        "SELECT count(*) FROM range(100000000000000)",
        "LOAD httpfs",
    ),
    "mysql": (
        "SELECT load_file('/etc/passwd')",
        "SELECT 'x' INTO OUTFILE '/tmp/out'",
        "SELECT secret FROM vault",
        "SELECT * FROM mysql.user",
        "SELECT count(*) FROM orders WHERE sleep(60) = 0",
    ),
}


def test_the_engine_alone_refuses_what_the_guard_would(here: World) -> None:
    """A query handed to the engine past the guard changes nothing, reads nothing but allowed tables and ends in time."""
    engine = open_engine("shop", here.reader(here.whole))
    reads = {"customers": {"id", "name"}, "orders": {"id"}, "reviews": {"id"}}
    before = here.state()
    for sql in (*WRITES, *OWN[here.dialect]):
        began = time.perf_counter()
        code, rows = "", []
        try:
            rows = list(engine.run(sql, Limits(timeout_s=0.5), reads).rows)
        except RemitError as error:
            code = error.code
        if code not in ("E904", "E905", "E906"):
            assert "sleep" in sql or rows == [(None,)], (
                sql,
                rows,
            )  # MySQL's answer 1 when interrupted, and NULL for no right
        assert time.perf_counter() - began < 6, sql
    assert here.state() == before
    assert not Path("/tmp/out").exists()


def test_an_owner_is_no_login_for_agents(here: World) -> None:
    """On a server the login must be one that cannot write: E907 says how to make it. A file is opened read-only."""
    if here.kind not in SERVERS:
        pytest.skip("a file has no logins")
    with pytest.raises(ToolError, match="no reader") as refused:
        shop(here.owner(here.whole)).query("SELECT 1 AS one", at())
    assert refused.value.code == "E907"
    assert "role_script" in refused.value.help


@pytest.mark.service
@pytest.mark.parametrize(
    "grant",
    [
        "GRANT INSERT ON orders TO {role}",
        "GRANT UPDATE (name) ON customers TO {role}",
        "GRANT TRUNCATE ON orders TO {role}",
        "GRANT CREATE ON SCHEMA public TO {role}",
        "GRANT CREATE ON DATABASE {database} TO {role}",
        "GRANT pg_read_server_files TO {role}",
        "GRANT pg_write_all_data TO {role}",
        "ALTER ROLE {role} SUPERUSER",
        "ALTER ROLE {role} CREATEROLE",
        "ALTER ROLE {role} BYPASSRLS",
        "ALTER TABLE orders OWNER TO {role}",
    ],
)
def test_a_role_with_any_more_right_is_refused(grant: str, postgres_role: tuple[str, str]) -> None:
    """One privilege beyond reading is enough."""
    owner, reader = postgres_role
    parts = urlsplit(reader)
    open_engine("shop", reader).inspect()
    with connected("postgres", owner) as connection:
        connection.execute(grant.format(role=parts.username, database=parts.path.strip("/")))
    with pytest.raises(ToolError) as refused:
        open_engine("shop", reader).inspect()
    assert refused.value.code == "E907"


@pytest.fixture
def postgres_role() -> object:
    """A database with two tables, and a role that reads them."""
    server = os.environ.get("REMIT_TEST_POSTGRES", "")
    if not server:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no server to test with")
    name = f"role{os.getpid()}"
    owner, parts = server.rpartition("/")[0] + f"/{name}", urlsplit(server)
    with connected("postgres", server) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        admin.execute(f"CREATE ROLE {name} LOGIN")
    with connected("postgres", owner) as connection:
        connection.execute("CREATE TABLE orders (id int); CREATE TABLE customers (name text)")
        connection.execute(f"GRANT SELECT ON orders, customers TO {name}")
    yield owner, f"postgresql://{name}@{parts.hostname}:{parts.port}/{name}"
    with connected("postgres", server) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"ALTER ROLE {name} NOSUPERUSER")
        admin.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all.db",
        "duckdb:////nowhere/at/all.db",
        "postgresql://nobody:hunter2@127.0.0.1:1/x",
        "mysql://nobody:hunter2@127.0.0.1:1/x",
    ],
)
def test_what_cannot_be_reached_says_neither_where_nor_how(url: str) -> None:
    """No path, host, user or password in an error that a model reads: E908, worth another try."""
    with pytest.raises(ToolError) as refused:
        shop(url).query("SELECT 1", at())
    assert (refused.value.code, refused.value.retryable) == ("E908", True)
    assert not any(part in str(refused.value) for part in ("nowhere", "nobody", "hunter2", "127.0.0.1"))


def test_a_result_is_cut_where_it_is_too_large(here: World) -> None:
    """Rows, characters of a value and bytes: each is said to be cut, and none is fetched whole."""
    few = here.shop(limits=Limits(max_rows=5, max_cell=20))
    result = few.query("SELECT id FROM orders ORDER BY id", at())
    assert (result.row_count, result.truncated) == (5, True)
    assert not few.query("SELECT id FROM orders ORDER BY id LIMIT 5", at()).truncated
    long = few.query("SELECT max('0123456789012345678901234567890123456789') AS x FROM orders", at())
    assert (long.rows[0]["x"], long.truncated) == ("01234567890123456789", True)
    small = here.shop(limits=Limits(max_bytes=300)).query("SELECT * FROM orders", at())
    assert small.truncated
    assert 0 < small.row_count < 5


@pytest.mark.parametrize(
    ("package", "url", "extra"),
    [
        ("sqlglot", "sqlite:///x.db", "text2sql"),
        ("psycopg", "postgresql://h/x", "postgres"),
        ("pymysql", "mysql://h/x", "mysql"),
        ("boto3", "athena://x", "aws"),
    ],
)
def test_a_missing_package_says_what_to_install(
    package: str, url: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E695, with the exact line."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    with pytest.raises(ConfigError) as refused:
        open_engine("shop", url)
    assert (refused.value.code, refused.value.help) == ("E695", how_to_install(extra))
