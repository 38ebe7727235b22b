"""Collections in PostgreSQL: a table each, with columns of sortable text for the fields of the key and the indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg

from remit.adapters.store import _sql, items
from remit.adapters.store.postgres.schema import raw
from remit.ports.store import Collection

Connection = psycopg.AsyncConnection[Any]


def sortable(value: str | int) -> str:
    """Text that the collation "C" orders as the port orders values: integers as numbers, then strings."""
    return f"0{value + 2**63:020d}" if isinstance(value, int) else f"1{value}"


class Table:
    """A declared collection and its statements."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.indexed = items.index_fields(collection)
        self.indexes = {index.name for index in collection.indexes}
        source = _sql.table(collection.name)
        keys = [_sql.column(collection, field) for field in collection.key]
        rest = [_sql.column(collection, field) for field in self.indexed]
        columns = ", ".join([*keys, *rest, "doc"])
        marks = ", ".join(["%s"] * (len(keys) + len(rest)))
        changed = ", ".join(f"{column} = EXCLUDED.{column}" for column in [*rest, "doc"])
        where = " AND ".join(f"{key} = %s" for key in keys)
        key = ", ".join(keys)
        arrays = ", ".join(["%s::text[]"] * len(keys))
        self.insert = raw(f"INSERT INTO {source} ({columns}) VALUES ({marks}, %s::json)")
        self.upsert = raw(f"{self.insert} ON CONFLICT ({key}) DO UPDATE SET {changed}")
        self.delete = raw(f"DELETE FROM {source} WHERE {where}")
        self.get = raw(f"SELECT doc FROM {source} WHERE {where}")
        # Sorted, so that two batches that want the same rows queue up instead of locking each other out.
        self.lock = raw(
            f"SELECT {key}, doc FROM {source} WHERE ({key}) IN (SELECT * FROM unnest({arrays}))"
            f" ORDER BY {key} FOR UPDATE"
        )
        self.reindex = raw(
            f"UPDATE {source} SET {', '.join(f'{column} = %s' for column in rest)} WHERE {where}"
            if rest
            else ""
        )

    def key(self, key: items.Key) -> tuple[str, ...]:
        """The key as it is stored."""
        return tuple(map(sortable, key))

    def row(self, key: items.Key, document: bytes) -> tuple[Any, ...]:
        """The row of an item."""
        return (*self.key(key), *self.index_values(items.parse(document)), document.decode())

    def index_values(self, item: Mapping[str, Any]) -> list[str | None]:
        """The index fields of an item as they are stored."""
        values = [item.get(field) for field in self.indexed]
        return [None if value is None else sortable(value) for value in values]


Tables = dict[str, Table]


async def load(db: Connection) -> tuple[Tables, int]:
    """The declared collections, and a number that grows with every change to them."""
    rows = await (await db.execute("SELECT declaration, version FROM collections")).fetchall()
    found = [msgspec.json.decode(text, type=Collection) for text, _ in rows]
    return {collection.name: Table(collection) for collection in found}, sum(version for _, version in rows)


async def declare(db: Connection, schema: str, collections: Sequence[Collection]) -> None:
    """Make tables, columns and indexes exist, and fill new ones, in the caller's transaction."""
    await db.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"remit-migrate-{schema}",))
    tables, _ = await load(db)
    for new in collections:
        known = tables[new.name].collection if new.name in tables else None
        after = items.merged(known, new)
        if after != known:
            await _build(db, known, after)
            tables[new.name] = Table(after)


async def _build(db: Connection, old: Collection | None, new: Collection) -> None:
    source = _sql.table(new.name)
    keys = ", ".join(_sql.column(new, field) for field in new.key)
    typed = ", ".join(f'{_sql.column(new, field)} text COLLATE "C"' for field in new.key)
    await db.execute(
        raw(f"CREATE TABLE IF NOT EXISTS {source} ({typed}, doc json NOT NULL, PRIMARY KEY ({keys}))")
    )
    await db.execute(raw(f"LOCK TABLE {source} IN ACCESS EXCLUSIVE MODE"))
    for field in items.index_fields(new):
        column = _sql.column(new, field)
        await db.execute(raw(f'ALTER TABLE {source} ADD COLUMN IF NOT EXISTS {column} text COLLATE "C"'))
    if old is not None:
        await _fill(db, Table(new))
    for index in new.indexes:
        name = _sql.index(new.name, index.name)
        if old is None or index not in old.indexes:
            await db.execute(raw(f"DROP INDEX IF EXISTS {name}"))
            await db.execute(raw(f"CREATE INDEX {name} ON {source} ({_sql.index_columns(new, index)})"))
    await db.execute(
        """INSERT INTO collections VALUES (%s, 1, %s) ON CONFLICT (name)
        DO UPDATE SET version = collections.version + 1, declaration = EXCLUDED.declaration""",
        (new.name, msgspec.json.encode(new).decode()),
    )


async def _fill(db: Connection, table: Table) -> None:
    """Compute the index columns of the items that are there."""
    if not table.indexed:
        return
    source = _sql.table(table.collection.name)
    async with db.cursor(name="fill") as reader, db.cursor() as writer:
        await reader.execute(raw(f"SELECT doc FROM {source}"))
        while rows := await reader.fetchmany(1000):
            found = [items.parse(doc) for (doc,) in rows]
            changes = [
                (*table.index_values(item), *table.key(items.key_of(table.collection, item)))
                for item in found
            ]
            await writer.executemany(table.reindex, changes)
