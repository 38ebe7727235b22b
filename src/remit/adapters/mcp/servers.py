"""The servers of `remit.toml`, each started or connected to when it is first needed, for each tenant its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from remit.adapters.mcp.sdk import need
from remit.core.codec import digest_of
from remit.core.errors import InputError
from remit.core.mcp import Contract
from remit.ports.clock import Clock
from remit.ports.mcp import Answer
from remit.ports.secrets import Secrets

if TYPE_CHECKING:
    from remit.adapters.mcp.connection import Connection
    from remit.adapters.mcp.stdio import Process

START_S = 30.0
"""Seconds that a server gets to start, or to be connected to: some are downloaded first."""

LIST_S = 10.0
"""Seconds that a list of tools may take."""

KNOWN_S = 60.0
"""Seconds for which a server is believed to offer what it said it offers, unless it says that this changed."""

IDLE_S = 600.0
"""Seconds after which a connection that nobody used is closed."""

MOST_BYTES = 8 * 2**20
"""Bytes of one message of a server."""


class Endpoint(Struct, frozen=True):
    """Where a server is. `secrets` are variables of the command, or headers, by the name of a secret of the tenant."""

    command: tuple[str, ...] = ()
    url: str = ""
    secrets: Mapping[str, str] = {}
    timeout_s: float = 30.0


class Handle:
    """What a connection knows of its process."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self._process: Process | None = None

    def started(self, process: Process) -> None:
        """It runs."""
        self._process = process

    def ended(self) -> None:
        """It says no more."""
        if self.connection is not None:
            self.connection.alive = False

    def last_words(self) -> str:
        """The end of what it wrote on stderr."""
        return self._process.tail if self._process is not None else ""


class McpServers:
    """`ports.mcp.Servers` by the official SDK. Belongs to the event loop that uses it; another one connects anew."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        secrets_of: Callable[[str], Secrets],
        clock: Clock,
        *,
        home: Path,
        search_path: str,
        version: str,
    ) -> None:
        """`secrets_of` gives a tenant's own secrets; `home` holds a folder for each process, its HOME; `search_path` is its PATH.

        `version` is ours, as servers are told it.
        """
        need()
        self._endpoints = dict(endpoints)
        self._secrets_of = secrets_of
        self._clock = clock
        self._home = home
        self._search_path = search_path
        self._version = version
        self._open: dict[tuple[str, str], Connection] = {}
        self._owners: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._used: dict[tuple[str, str], float] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def tools(self, tenant_id: str, server: str, *, fresh: bool = False) -> tuple[Contract, ...]:
        """What a server offers a tenant. Raises ToolError E953, ConfigError, InputError E959."""
        connection = await self._connected(tenant_id, server)
        now = self._clock.monotonic()
        known = connection.known_tools()
        if known is None or fresh or now - connection.listed_at > KNOWN_S:
            connection.listed_at = now
            known = await connection.tools(LIST_S)
        return known

    async def call(
        self, tenant_id: str, server: str, tool: str, arguments: dict[str, Any], *, key: str
    ) -> Answer:
        """Call a tool. A server that does not answer in time is stopped, unless others wait for it too."""
        connection = await self._connected(tenant_id, server)
        return await connection.call(tool, arguments, key, self._endpoints[server].timeout_s)

    async def close(self) -> None:
        """Stop what was started."""
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        here = asyncio.get_running_loop()
        await asyncio.gather(*(o for o in self._owners if o.get_loop() is here), return_exceptions=True)

    async def _connected(self, tenant_id: str, server: str) -> Connection:
        endpoint = self._endpoint(server)
        key = (tenant_id, server)
        self._used[key] = self._clock.monotonic()
        self._retire_idle()
        if (
            self._loop is not asyncio.get_running_loop()
        ):  # what belongs to another loop cannot be used in this one
            self._loop = asyncio.get_running_loop()
            self._open, self._locks = {}, {}
        async with self._locks.setdefault(key, asyncio.Lock()):
            found = self._open.get(key)
            if found is None or not found.alive:
                if found is not None:
                    found.retire()
                found = self._open[key] = await self._opened(tenant_id, server, endpoint)
        return found

    def _endpoint(self, server: str) -> Endpoint:
        if server not in self._endpoints:
            known = ", ".join(f"`{name}`" for name in self._endpoints) or "none"
            raise InputError(
                f"remit.toml has no server `{server[:100]}`", code="E959", help=f"its servers: {known}"
            )
        return self._endpoints[server]

    def _retire_idle(self) -> None:
        now = self._clock.monotonic()
        for key, connection in list(self._open.items()):
            if now - self._used[key] > IDLE_S and not connection.busy:
                self._open.pop(key).retire()

    async def _opened(self, tenant_id: str, server: str, endpoint: Endpoint) -> Connection:
        from remit.adapters.mcp.connection import Connection

        secrets = self._secrets_of(tenant_id)
        given = {name: secrets.get(secret) for name, secret in endpoint.secrets.items()}
        process = Handle()
        if endpoint.url:
            transport = _over_http(endpoint, given)
        else:
            transport = self._as_process(tenant_id, server, endpoint, given, process)
        made = process.connection = Connection(server, self._version, transport, process.last_words)
        owner = made.start()
        self._owners.add(owner)
        owner.add_done_callback(self._owners.discard)
        await made.opened(START_S)
        return made

    @contextlib.asynccontextmanager
    async def _as_process(
        self,
        tenant_id: str,
        server: str,
        endpoint: Endpoint,
        given: Mapping[str, str],
        handle: Handle,
    ) -> AsyncIterator[Any]:
        """A process with a HOME of its own and no variable that was not named."""
        from remit.adapters.mcp.stdio import started

        home = self._home / f"{server}-{digest_of(tenant_id).removeprefix('sha256:')[:12]}"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        env = {"PATH": self._search_path, "HOME": str(home), "LANG": "C.UTF-8", **given}
        async with started(
            endpoint.command, env, most_bytes=MOST_BYTES, on_start=handle.started, on_end=handle.ended
        ) as streams:
            yield streams


@contextlib.asynccontextmanager
async def _over_http(endpoint: Endpoint, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    from mcp.client.streamable_http import streamable_http_client

    from remit.adapters.mcp.http import client

    async with (
        client(endpoint.url, headers, timeout_s=endpoint.timeout_s, most_bytes=MOST_BYTES) as http,
        streamable_http_client(endpoint.url, http_client=http, max_sse_event_size=MOST_BYTES) as streams,
    ):
        yield streams
