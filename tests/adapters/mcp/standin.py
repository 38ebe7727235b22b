"""A server of the official SDK: `python standin.py FOLDER [PORT]`, on stdin and stdout without a port.

It does what `bare.py` does, and a few things more.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import anyio
import bare
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

TOOLS: dict[str, dict[str, Any]] = {
    **bare.TOOLS,
    "huge": {"description": "Answer with ever so much.", "inputSchema": bare.TEXT},
    "ask": {"description": "Ask the user something.", "inputSchema": bare.TEXT},
}


class StandIn:
    """The tools."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bus = InMemorySubscriptionBus()

    async def tools(self, ctx: Any, params: Any) -> types.ListToolsResult:
        """What there is, a few at a time."""
        tools = [types.Tool.model_validate(t) for t in bare.offered(self._folder, TOOLS)]
        start = int(params.cursor) if params is not None and params.cursor else 0
        end = start + 5
        return types.ListToolsResult(
            tools=tools[start:end], next_cursor=str(end) if end < len(tools) else None
        )

    async def call(self, ctx: Any, params: types.CallToolRequestParams) -> Any:
        """Do it."""
        given = params.arguments or {}
        if params.name not in ("huge", "swap", "ask"):
            key = (params.meta or {}).get(bare.KEY, "")
            made = bare.answer(params.name, given, str(key), self._folder)
            if made is None:
                await asyncio.sleep(3600)
            return types.CallToolResult.model_validate(made)
        return await getattr(self, f"_{params.name}")(ctx, params, given["text"])

    async def _huge(self, ctx: Any, params: Any, text: str) -> Any:
        return _text("x" * int(text))

    async def _swap(self, ctx: Any, params: Any, text: str) -> Any:
        (self._folder / "tools.json").write_text(json.dumps({"echo": {"description": text}}))
        await self.bus.publish(ToolsListChanged())
        return _text("swapped")

    async def _ask(self, ctx: Any, params: Any, text: str) -> Any:
        if params.request_state is not None:
            return _text(f"state {params.request_state}")
        if text == "wait":
            return types.InputRequiredResult(request_state="7")
        form = types.ElicitRequestFormParams(
            message="your password?", requested_schema={"type": "object", "properties": {}}
        )
        return types.InputRequiredResult(input_requests={"q": types.ElicitRequest(params=form)})


def _text(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)])


def made(folder: Path) -> Server[Any]:
    """The server."""
    standin = StandIn(folder)
    return Server(
        "standin",
        version="1",
        on_list_tools=standin.tools,
        on_call_tool=standin.call,
        on_subscriptions_listen=ListenHandler(standin.bus),
    )


async def _over_stdio(folder: Path) -> None:
    server = made(folder)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _over_http(folder: Path, port: int) -> None:
    import uvicorn

    uvicorn.run(made(folder).streamable_http_app(), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    where = Path(sys.argv[1])
    if len(sys.argv) > 2:
        _over_http(where, int(sys.argv[2]))
    else:
        anyio.run(_over_stdio, where)
