"""The shop in each engine, three times: whole; with other rows of the other tenants; and with the rows of one tenant alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from remit.core.task import Actor
from remit.ports.agents import ToolContext
from remit.testing import FakeClock
from remit_packs.assistant.shop import NOTES, SMALL, load
from remit_packs.assistant.shop.rows import COLUMNS
from remit_packs.tools.sql import Database, Limits, role_script

ME = "acme"
CANARY = "CANARY"
OWNED = [table for table in COLUMNS if table != "categories"]
VISIBLE = {
    "categories": ["id", "name", "parent_id"],
    "customers": ["id", "name", "email", "city", "country", "segment", "joined_on"],
    "products": ["id", "category_id", "sku", "name", "price", "cost", "stock", "discontinued"],
    "orders": ["id", "customer_id", "ordered_at", "status", "channel", "shipping", "total"],
    "order_items": ["id", "order_id", "product_id", "quantity", "unit_price", "discount"],
    "payments": ["id", "order_id", "method", "amount", "status", "paid_at"],
    "shipments": ["id", "order_id", "carrier", "shipped_on", "delivered_on"],
    "reviews": ["id", "product_id", "customer_id", "rating", "body", "written_on"],
}
LIMITS = Limits(timeout_s=2.0)

DIALECTS = {"sqlite": "sqlite", "duckdb": "duckdb", "postgres": "postgres", "mariadb": "mysql"}
FILES = ("sqlite", "duckdb")
SERVERS = ("postgres", "mariadb")


def at(
    tenant: str = ME, actor: str = "ana", clock: FakeClock | None = None, secrets: Any = None
) -> ToolContext:
    """What the gateway hands to a tool."""
    return ToolContext(
        "run", "m0.0", tenant, Actor(actor), "analyst", "key", 1, clock or FakeClock(), secrets
    )


def shop(url: str, **more: Any) -> Database:
    """The shop as agents may ask it: rows of the tenant, no passwords, masked addresses."""
    given: dict[str, Any] = {
        "tables": list(COLUMNS),
        "tenant_column": "tenant_id",
        "shared": ["categories"],
        "hide": ["customers.password_hash"],
        "masks": {"customers.email": "substr(email, 1 + length(email) - length('@example.com'))"},
        "notes": NOTES,
        "limits": LIMITS,
    }
    return Database("shop", url, **{**given, **more})


class World:
    """One engine's three databases, and their owner."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.dialect = DIALECTS[kind]
        self.server = os.environ.get(f"REMIT_TEST_{kind.upper()}", "")
        self._made: list[str] = []
        self._owners: dict[str, Any] = {}
        self._fresh = ""
        if kind != "mariadb":  # the others copy a database whole
            self._fresh = self._made_with(_leave)
        self.whole, self.otherwise, self.alone = (
            self._made_with(c) for c in (_spoil, _spoil_otherwise, _only_mine)
        )

    def shop(self, which: str = "", **more: Any) -> Database:
        """The database for agents, asked by a login that only reads."""
        return shop(self.reader(which or self.whole), **more)

    def reader(self, where: str) -> str:
        """The URL that agents are given."""
        if self.kind in FILES:
            return f"{self.kind}:///{where}"
        parts = urlsplit(self.server)
        scheme = "postgresql" if self.kind == "postgres" else "mysql"
        return f"{scheme}://reader_{where}@{parts.hostname}:{parts.port}/{where}"

    def owner(self, where: str) -> str:
        """The URL of who may do anything."""
        return (
            f"{self.kind}:///{where}" if self.kind in FILES else self.server.rpartition("/")[0] + f"/{where}"
        )

    def unguarded(self, sql: str, where: str = "") -> list[tuple[Any, ...]]:
        """What the engine itself answers to the owner."""
        where = where or self.alone
        if where not in self._owners:
            self._owners[where] = connected(self.kind, self.owner(where))
        cursor = self._owners[where].cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]

    def execute(self, *statements: str, where: str = "") -> None:
        """Change a database as its owner."""
        with closing(connected(self.kind, self.owner(where or self.whole))) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def state(self) -> str:
        """A digest of everything that a query could have changed. Of a server that others use too: these databases, their readers, and who may do all."""
        if self.kind in FILES:
            files = sorted(p for p in self.folder.rglob("*") if p.is_file())
            return "\n".join(f"{p}:{hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files)
        counted = [self.unguarded(f"SELECT count(*) FROM {table}", self.whole) for table in COLUMNS]
        readers = ", ".join(f"'reader_{name}'" for name in self._made)
        if self.kind == "mariadb":
            schemas = ", ".join(f"'{name}'" for name in ("mysql", *self._made))
            names = self.unguarded(
                f"SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ({schemas})"
            )
            users = self.unguarded(
                f"SELECT * FROM mysql.user WHERE user IN ({readers}) OR super_priv = 'Y' ORDER BY user, host"
            )
            return repr((counted, sorted(names), users))
        relations = self.unguarded(
            "SELECT oid::text, relname, relkind FROM pg_class WHERE relpersistence <> 't'", self.whole
        )
        roles = self.unguarded(
            f"SELECT rolname, rolsuper FROM pg_roles WHERE rolname IN ({readers}) OR rolsuper", self.whole
        )
        large = self.unguarded("SELECT count(*) FROM pg_largeobject_metadata", self.whole)
        return repr((counted, sorted(relations), sorted(roles), large))

    def close(self) -> None:
        """Remove what was made on a server."""
        for connection in self._owners.values():
            connection.close()
        for name in self._made:
            self._drop(name)

    def _made_with(self, change: Callable[[Callable[..., Any], str], None]) -> str:
        name = f"a{uuid4().hex[:10]}"
        where = str(self.folder / f"{name}.db") if self.kind in FILES else name
        if self.kind in SERVERS:
            self._made.append(name)
            self._admin(f"CREATE DATABASE {name}{f' TEMPLATE {self._fresh}' if self._fresh else ''}")
        elif self._fresh:
            shutil.copy(self._fresh, where)
        if not self._fresh:
            load(self.owner(where), SMALL)
        with closing(connected(self.kind, self.owner(where))) as connection:
            change(lambda sql: connection.cursor().execute(sql), self.kind)
        if self.kind in SERVERS and change in (_spoil, _spoil_otherwise):
            schema = "public" if self.kind == "postgres" else name
            script = role_script(shop(""), f"reader_{name}", dialect=self.dialect, schema=schema)  # type: ignore[arg-type]
            self.execute(*script.strip().rstrip(";").split(";\n"), where=name)
        return where

    def _admin(self, statement: str) -> None:
        with closing(connected(self.kind, self.server)) as connection:
            connection.cursor().execute(statement)

    def _drop(self, name: str) -> None:
        self._admin(f"DROP DATABASE {name}{' WITH (FORCE)' if self.kind == 'postgres' else ''}")
        if name in (self.alone, self._fresh):
            return
        self._admin(f"DROP ROLE reader_{name}" if self.kind == "postgres" else f"DROP USER reader_{name}@'%'")


def _leave(execute: Callable[..., Any], kind: str) -> None:
    """As it was loaded."""


def _spoil(execute: Callable[..., Any], kind: str) -> None:
    """Mark everything that must never be seen."""
    _mark(execute, CANARY, 9_876_543)


def _spoil_otherwise(execute: Callable[..., Any], kind: str) -> None:
    """Other marks, and fewer rows: what may be seen must be exactly the same."""
    _mark(execute, f"{CANARY}-OTHER", 8_765_432)
    execute("DELETE FROM payments WHERE tenant_id = 'globex'")
    execute("DELETE FROM reviews WHERE tenant_id <> 'acme' AND rating > 2")


def _mark(execute: Callable[..., Any], canary: str, number: int) -> None:
    execute("CREATE TABLE vault (id INTEGER PRIMARY KEY, secret VARCHAR(60))")
    execute(f"INSERT INTO vault VALUES (1, '{canary}-VAULT')")
    execute(f"UPDATE customers SET password_hash = '{canary}-HASH'")
    execute(f"UPDATE customers SET name = '{canary}-NAME', city = '{canary}-CITY' WHERE tenant_id <> 'acme'")
    execute(f"UPDATE orders SET total = {number} WHERE tenant_id <> 'acme'")
    execute(f"UPDATE reviews SET body = '{canary}-BODY' WHERE tenant_id <> 'acme'")


def _only_mine(execute: Callable[..., Any], kind: str) -> None:
    """The rows and columns that the tenant may see, and nothing else."""
    where = f" WHERE tenant_id = '{ME}'"
    for table in reversed(COLUMNS):
        columns = ", ".join(
            f"substr(email, 1 + length(email) - {len('@example.com')}) AS email" if c == "email" else c
            for c in VISIBLE[table]
        )
        execute(f"CREATE TABLE mine AS SELECT {columns} FROM {table}{where if table in OWNED else ''}")
        execute(f"DROP TABLE {table}")
        execute(f"ALTER TABLE mine RENAME TO {table}")
        if kind == "postgres":
            execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")


def connected(kind: str, url: str) -> Any:
    """A plain connection of an engine's own driver."""
    path = url.partition(":///")[2]
    if kind == "sqlite":
        return sqlite3.connect(path, isolation_level=None)
    if kind == "duckdb":
        import duckdb

        return duckdb.connect(path)
    if kind == "postgres":
        import psycopg

        return psycopg.connect(url, autocommit=True)
    import pymysql

    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "", port=parts.port or 3306, user=parts.username, password=parts.password or "",
        database=parts.path.strip("/") or None, autocommit=True,
    )  # fmt: skip


@contextmanager
def world(kind: str, folder: Path) -> Iterator[World]:
    """The databases of one engine. Skips where there is no server, and fails in CI."""
    if kind in SERVERS and not os.environ.get(f"REMIT_TEST_{kind.upper()}"):
        assert os.environ.get("CI") != "true", f"REMIT_TEST_{kind.upper()} must be set in CI"
        pytest.skip(f"REMIT_TEST_{kind.upper()} names no server to test with")
    made = World(kind, folder)
    try:
        yield made
    finally:
        made.close()
