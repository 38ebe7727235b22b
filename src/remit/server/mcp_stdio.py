"""The Model Context Protocol on stdin and stdout, for a client that started this process: whoever it is, is the caller."""

from __future__ import annotations

import asyncio

from remit.bootstrap import App
from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.core.task import Actor
from remit.engine.keys import Identity


async def serve_stdio(app: App, tenant_id: str, actor: Actor) -> None:
    """Serve one client and work on its runs until it closes stdin. Raises ConfigError E695 without the package `mcp`."""
    try:
        from mcp.server.stdio import stdio_server

        from remit.server.mcp_offers import server
    except ImportError as error:
        raise ConfigError(
            "the Model Context Protocol needs the package `mcp`", code="E695", help=how_to_install("mcp")
        ) from error
    made = server(app, lambda _: Identity(tenant_id, actor))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(app.work(stop))
        async with stdio_server() as (read, write):
            await made.run(read, write, made.create_initialization_options())
        stop.set()
