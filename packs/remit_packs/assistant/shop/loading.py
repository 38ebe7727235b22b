"""Into an engine: SQLite, PostgreSQL, DuckDB or MySQL, with the same rows in each."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from remit.sdk import ConfigError
from remit_packs.assistant.shop.meaning import NOTES
from remit_packs.assistant.shop.rows import FULL, Row, Size, tables

_SCHEMA = Path(__file__).with_name("schema.sql")
_AT_ONCE = 400


def load(url: str, size: Size = FULL) -> None:
    """Make the e-commerce tables in an empty database: `postgresql://`, `mysql://`, `sqlite:///` or `duckdb:///`, as an owner.

    Raises ConfigError E907 for another URL; what the engine says where the tables are there already.
    """
    scheme = url.partition("://")[0]
    connect = {
        "sqlite": _sqlite,
        "duckdb": _duckdb,
        "postgresql": _postgres,
        "postgres": _postgres,
        "mysql": _mysql,
    }.get(scheme)
    if connect is None:
        raise ConfigError(
            f"`{scheme}` is no engine for the shop",
            code="E907",
            help="use postgresql, mysql, sqlite or duckdb",
        )
    with closing(connect(url)) as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        money = "DOUBLE PRECISION" if scheme == "sqlite" else "DECIMAL(12, 2)"
        for statement in _SCHEMA.read_text().replace("MONEY_TYPE", money).split(";"):
            if statement.strip():
                cursor.execute(statement)
        for name, rows in tables(size).items():
            _insert(
                cursor, name, rows, "?" if scheme in ("sqlite", "duckdb") else "%s", texts=scheme == "sqlite"
            )
        if scheme in ("postgresql", "postgres", "duckdb"):
            for what, note in NOTES.items():
                kind = "COLUMN" if "." in what else "TABLE"
                cursor.execute(f"COMMENT ON {kind} {what} IS '{note}'")
        cursor.execute("COMMIT")


def make(path: Path, size: Size = FULL) -> None:
    """Make the shop as a SQLite file, unless it is there. Two that make it at once end with one whole file."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    unfinished.unlink(missing_ok=True)
    load(f"sqlite:///{unfinished}", size)
    unfinished.replace(path)


def _insert(cursor: Any, table: str, rows: list[Row], mark: str, *, texts: bool) -> None:
    at_once = (
        1 if table == "categories" else _AT_ONCE
    )  # DuckDB looks for a parent among the rows before the statement
    for start in range(0, len(rows), at_once):
        some = rows[start : start + at_once]
        one = f"({', '.join([mark] * len(some[0]))})"
        values = [_text(v) if texts else v for row in some for v in row]
        cursor.execute(f"INSERT INTO {table} VALUES {', '.join([one] * len(some))}", values)


def _text(value: object) -> object:
    """SQLite has no times: it keeps texts that sort and that its functions read."""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else value


def _sqlite(url: str) -> Any:
    return sqlite3.connect(unquote(urlsplit(url).path.removeprefix("/")), isolation_level=None)


def _duckdb(url: str) -> Any:
    import duckdb

    return duckdb.connect(unquote(urlsplit(url).path.removeprefix("/")))


def _postgres(url: str) -> Any:
    import psycopg

    return psycopg.connect(url, autocommit=True)


def _mysql(url: str) -> Any:
    import pymysql

    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1", port=parts.port or 3306, user=unquote(parts.username or ""),
        password=unquote(parts.password or ""), database=parts.path.strip("/"), autocommit=True,
    )  # fmt: skip
