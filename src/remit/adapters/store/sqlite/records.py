"""Collections in SQLite: a table each, keyed by the key's fields; index fields are columns computed from the document.

SQLite computes those columns itself, so a program with an older declaration cannot leave an index behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from remit.adapters.store import _sql, items
from remit.adapters.store.paging import Query
from remit.adapters.store.sqlite import journal
from remit.ports.store import ABSENT, Add, Collection, Delete, Put, Signal, Write


class Table:
    """A declared collection and its statements."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.indexes = {index.name for index in collection.indexes}
        self.indexed = items.index_fields(collection)
        source = _sql.table(collection.name)
        columns = [_sql.column(collection, field) for field in collection.key]
        row = f"{source} ({', '.join(columns)}, doc) VALUES ({', '.join(['?'] * (len(columns) + 1))})"
        where = " AND ".join(f"{column} = ?" for column in columns)
        self.upsert = f"INSERT OR REPLACE INTO {row}"
        self.insert = f"INSERT OR IGNORE INTO {row}"
        self.get = f"SELECT doc FROM {source} WHERE {where}"
        self.delete = f"DELETE FROM {source} WHERE {where}"


Tables = dict[str, Table]


def load(db: sqlite3.Connection) -> Tables:
    """The collections that were declared in this file."""
    rows = db.execute("SELECT declaration FROM collections").fetchall()
    found = [msgspec.json.decode(text, type=Collection) for (text,) in rows]
    return {collection.name: Table(collection) for collection in found}


def declare(db: sqlite3.Connection, collections: Sequence[Collection]) -> Tables:
    """Make tables, columns and indexes exist; SQLite fills a new index from the items that are there."""
    tables = load(db)
    for new in collections:
        known = tables[new.name].collection if new.name in tables else None
        after = items.merged(known, new)
        if after != known:
            _build(db, known, after)
            tables[new.name] = Table(after)
    return tables


def _build(db: sqlite3.Connection, old: Collection | None, new: Collection) -> None:
    source = _sql.table(new.name)
    keys = ", ".join(_sql.column(new, field) for field in new.key)
    db.execute(
        f"CREATE TABLE IF NOT EXISTS {source} ({keys}, doc TEXT NOT NULL, PRIMARY KEY ({keys})) WITHOUT ROWID"
    )
    there = {row[1] for row in db.execute(f"PRAGMA table_xinfo({source})")}
    for field in items.index_fields(new):
        column = _sql.column(new, field)
        if column.strip('"') not in there:
            value = f"json_extract(doc, '$.{field}')"
            db.execute(f"ALTER TABLE {source} ADD COLUMN {column} GENERATED ALWAYS AS ({value}) VIRTUAL")
    for index in new.indexes:
        name = _sql.index(new.name, index.name)
        if old is None or index not in old.indexes:
            db.execute(f"DROP INDEX IF EXISTS {name}")
            db.execute(f"CREATE INDEX {name} ON {source} ({_sql.index_columns(new, index)})")
    db.execute(
        "INSERT OR REPLACE INTO collections VALUES (?, ?)", (new.name, msgspec.json.encode(new).decode())
    )


def apply(db: sqlite3.Connection, tables: Tables, writes: Sequence[Write]) -> None:
    """Do the writes, in order. Raises ConditionError that names the first whose condition fails."""
    for position, write in enumerate(writes):
        if isinstance(write, Signal):
            journal.deliver(db, write)
            continue
        if write.collection not in tables:
            raise items.undeclared(write.collection)
        _apply(db, tables[write.collection], position, write)


def _apply(db: sqlite3.Connection, table: Table, position: int, write: Put | Delete | Add) -> None:
    key = items.key_for(table.collection, write)
    if isinstance(write, Put) and (write.expect is None or write.expect == ABSENT):
        # The two common cases need no look at what is there.
        document = items.checked_document(table.indexed, write.item).decode()
        statement = table.upsert if write.expect is None else table.insert
        if db.execute(statement, (*key, document)).rowcount == 0:
            raise items.refused(position, write, key, "an item has this key already")
        return
    row = db.execute(table.get, key).fetchone()
    after = items.outcome(table.collection, position, key, write, row[0] if row else None)
    if after is not None:
        db.execute(table.upsert, (*key, after.decode()))
    elif row:
        db.execute(table.delete, key)


def get(db: sqlite3.Connection, table: Table, key: Sequence[Any]) -> dict[str, Any] | None:
    """An item by its key."""
    row = db.execute(table.get, items.given_key(table.collection, key)).fetchone()
    return items.parse(row[0]) if row else None


def query(db: sqlite3.Connection, table: Table, index: str, wanted: Query) -> list[dict[str, Any]]:
    """The items of a query; SQLite must use the index, or says that it cannot."""
    source = _sql.table(table.collection.name)
    if index:
        source += f" INDEXED BY {_sql.index(table.collection.name, index)}"
    text, values = _sql.select(wanted, table.collection, source, "?", lambda value: value)
    return [items.parse(row[0]) for row in db.execute(text, values)]


def size(db: sqlite3.Connection, table: Table) -> int:
    """Bytes of a collection's documents."""
    source = _sql.table(table.collection.name)
    return int(db.execute(f"SELECT coalesce(sum(length(CAST(doc AS BLOB))), 0) FROM {source}").fetchone()[0])
