"""Vectors in PostgreSQL with the extension pgvector: a table a collection, with an HNSW index up to 2,000 dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg import sql

from remit.adapters.vectors.checking import check, safe_name
from remit.ports.vectors import Near, Vector

MOST_INDEXED = 2000
"""Dimensions that pgvector indexes; above them every vector is looked at."""
MOST_APPROXIMATE = 500
"""Results up to which the index is asked; above them every vector is looked at."""

_DIMENSIONS = """SELECT atttypmod FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attname = 'values' AND NOT attisdropped"""

Connections = Callable[[], AbstractAsyncContextManager[Any]]
"""Gives a connection of psycopg in a transaction."""


class PgVectors:
    """Tables in the schema `remit_index`. The extension is made if it is missing and this role may."""

    def __init__(self, connections: Connections, *, schema: str = "remit_index") -> None:
        self._connections = connections
        self._schema = schema

    async def put(self, collection: str, vectors: Sequence[Vector]) -> None:
        """Write vectors. Raises InputError E931, StoreError E936."""
        if not vectors:
            return
        unique = {vector.id: vector for vector in vectors}
        async with self._connections() as db:
            await self._make(db, collection, len(vectors[0].values))
            width = await self._width(db, collection)
            for vector in unique.values():
                check(vector.values, width)
            cursor = db.cursor()
            await cursor.executemany(
                self._sql(
                    "INSERT INTO {} (id, values) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET values = excluded.values",
                    collection,
                ),
                [(vector.id, _text(vector.values)) for vector in unique.values()],
            )

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Delete vectors."""
        async with self._connections() as db:
            if ids and await self._width(db, collection):
                await db.execute(self._sql("DELETE FROM {} WHERE id = ANY(%s)", collection), (list(ids),))

    async def near(self, collection: str, query: Sequence[float], *, limit: int = 10) -> list[Near]:
        """The nearest vectors; those that the index finds, when there are many."""
        async with self._connections() as db:
            width = await self._width(db, collection)
            if not width or limit < 1:
                return []
            check(query, width)
            if limit <= MOST_APPROXIMATE:
                await db.execute(f"SET LOCAL hnsw.ef_search = {max(100, 2 * limit)}")
            else:
                await db.execute("SET LOCAL enable_indexscan = off")
            found = await db.execute(
                self._sql("SELECT id, -(values <#> %s) FROM {} ORDER BY values <#> %s LIMIT %s", collection),
                (_text(query), _text(query), limit),
            )
            rows = await found.fetchall()
        return sorted(
            (Near(name, float(score)) for name, score in rows), key=lambda near: (-near.score, near.id)
        )

    async def drop(self, collection: str) -> None:
        """Delete a collection."""
        async with self._connections() as db:
            await db.execute(self._sql("DROP TABLE IF EXISTS {}", collection))

    async def close(self) -> None:
        """The connections are whose they are."""

    async def _make(self, db: Any, collection: str, width: int) -> None:
        """The table, if it is not there. Whoever else makes one waits: `IF NOT EXISTS` alone lets two collide."""
        if await self._width(db, collection):
            return
        await db.execute("SELECT pg_advisory_xact_lock(hashtext('remit_index'))")
        await db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await db.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
        await db.execute(
            self._sql(
                f"CREATE TABLE IF NOT EXISTS {{}} (id text PRIMARY KEY, values vector({width}) NOT NULL)",
                collection,
            )
        )
        if width <= MOST_INDEXED:
            await db.execute(
                self._sql(
                    "CREATE INDEX IF NOT EXISTS {index} ON {} USING hnsw (values vector_ip_ops)", collection
                )
            )

    async def _width(self, db: Any, collection: str) -> int | None:
        found = await db.execute(_DIMENSIONS, (f'"{self._schema}"."{_table(collection)}"',))
        row = await found.fetchone()
        return int(row[0]) if row else None

    def _sql(self, text: str, collection: str) -> sql.Composed:
        table = _table(collection)
        return sql.SQL(text).format(
            sql.Identifier(self._schema, table), index=sql.Identifier(f"{table}_hnsw")
        )


def _table(collection: str) -> str:
    return f"v_{safe_name(collection)}"


def _text(values: Sequence[float]) -> str:
    """A vector as pgvector reads it."""
    return f"[{','.join(map(repr, map(float, values)))}]"
