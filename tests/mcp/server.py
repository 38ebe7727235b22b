"""What the official conformance suite calls, as tools of Remit behind its own server: `python server.py PORT`.

The suite sends no key, so who calls is said here, for every request.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from msgspec.structs import replace

from remit import Pack, open_app, tool
from remit.core.errors import ToolError
from remit.core.task import Actor
from remit.engine.keys import Identity
from remit.sdk import ToolContext
from remit.server.app import build_api
from remit.server.auth import PROVED
from remit.settings import McpServing, Settings

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SILENCE = base64.b64decode("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=")


@tool
def test_simple_text() -> str:
    """Answer with a text."""
    return "This is a simple text response for testing."


@tool
def test_error_handling() -> str:
    """Fail."""
    raise ToolError("This tool intentionally returns an error for testing")


@tool
def test_tool_with_progress() -> str:
    """Answer; a run's events are its progress."""
    return "done"


@tool
def test_image_content(context: ToolContext) -> str:
    """Make a picture."""
    context.keep("pixel.png", PIXEL, "image/png")
    return "a picture"


@tool
def test_audio_content(context: ToolContext) -> str:
    """Make a sound."""
    context.keep("silence.wav", SILENCE, "audio/wav")
    return "a sound"


@tool
def test_embedded_resource(context: ToolContext) -> str:
    """Make a text file."""
    context.keep("note.txt", b"This is an embedded resource content.", "text/plain")
    return "a file"


@tool
def test_multiple_content_types(context: ToolContext) -> str:
    """Make several things."""
    context.keep("pixel.png", PIXEL, "image/png")
    context.keep("data.json", b'{"test":"data","value":123}', "application/json")
    return "Multiple content types test:"


@tool
def json_schema_2020_12_tool() -> str:
    """Have a schema with everything."""
    return "done"


json_schema_2020_12_tool.spec = replace(
    json_schema_2020_12_tool.spec,
    input_schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
)

TOOLS = (
    test_simple_text,
    test_error_handling,
    test_tool_with_progress,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    json_schema_2020_12_tool,
)


class Known:
    """The API for somebody whose key is taken as checked."""

    def __init__(self, api: Any) -> None:
        self._api = api

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Say who it is, and hand on."""
        scope[PROVED] = Identity("local", Actor("suite", ("operator",)))
        await self._api(scope, receive, send)


async def main(port: int) -> None:
    """Serve and work until the process is stopped."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            home=Path(home),
            store="memory:",
            mcp_serve=McpServing(agents=(), tools=tuple(t.spec.name for t in TOOLS)),
        )
        app = open_app(settings, packs=[Pack("suite", tools=TOOLS)])
        async with app:
            stop = asyncio.Event()
            config = uvicorn.Config(
                Known(build_api(app, closing=stop)), port=port, log_level="error", lifespan="off"
            )
            working = asyncio.create_task(app.work(stop))
            await uvicorn.Server(config).serve()
            stop.set()
            await working


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
