"""What keeps a source from being read has a code of its own, and no message holds a secret."""

from __future__ import annotations

import gzip
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from stores import S3, DuckDbFile, MariaDb, Postgres, Sqlite, Store

from remit.adapters.secrets.mapping import MappingSecrets
from remit.core.errors import ConfigError
from remit.sdk import Table
from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.base import Wanted
from remit_packs.validation.engines.errors import SourceError
from remit_packs.validation.sources import locate, open_engine

ONE: dict[str, tuple[str, list[Any]]] = {"id": ("integer", [1])}
PASSWORD = "hunter2-very-secret"


def described(location: str | Table, secrets: Any) -> int:
    """Open, describe and count."""
    with open_engine(location, secrets) as engine:
        engine.columns()
        return engine.count()


def code_of(location: str | Table, secrets: Any = None) -> str:
    with pytest.raises(SourceError) as error:
        described(location, secrets)
    assert PASSWORD not in str(error.value)
    assert "\n" not in error.value.message
    return error.value.code


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "source", "format"),
    [
        ("data/a.parquet", "file", "parquet"),
        ("a.csv.gz", "file", "csv"),
        ("a.tsv", "file", "tsv"),
        ("a.ndjson", "file", "json"),
        ("s3://b/k/x.csv", "s3", "csv"),
        ("s3://b/k/", "s3", "parquet"),
        ("shop.db::orders", "sqlite", "table"),
        ("shop.duckdb::main.orders", "duckdb", "table"),
        ("sqlite:///shop.db/orders", "sqlite", "table"),
        ("duckdb:////abs/shop.duckdb/orders", "duckdb", "table"),
        ("postgres://u@h/db/t", "postgres", "table"),
        ("postgresql://u:${secret:PG}@h:5433/db/s.t", "postgres", "table"),
        ("mariadb://u@h/db/t", "mysql", "table"),
        ("athena://db/t?region=eu-west-1", "athena", "table"),
        ("snowflake://u:${secret:SF}@account/db/schema#t", "snowflake", "table"),
        ("redshift+psycopg2://u@h/db#t", "redshift", "table"),
    ],
)
def test_locations(text: str, source: str, format: str) -> None:
    found = locate(text)
    assert (found.source, found.format, found.location) == (source, format, text)


@pytest.mark.parametrize(
    "text", ["", "  ", "https://x/a.csv", "a.txt::t", "a.db::", "postgres://u@h/db", "athena://db", "s3://"]
)
def test_what_is_no_location(text: str) -> None:
    assert code_of(text) == "E560"


def test_two_spellings_of_a_database_file(tmp_path: Path) -> None:
    for store in (Sqlite(tmp_path), DuckDbFile(tmp_path)):
        path, _, table = store.write(ONE).rpartition("::")
        for location in (f"{path}::{table}", f"{store.name}:///{path}/{table}", f"{store.name}:///{path.strip('/')}/{table}"):  # fmt: skip
            if location.startswith(f"{store.name}:////") or "::" in location:
                with open_engine(location) as engine:
                    assert engine.count() == 1


def test_missing_files_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sqlite = Sqlite(tmp_path).write(ONE).rpartition("::")[0]
    duck = DuckDbFile(tmp_path).write(ONE).rpartition("::")[0]
    for location in ("a.csv", "*.parquet", "no.db::t", "no.duckdb::t", f"{sqlite}::none", f"{duck}::none"):
        assert code_of(location) == "E564", location


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 is what this is not")
    (tmp_path / "a.csv").write_bytes("a,b\né,1\n".encode("latin-1"))
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "a.db").write_bytes(b"no database at all, only some text" * 100)
    (tmp_path / "a.duckdb").write_bytes(b"no database at all, only some text" * 1000)
    (tmp_path / "a.json").write_text('{"a": ')
    for location in ("a.parquet", "a.csv", "empty.csv", "a.json", "a.db::t", "a.duckdb::t"):
        assert code_of(str(tmp_path / location)) == "E567", location


def test_custom_sql_reaches_no_other_file(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    (tmp_path / "a.csv").write_text("id\n1\n")
    table = DuckDbFile(tmp_path).write(ONE)
    for location in (str(tmp_path / "a.csv"), table):
        with open_engine(location) as engine:
            for sql in (f"SELECT * FROM read_csv('{other}')", "SELECT * FROM read_text('/etc/hostname')"):
                with pytest.raises(SourceError) as error:
                    engine.fetch(sql)
                assert error.value.code == "E566"
    with open_engine(str(tmp_path / "a.csv"), beside=[str(other)]) as engine:
        assert engine.fetch(f"SELECT count(*) FROM read_csv('{other}')") == [(1,)]


@pytest.mark.parametrize(
    ("declared", "value", "common"),
    [
        ("DECIMAL(9,2)", 1.005, Kind("number", 2)),
        ("INTEGER", "abc", Kind("number")),
        ("BOOLEAN", 2, Kind("boolean")),
        ("DATE", "2026-02-30", Kind("date")),
        ("DATE", 20260101, Kind("date")),
        ("TIMESTAMP", "noon", Kind("timestamp", 6)),
        ("TEXT", b"\xff\xfe", Kind("string")),
        ("UUID", "x", Kind("uuid")),
        ("DOUBLE", float("inf"), Kind("number", 2)),
    ],
)
def test_sqlite_checks_what_a_column_really_holds(
    tmp_path: Path, declared: str, value: Any, common: Kind
) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute(f"CREATE TABLE t (v {declared})")
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        connection.commit()
    with open_engine(f"{tmp_path}/a.db::t") as engine, pytest.raises(SourceError) as error:
        engine.digests([Wanted("v", engine.columns()[0].kind, common)], "md5")
    assert error.value.code == "E568"


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(ConfigError, match="secret `pg` is not set"):
        open_engine("postgres://u:${secret:pg}@h/db/t", MappingSecrets({}))


def test_a_missing_driver_comes_with_the_command_that_installs_it() -> None:
    with pytest.raises(SourceError) as error:
        open_engine("snowflake://u:x@account/db/schema#t")
    assert (error.value.code, error.value.help) == ("E561", "run `pip install snowflake-sqlalchemy`")


@pytest.fixture(params=[Postgres, MariaDb])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A database server."""
    variable = {"postgres": "REMIT_TEST_POSTGRES", "mariadb": "REMIT_TEST_MARIADB"}[request.param.name]
    if not os.environ.get(variable):
        assert os.environ.get("CI") != "true", f"{variable} must be set in CI"
        pytest.skip(f"{variable} names no server to test with")
    made = request.param(tmp_path)
    yield made
    made.close()


def as_user(location: str, user: str) -> str:
    """The location with another login, its password a placeholder."""
    at = urlsplit(location)
    return f"{at.scheme}://{user}:${{secret:pw}}@{at.hostname}:{at.port}{at.path}"


def execute(server: Store, *statements: str) -> None:
    """Run statements as the administrator."""
    if isinstance(server, Postgres):
        import psycopg

        with psycopg.connect(server.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
    elif isinstance(server, MariaDb):
        with closing(server.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


SECRETS = MappingSecrets({"pw": PASSWORD})


@pytest.mark.service
def test_servers_that_do_not_answer_or_refuse(server: Any, closed_port: int) -> None:
    location = server.write(ONE)
    at = urlsplit(location)
    where = location.rpartition("/")[0]
    assert code_of(f"{at.scheme}://u:${{secret:pw}}@127.0.0.1:{closed_port}{at.path}", SECRETS) == "E562"
    assert code_of(f"{where}/no_such_table") == "E564"
    assert code_of(f"{where.rpartition('/')[0]}/no_such_database/t") in ("E564", "E566")
    assert code_of(as_user(location, "nobody_at_all"), SECRETS) == "E563"


@pytest.mark.service
def test_rights_that_are_missing_or_taken_away(server: Any) -> None:
    location = server.write(ONE)
    table = location.rpartition("/")[2]
    who = "remit_reader" if isinstance(server, Postgres) else "remit_reader@'127.0.0.1'"
    password = f"{'PASSWORD' if isinstance(server, Postgres) else 'IDENTIFIED BY'} '{PASSWORD}'"
    execute(server, f"CREATE USER {who} {password}")
    try:
        if isinstance(server, MariaDb):
            execute(server, f"CREATE TABLE {table}b (x int)", f"GRANT SELECT ON remit.{table}b TO {who}")
        assert code_of(as_user(location, "remit_reader"), SECRETS) == "E566"
        execute(server, f"GRANT SELECT ON {table} TO {who}")
        with open_engine(as_user(location, "remit_reader"), SECRETS) as engine:
            assert engine.count() == 1
            execute(server, f"REVOKE SELECT ON {table} FROM {who}")
            if isinstance(server, Postgres):  # MariaDB asks again at the next connection or statement
                with pytest.raises(SourceError) as error:
                    engine.count()
                assert error.value.code == "E566"
        assert code_of(as_user(location, "remit_reader"), SECRETS) == "E566"
    finally:
        execute(server, f"DROP TABLE IF EXISTS {table}b", f"DROP TABLE {table}", f"DROP USER {who}")


@pytest.mark.service
def test_a_session_only_reads_and_sees_one_moment(server: Any) -> None:
    location = server.write(ONE)
    table = location.rpartition("/")[2]
    with open_engine(location) as engine:
        assert engine.count() == 1
        execute(server, f"INSERT INTO {table} VALUES (2)")
        assert engine.count() == 1
        if isinstance(server, Postgres):
            with pytest.raises(SourceError):
                engine.fetch(f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT * FROM gone")
            assert engine.count() == 1
    with open_engine(location) as engine:
        assert engine.count() == 2


@pytest.mark.service
def test_a_statement_has_a_time_limit(server: Any) -> None:
    location = server.write({"id": ("integer", list(range(50)))})
    sleep = "pg_sleep(5)" if isinstance(server, Postgres) else "sleep(5)"
    with open_engine(f"{location}?statement_timeout_s=1") as engine, pytest.raises(SourceError) as error:
        engine.fetch(f"SELECT {sleep}, count(*) FROM {engine.relation()}")
    assert error.value.code == "E571"


@pytest.mark.service
def test_dates_that_are_none_are_errors(server: Any) -> None:
    location = server.write({"d": ("date", [None])})
    table = location.rpartition("/")[2]
    if isinstance(server, Postgres):
        values = ["'infinity'", "'0044-03-15 BC'", "'12000-01-01'"]
    else:
        values = ["'0000-00-00'", "'2026-02-00'"]
    for value in values:
        execute(
            server,
            f"DELETE FROM {table}",
            *(["SET @@global.sql_mode = ''"] if isinstance(server, MariaDb) else []),
            f"INSERT INTO {table} VALUES ({value})",
        )
        with open_engine(location) as engine, pytest.raises(SourceError) as error:
            engine.digests([Wanted("d", Kind("date"), Kind("date"))], "md5")
        assert error.value.code == "E568", value


@pytest.mark.service
def test_numbers_without_a_scale_are_measured(tmp_path: Path) -> None:
    if not os.environ.get("REMIT_TEST_POSTGRES"):
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no server to test with")
    store = Postgres(tmp_path)
    location = store.write({"v": ("numeric", ["1.5", "2.125", None]), "a": ("integer[]", [[1], None, []])})
    with open_engine(location) as engine:
        number, array = engine.columns()
    store.close()
    assert number.kind == Kind("number", 3, name="numeric")
    assert array.kind.family == "other"


@pytest.mark.service
class TestS3:
    """Objects in S3."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> S3:
        if not S3.endpoint:
            assert os.environ.get("CI") != "true", "REMIT_TEST_MINISTACK must be set in CI"
            pytest.skip("REMIT_TEST_MINISTACK names no emulator to test with")
        return S3(tmp_path)

    def test_what_is_missing(self, store: S3, closed_port: int) -> None:
        store.write(ONE)
        assert code_of(f"s3://{store.bucket}/none.parquet?{store.options()}") == "E564"
        assert code_of(f"s3://{store.bucket}/none/*.csv?{store.options()}") == "E564"
        assert code_of(f"s3://remit-no-such-bucket/a.parquet?{store.options()}") == "E564"
        dead = (
            f"endpoint=http://127.0.0.1:{closed_port}&region=us-east-1&access_key=a&secret_key=${{secret:pw}}"
        )
        for key in ("a", "404", "403"):  # a name is no answer of the server
            assert code_of(f"s3://{store.bucket}/{key}.parquet?{dead}", SECRETS) == "E562"

    def test_folders_and_patterns(self, store: S3) -> None:
        for day in (1, 2):
            store.put(f"days/day=2026-01-0{day}/a.csv", f"id,x\n{day},é\n".encode())
        with open_engine(f"s3://{store.bucket}/days/**/*.csv?{store.options()}") as engine:
            assert engine.count() == 2
            assert [c.name for c in engine.columns()] == ["id", "x", "day"]

    def test_a_folder_is_read_whole_or_not_at_all(self, store: S3) -> None:
        store.put("mixed/a.csv", b"id\n1\n")
        folder = Table("t", "s3", f"s3://{store.bucket}/mixed/?{store.options()}", "csv")
        with open_engine(folder) as engine:
            assert engine.count() == 1
        store.put("mixed/b.csv.gz", gzip.compress(b"id\n2\n"))
        assert code_of(folder) == "E560"
        assert code_of(Table("t", "s3", folder.location, "parquet")) == "E564"

    def test_many_threads_read_one_object(self, store: S3) -> None:
        location = store.write({f"c{i}": ("integer", list(range(2000))) for i in range(8)})
        found: list[int] = []

        def count() -> None:
            with open_engine(location) as engine:
                found.append(engine.fetch(f"SELECT sum(c0 + c7) FROM {engine.relation()}")[0][0])

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [2 * sum(range(2000))] * 4


@pytest.mark.parametrize(
    "login", [f"ana:x@{PASSWORD}", f"ana:x/{PASSWORD}", f"ana:${{secret:shop}}{PASSWORD}"]
)
def test_no_part_of_a_password_is_told(login: str) -> None:
    """Not of one with characters that end a login either."""
    with pytest.raises(SourceError) as error, open_engine(f"postgresql://{login}@127.0.0.1:1/shop/orders"):
        pass
    assert PASSWORD not in f"{error.value.message} {error.value.help}"
