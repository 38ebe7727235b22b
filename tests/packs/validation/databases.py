"""A table in each engine that a test can spoil: files, SQLite, PostgreSQL, MariaDB."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ENGINES = ("sqlite", "postgres", "mariadb")


class Database:
    """One scratch database. `secrets` go to the app, `location` names them."""

    def __init__(self, kind: str, where: str, name: str) -> None:
        self.kind = kind
        self.where = where
        self.name = name
        self.secrets = {
            "reader": "reader-secret",
            "wrong": "wrong-secret",
            "owner": urlsplit(where).password or "",
        }

    def execute(self, *statements: str) -> None:
        """Run statements as the owner."""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.where)) as database, database:
                for statement in statements:
                    database.execute(statement)
            return
        with (
            closing(_connected(self.kind, self.where, self.name)) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def location(self, table: str, *, login: str = "", host: str = "") -> str:
        """The location of a table, as its owner or as `login`."""
        if self.kind == "sqlite":
            return f"{self.where}::{table}"
        parts = urlsplit(self.where)
        owner = f"{parts.username}:${{secret:owner}}" if parts.password else parts.username
        scheme = "postgresql" if self.kind == "postgres" else "mysql"
        return f"{scheme}://{login or owner}@{host or f'{parts.hostname}:{parts.port}'}/{self.name}/{table}"

    @property
    def source(self) -> str:
        """The engine's name in the registry."""
        return "mysql" if self.kind == "mariadb" else self.kind


def _connected(kind: str, where: str, name: str) -> Any:
    if kind == "postgres":
        import psycopg

        return psycopg.connect(where.rpartition("/")[0] + f"/{name}", autocommit=True)
    import pymysql

    parts = urlsplit(where)
    return pymysql.connect(
        host=parts.hostname, port=parts.port or 3306, user=parts.username, password=parts.password or "", database=name or None, autocommit=True
    )  # fmt: skip


@contextmanager
def scratch(kind: str, folder: Path, name: str) -> Iterator[Database]:
    """A database of this engine for one test. Skips where there is no server, and fails in CI."""
    if kind == "sqlite":
        yield Database(kind, str(folder / "scratch.db"), "")
        return
    variable = f"REMIT_TEST_{kind.upper()}"
    where = os.environ.get(variable, "")
    if not where:
        assert os.environ.get("CI") != "true", f"{variable} must be set in CI"
        pytest.skip(f"{variable} names no server to test with")
    admin = Database(kind, where, urlsplit(where).path.strip("/"))
    admin.execute(f"CREATE DATABASE {name}")
    try:
        yield Database(kind, where, name)
    finally:
        force = " WITH (FORCE)" if kind == "postgres" else ""
        admin.execute(f"DROP DATABASE {name}{force}")
