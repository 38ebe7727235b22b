"""An index of words in PostgreSQL: a table of `tsvector` a collection, English endings stripped.

PostgreSQL ranks by how often and how near the words stand, and knows nothing of how rare a word is, as BM25 does; so a search
by words alone finds a little less than in SQLite. Fused with vectors it matters less.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg import sql

from remit.core.words import telling
from remit.ports.fulltext import Entry

Connections = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a connection of psycopg in a transaction."""

_SEARCH = """WITH query AS (SELECT string_agg(plainto_tsquery('english', word)::text, ' | ')::tsquery AS any_of
        FROM unnest(%s::text[]) AS word WHERE numnode(plainto_tsquery('english', word)) > 0)
    SELECT id FROM {}, query WHERE words @@ any_of ORDER BY ts_rank(words, any_of, 1) DESC, id LIMIT %s"""


class PgFullText:
    """Tables in the schema `remit_index`."""

    def __init__(self, connections: Connections, *, schema: str = "remit_index") -> None:
        self._connections = connections
        self._schema = schema

    async def put(self, collection: str, entries: Sequence[Entry]) -> None:
        """Index texts. Raises StoreError E936."""
        if not entries:
            return
        unique = {entry.id: entry.text.replace("\0", " ") for entry in entries}
        async with self._connections() as db:
            await self._make(db, collection)
            await db.cursor().executemany(
                self._sql(
                    "INSERT INTO {} (id, words) VALUES (%s, to_tsvector('english', %s))"
                    " ON CONFLICT (id) DO UPDATE SET words = excluded.words",
                    collection,
                ),
                list(unique.items()),
            )

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete texts."""
        async with self._connections() as db:
            if ids and await self._exists(db, collection):
                await db.execute(self._sql("DELETE FROM {} WHERE id = ANY(%s)", collection), (list(ids),))

    async def search(self, collection: str, query: str, *, limit: int = 10) -> list[str]:
        """Texts that hold a word of the query."""
        words = [word.replace("\0", " ") for word in telling(query)]
        async with self._connections() as db:
            if not words or limit < 1 or not await self._exists(db, collection):
                return []
            found = await db.execute(self._sql(_SEARCH, collection), (words, limit))
            return [row[0] for row in await found.fetchall()]

    async def drop(self, collection: str) -> None:
        """Delete a collection."""
        async with self._connections() as db:
            await db.execute(self._sql("DROP TABLE IF EXISTS {}", collection))

    async def close(self) -> None:
        """The connections are whose they are."""

    async def _make(self, db: Any, collection: str) -> None:
        """The table, if it is not there. Whoever else makes one waits: `IF NOT EXISTS` alone lets two collide."""
        if await self._exists(db, collection):
            return
        await db.execute("SELECT pg_advisory_xact_lock(hashtext('remit_index'))")
        await db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
        await db.execute(
            self._sql(
                "CREATE TABLE IF NOT EXISTS {} (id text PRIMARY KEY, words tsvector NOT NULL)", collection
            )
        )
        await db.execute(self._sql("CREATE INDEX IF NOT EXISTS {index} ON {} USING gin (words)", collection))

    async def _exists(self, db: Any, collection: str) -> bool:
        name = f'"{self._schema}"."{_table(collection)}"'
        found = await (await db.execute("SELECT to_regclass(%s) IS NOT NULL", (name,))).fetchone()
        return bool(found[0])

    def _sql(self, text: str, collection: str) -> sql.Composed:
        table = _table(collection)
        return sql.SQL(text).format(sql.Identifier(self._schema, table), index=sql.Identifier(f"{table}_gin"))


def _table(collection: str) -> str:
    return f"w_{hashlib.sha256(collection.encode()).hexdigest()[:32]}"
