"""Places that hold a table: each writes the same rows in its own way, and says where they are.

A column is (type, values). Types: `integer`, `decimal(P,S)`, `boolean`, `string`, `date`, `timestamp`, `zoned`, `uuid`,
`binary`, `float`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

Columns = Mapping[str, tuple[str, Sequence[Any]]]


def rows_of(columns: Columns) -> list[tuple[Any, ...]]:
    """The rows of columns."""
    return list(zip(*(values for _, values in columns.values()), strict=True))


def quoted(name: str, mark: str = '"') -> str:
    """A name in SQL."""
    return mark + name.replace(mark, mark * 2) + mark


def declared(columns: Columns, types: Mapping[str, str], mark: str = '"') -> str:
    """Column definitions; `decimal(P,S)` is the same everywhere."""
    return ", ".join(f"{quoted(n, mark)} {types.get(t, t)}" for n, (t, _) in columns.items())


def batches(columns: Columns, mark: str) -> Iterator[tuple[list[Any], str]]:
    """The values of some rows after another, and the marks of an INSERT for them."""
    row = f"({', '.join([mark] * len(columns))})"
    rows = rows_of(columns)
    size = max(1, 5000 // max(1, len(columns)))
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        yield [value for each in some for value in each], ", ".join([row] * len(some))


class Store:
    """Where a test's tables are."""

    name = ""
    holds_nul = True
    names_columns_of_nothing = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[str] = []

    def write(self, columns: Columns) -> str:
        """A new table with these rows; its location."""
        raise NotImplementedError

    def new_name(self) -> str:
        """A name that nobody has."""
        self.made.append(f"t{uuid.uuid4().hex[:12]}")
        return self.made[-1]

    def close(self) -> None:
        """Drop what was made."""


_DUCKDB = {
    "integer": "BIGINT",
    "string": "VARCHAR",
    "zoned": "TIMESTAMPTZ",
    "binary": "BLOB",
    "float": "DOUBLE",
}


class DuckDbFile(Store):
    name = "duckdb"

    def write(self, columns: Columns) -> str:
        path, table = self.folder / "data.duckdb", self.new_name()
        with duckdb.connect(str(path)) as connection:
            self.fill(connection, table, columns)
        return f"{path}::{table}"

    def fill(self, connection: Any, table: str, columns: Columns) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE OR REPLACE TABLE {table} ({declared(columns, _DUCKDB)})")
        for rows, marks in batches(columns, "?"):
            connection.execute(f"INSERT INTO {table} VALUES {marks}", rows)


class Parquet(DuckDbFile):
    name = "parquet"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.connection = duckdb.connect(":memory:")

    def write(self, columns: Columns) -> str:
        path = self.folder / f"{self.new_name()}.parquet"
        self.fill(self.connection, "t", columns)
        self.connection.table("t").write_parquet(str(path))
        return str(path)

    def close(self) -> None:
        self.connection.close()


def as_text(value: Any) -> str:
    """A value as CSV holds it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


class Csv(Store):
    name = "csv"
    holds_nul = False

    def write(self, columns: Columns) -> str:
        path = self.folder / f"{self.new_name()}.csv"
        rows = [tuple(columns), *rows_of(columns)]
        lines = [",".join("" if v is None else quoted(as_text(v)) for v in row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
        return str(path)


class Json(Store):
    name = "json"
    names_columns_of_nothing = False

    def write(self, columns: Columns) -> str:
        path = self.folder / f"{self.new_name()}.jsonl"
        rows = [dict(zip(columns, row, strict=True)) for row in rows_of(columns)]
        with path.open("w", encoding="utf-8") as file:
            for row in rows:
                cells = (f"{json.dumps(name)}: {self._value(value)}" for name, value in row.items())
                file.write("{" + ", ".join(cells) + "}\n")
        return str(path)

    def _value(self, value: Any) -> str:
        if isinstance(value, Decimal):
            # a number of JSON holds 15 digits, and DuckDB gives tiny ones back with an exponent
            exact = len(value.as_tuple().digits) <= 15 and (not value or abs(value) >= Decimal("1e-5"))
            return f"{value:f}" if exact else json.dumps(f"{value:f}")
        return json.dumps(value if value is None or isinstance(value, bool | int | float) else as_text(value))


_SQLITE = {"integer": "BIGINT", "string": "TEXT", "zoned": "TIMESTAMP", "binary": "BLOB", "float": "DOUBLE"}


class Sqlite(Store):
    name = "sqlite"

    def write(self, columns: Columns) -> str:
        path, table = self.folder / "data.sqlite", self.new_name()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"CREATE TABLE {table} ({declared(columns, _SQLITE)})")
            rows = [tuple(self._stored(v) for v in row) for row in rows_of(columns)]
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
            connection.commit()
        return f"{path}::{table}"

    def _stored(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            # a REAL holds 15 digits; more are kept as text by an untyped column only
            return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
        if isinstance(value, bool):
            return int(value)
        return value if isinstance(value, int | float | str | bytes | None) else str(value)


_POSTGRES = {
    "integer": "bigint",
    "string": "text",
    "zoned": "timestamptz",
    "binary": "bytea",
    "float": "float8",
}


class Postgres(Store):
    name = "postgres"
    holds_nul = False
    dsn = os.environ.get("REMIT_TEST_POSTGRES", "")

    def write(self, columns: Columns) -> str:
        table = self.new_name()
        self.connection.execute(f"CREATE TABLE {table} ({declared(columns, _POSTGRES)})".encode())
        if rows := rows_of(columns):
            marks = ", ".join(["%s"] * len(columns))
            with self.connection.cursor() as cursor:
                cursor.executemany(f"INSERT INTO {table} VALUES ({marks})".encode(), rows)
        return f"{self.dsn}/{table}"

    @cached_property
    def connection(self) -> Any:
        """One that may write, far from UTC."""
        import psycopg

        connection = psycopg.connect(self.dsn, autocommit=True)
        connection.execute("SET TIME ZONE 'Pacific/Auckland'")
        return connection

    def close(self) -> None:
        if self.made:
            self.connection.execute(f"DROP TABLE IF EXISTS {', '.join(self.made)}".encode())
        self.connection.close()


_MYSQL = {
    "integer": "bigint",
    "string": "longtext",
    "boolean": "tinyint(1)",
    "timestamp": "datetime(6)",
    "zoned": "timestamp(6) NULL",
    "binary": "longblob",
    "float": "double",
}


class MariaDb(Store):
    name = "mariadb"
    dsn = os.environ.get("REMIT_TEST_MARIADB", "")

    def write(self, columns: Columns) -> str:
        table = self.new_name()
        with self.connection.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
            cursor.execute(
                f"CREATE TABLE {table} ({declared(columns, _MYSQL, '`')}) CHARACTER SET utf8mb4"
                " COLLATE utf8mb4_general_ci"
            )
            if rows := rows_of(columns):
                stored = [tuple(self._stored(v) for v in row) for row in rows]
                cursor.executemany(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(columns))})", stored)
        return f"{self.dsn}/{table}"

    @cached_property
    def connection(self) -> Any:
        """The one that writes."""
        return self.connect()

    def connect(self) -> Any:
        """A connection that may write."""
        import pymysql

        at = urlsplit(self.dsn)
        return pymysql.connect(
            host=at.hostname,
            port=at.port or 3306,
            user=at.username,
            password=at.password or "",
            database=at.path.strip("/"),
            charset="utf8mb4",
            autocommit=True,
        )

    def _stored(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None)
        return str(value) if isinstance(value, uuid.UUID) else value

    def close(self) -> None:
        if self.made:
            with self.connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE IF EXISTS {', '.join(self.made)}")
        self.connection.close()


class SqlAlchemyPostgres(Postgres):
    """The same server through SQLAlchemy."""

    name = "sqlalchemy-postgres"

    def write(self, columns: Columns) -> str:
        location, _, table = super().write(columns).rpartition("/")
        return f"{location.replace('postgresql://', 'postgresql+psycopg://')}#{table}"


class SqlAlchemyMariaDb(MariaDb):
    """The same server through SQLAlchemy."""

    name = "sqlalchemy-mariadb"

    def write(self, columns: Columns) -> str:
        location, _, table = super().write(columns).rpartition("/")
        return f"{location.replace('mysql://', 'mariadb+pymysql://')}#{table}"


class S3(Parquet):
    """Parquet in S3, in the emulator."""

    name = "s3"
    endpoint = os.environ.get("REMIT_TEST_MINISTACK", "")
    bucket = f"remit-validation-{uuid.uuid4().hex[:8]}"

    def write(self, columns: Columns) -> str:
        path = Path(super().write(columns))
        return self.put(path.name, path.read_bytes())

    def put(self, key: str, data: bytes) -> str:
        """Store an object; its location."""
        self.writer.put_object(Bucket=self.bucket, Key=key, Body=data)
        return f"s3://{self.bucket}/{key}?{self.options()}"

    def options(self) -> str:
        """What a location needs besides the key."""
        return f"endpoint={self.endpoint}&region=us-east-1&access_key=test&secret_key=test"

    @cached_property
    def writer(self) -> Any:
        """The client that writes, into a bucket that is there."""
        client = self.client()
        client.create_bucket(Bucket=self.bucket)
        return client

    def client(self) -> Any:
        """A client that may write."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


STORES: dict[str, type[Store]] = {
    store.name: store
    for store in (
        Parquet,
        Csv,
        Json,
        DuckDbFile,
        Sqlite,
        S3,
        Postgres,
        MariaDb,
        SqlAlchemyPostgres,
        SqlAlchemyMariaDb,
    )
}
_SERVERS = {
    "postgres": "REMIT_TEST_POSTGRES",
    "mariadb": "REMIT_TEST_MARIADB",
    "s3": "REMIT_TEST_MINISTACK",
}


def needs(name: str) -> str:
    """The environment variable that says where a store's server is; empty for a file."""
    return next((variable for part, variable in _SERVERS.items() if part in name), "")
