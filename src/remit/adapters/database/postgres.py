"""Connections to a PostgreSQL database, for adapters that are given it. Needs the extra `postgres`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from remit.core.errors import ConfigError, StoreError
from remit.core.extras import how_to_install

try:
    import psycopg
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ImportError as error:
    raise ConfigError(
        "PostgreSQL needs the package `psycopg`, which is not installed",
        code="E695",
        help=how_to_install("postgres"),
    ) from error

Connection = psycopg.AsyncConnection[Any]
TIMEOUT_S = 15.0


class Database:
    """A pool for each event loop, opened on first use. `timeout_s`: how long a connection is waited for."""

    def __init__(self, url: str, *, connections: int = 8, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connections = connections
        self._held: tuple[asyncio.AbstractEventLoop, AsyncConnectionPool[Connection]] | None = None

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, which commits at the end. Raises StoreError E936."""
        try:
            pool = await self._pool()
            async with pool.connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise StoreError(
                f"PostgreSQL failed: {' '.join(str(error).split())[:300]}",
                code="E936",
                help="is the database of `documents.vectors` there, and with the extension `vector`?",
            ) from error

    async def close(self) -> None:
        """Let go of the connections."""
        held, self._held = self._held, None
        if held and held[0] is asyncio.get_running_loop():
            await held[1].close()

    async def _pool(self) -> AsyncConnectionPool[Connection]:
        loop = asyncio.get_running_loop()
        if self._held is None or self._held[0] is not loop:
            made: AsyncConnectionPool[Connection] = AsyncConnectionPool(
                self._url,
                min_size=0,
                max_size=self._connections,
                timeout=self._timeout_s,
                check=AsyncConnectionPool.check_connection,
                open=False,
                name="remit-index",
            )
            self._held = (loop, made)
            await made.open()
        return self._held[1]
