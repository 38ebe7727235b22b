"""`/mcp`: the Model Context Protocol over streamable HTTP. Who calls is proved by each request's key; no session is kept."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from remit.bootstrap import App
from remit.core.errors import ConfigError, DeniedError, RemitError
from remit.core.extras import how_to_install
from remit.engine.keys import Identity
from remit.server import problems
from remit.server.auth import PROVED, identity
from remit.server.details import details

PATH = "/mcp"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

Scope = MutableMapping[str, Any]


class McpDoor:
    """An ASGI application for one address. What it needs is imported, and started, by the first request."""

    def __init__(self, app: App, closing: asyncio.Event) -> None:
        self._app = app
        self._closing = closing
        self._lock = asyncio.Lock()
        self._manager: Any = None
        self._owner: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Find out who calls, and hand the request on."""
        request = Request(scope, receive)
        try:
            self._check_page(request)
            scope[PROVED] = await identity(request, self._app)
            manager = await self._started()
        except RemitError as error:
            await problems.respond(details(error))(scope, receive, send)
            return
        await manager.handle_request(scope, receive, send)

    def _check_page(self, request: Request) -> None:
        """Refuse what a web page sends, unless it is one of this machine or an allowed one. Raises DeniedError E313."""
        origin = request.headers.get("origin", "")
        allowed = self._app.settings.chat_origins
        if not origin or origin in allowed or "*" in allowed or urlsplit(origin).hostname in _LOOPBACK:
            return
        raise DeniedError(
            f"pages of `{origin[:200]}` may not call here", code="E313", help="list it in REMIT_CHAT_ORIGINS"
        )

    async def _started(self) -> Any:
        async with self._lock:
            if self._manager is None:
                running: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                self._owner = asyncio.create_task(self._run(running))
                self._manager = await running
        return self._manager

    async def _run(self, running: asyncio.Future[Any]) -> None:
        """Hold what requests run in until the server closes: it must be left by the task that entered it."""
        try:
            manager = _manager(self._app)
        except RemitError as error:
            running.set_exception(error)
            return
        async with manager.run():
            running.set_result(manager)
            await self._closing.wait()


def _manager(app: App) -> Any:
    try:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from remit.server.mcp_offers import server
    except ImportError as error:
        raise ConfigError(
            "the Model Context Protocol needs the package `mcp`", code="E695", help=how_to_install("mcp")
        ) from error
    return StreamableHTTPSessionManager(server(app, _who), stateless=True)


def _who(ctx: Any) -> Identity:
    """Who sent the request that a message came with."""
    found: Identity = ctx.request.scope[PROVED]
    return found
