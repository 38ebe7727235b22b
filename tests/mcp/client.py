"""The client of agents, for the official conformance suite: lists the tools of a server and calls each, as `errand.py` asks."""

from __future__ import annotations

import asyncio
import json
import tempfile
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remit.adapters.clock.system import SystemClock
from remit.adapters.mcp.servers import Endpoint, McpServers
from remit.adapters.secrets.mapping import MappingSecrets
from remit.core.errors import ToolError
from remit.core.mcp import Contract
from remit.ports.mcp import OutcomeUnknownError

SAMPLES: dict[str, Any] = {
    "string": "test",
    "number": 5,
    "integer": 5,
    "boolean": True,
    "array": [],
    "object": {},
}


def wanted(context: Any, contracts: tuple[Contract, ...]) -> list[tuple[str, dict[str, Any]]]:
    """What to call: what the scenario names, else each tool with arguments that fit its schema."""
    named = [(asked["name"], asked["arguments"]) for asked in context.get("toolCalls", [])]
    if named:
        return named
    return [(c.name, arguments(c.input_schema, contracts[0].input_schema)) for c in contracts]


def arguments(schema: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """Arguments that fit a simple schema; one called `schema` is that of the first tool, as it arrived."""
    properties = schema.get("properties", {})
    made = {name: SAMPLES.get(p.get("type", "string"), "test") for name, p in properties.items()}
    return {**made, "schema": first} if "schema" in made else made


async def use(url: str, context: Any) -> str:
    """Use the server as agents do; what came of it, a line for each call."""
    said: list[str] = []
    with tempfile.TemporaryDirectory() as home:
        endpoint = Endpoint(url=url, timeout_s=20)
        servers = McpServers(
            {"suite": endpoint},
            lambda _: MappingSecrets({}),
            SystemClock(),
            home=Path(home),
            search_path="",
            version="1",
        )
        try:
            for name, given in wanted(context, await servers.tools("local", "suite")):
                try:
                    said.append(str(await servers.call("local", "suite", name, given, key="key-1")))
                except (ToolError, OutcomeUnknownError) as error:
                    said.append(f"{name}: {error}")
        finally:
            await servers.close()
    return "\n".join(said)


@asynccontextmanager
async def desk() -> AsyncIterator[int]:
    """Does what `errand.py` asks, on this port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = {"said": await use(**json.loads(await reader.readline())), "failed": False}
        except Exception:
            answer = {"said": traceback.format_exc(), "failed": True}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
