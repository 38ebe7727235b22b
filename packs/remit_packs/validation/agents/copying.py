"""Copying rows of a database table into one beside it: the only writing that this pack does in a database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from remit.sdk import Table, ToolContext, ToolError
from remit_packs.validation.engines.address import table_of
from remit_packs.validation.engines.errors import hidden
from remit_packs.validation.sources import SecretNames, address, database_file, open_engine

SUFFIX = "__quarantine"


async def copy_partition(table: Table, partition: str, context: ToolContext) -> dict[str, Any]:
    """Copy the rows whose partition key is `partition`, in one transaction; what was there of it before is replaced.

    Raises ToolError E601 when there is no such row, or the engine has no way to do it; nothing was changed then.
    """
    copy = _COPIES.get(table.source)
    if copy is None:
        raise ToolError(
            f"partitions of `{table.source}` tables cannot be quarantined",
            code="E601",
            help="files, SQLite, PostgreSQL and MySQL can",
        )
    with open_engine(table, context.secrets) as engine:
        if table.partition_key not in [column.name for column in engine.columns()]:
            raise ToolError(f"`{table.table_id}` has no column `{table.partition_key}`", code="E601")
        key = engine.dialect.quote(table.partition_key)
        quote = engine.dialect.quote
    name, rows = await asyncio.to_thread(copy, table, key, quote, partition, context.secrets)
    if not rows:
        raise ToolError(
            f"`{table.table_id}` has no row whose `{table.partition_key}` is `{partition}`", code="E601"
        )
    return {"copied_to": name, "rows": rows}


Quote = Callable[[str], str]
Copy = Callable[[Table, str, Quote, str, SecretNames], tuple[str, int]]


def _sqlite(table: Table, key: str, quote: Quote, partition: str, secrets: SecretNames) -> tuple[str, int]:
    path, _, name = database_file(table)
    source, target = quote(name), quote(name + SUFFIX)
    where = f"CAST({key} AS TEXT) = ?"
    uri = f"{Path(path).expanduser().resolve().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"CREATE TABLE IF NOT EXISTS {target} AS SELECT * FROM {source} WHERE 1 = 0")
            database.execute(f"DELETE FROM {target} WHERE {where}", (partition,))
            done = database.execute(
                f"INSERT INTO {target} SELECT * FROM {source} WHERE {where}", (partition,)
            )
            database.execute("COMMIT" if done.rowcount else "ROLLBACK")
            return name + SUFFIX, done.rowcount
    except sqlite3.Error as error:
        raise _refused(table, error, []) from error


def _postgres(table: Table, key: str, quote: Quote, partition: str, secrets: SecretNames) -> tuple[str, int]:
    import psycopg

    where = address(table.location, secrets)
    database, schema, name = table_of(where)
    lead = f"{quote(schema)}." if schema else ""
    source, target = lead + quote(name), lead + quote(name + SUFFIX)
    given = {
        "host": where.host,
        "port": where.port,
        "user": where.user,
        "password": where.password,
        "dbname": database,
    }
    condition = f"{_escaped(key)}::text = %s"
    try:
        with psycopg.connect(**{k: v for k, v in given.items() if v}, connect_timeout=15) as connection:  # type: ignore[arg-type]
            connection.execute(f"CREATE TABLE IF NOT EXISTS {target} (LIKE {source})".encode())
            connection.execute(f"DELETE FROM {_escaped(target)} WHERE {condition}".encode(), (partition,))
            copied = connection.execute(
                f"INSERT INTO {_escaped(target)} SELECT * FROM {_escaped(source)} WHERE {condition}".encode(),
                (partition,),
            ).rowcount
            if not copied:
                connection.rollback()
            return name + SUFFIX, copied
    except psycopg.Error as error:
        raise _refused(table, error, where.secrets) from None


def _mysql(table: Table, key: str, quote: Quote, partition: str, secrets: SecretNames) -> tuple[str, int]:
    import pymysql

    where = address(table.location, secrets)
    database, schema, name = table_of(where)
    lead = quote(schema or database)
    source, target = (f"{lead}.{quote(n)}" for n in (name, name + SUFFIX))
    condition = f"CAST({_escaped(key)} AS CHAR) = %(partition)s"
    values = {"partition": partition}
    try:
        opened = pymysql.connect(
            host=where.host or "127.0.0.1",
            port=where.port or 3306,
            user=where.user or None,
            password=where.password,
            charset="utf8mb4",
            connect_timeout=15,
        )
        with closing(opened) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {target} LIKE {source}")
                connection.begin()
                cursor.execute(f"DELETE FROM {_escaped(target)} WHERE {condition}", values)
                copied = cursor.execute(
                    f"INSERT INTO {_escaped(target)} SELECT * FROM {_escaped(source)} WHERE {condition}",
                    values,
                )
            connection.commit()
            return name + SUFFIX, copied
    except pymysql.Error as error:
        raise _refused(table, error, where.secrets) from None


def _escaped(name: str) -> str:
    """A name in a statement with parameters, which `%` begins."""
    return name.replace("%", "%%")


def _refused(table: Table, error: Exception, secrets: list[str]) -> ToolError:
    why = hidden(error, secrets)
    return ToolError(
        f"`{table.table_id}` cannot be copied: {why}",
        code="E601",
        help=f"the login needs to create `...{SUFFIX}`",
    )


_COPIES: dict[str, Copy] = {"sqlite": _sqlite, "postgres": _postgres, "mysql": _mysql}
