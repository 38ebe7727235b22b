"""A guide to chat with: it thinks, calls tools, cites, and speaks as slowly as a test wants."""

from __future__ import annotations

import asyncio
import struct
import zlib
from pathlib import Path
from typing import Any

from tests.console.kit import settings

from remit import Agent, Pack, agent, open_app, tool
from remit.adapters.model.scripted import reply_of
from remit.bootstrap import App
from remit.core.message import Message, Text, Thinking, ToolUse
from remit.engine.models import Route
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta
from remit.sdk import ToolContext
from remit.settings import Settings
from remit_packs.tools.documents import read_document

DRAWN = """<!doctype html><title>Sales</title><body><script>
const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
svg.setAttribute("aria-label", "drawn by its own script, " + (origin === "null" ? "without an origin" : origin));
document.body.append(svg);
</script>"""

SALES = {"columns": ["month", "total"], "rows": [[f"2026-{n:02}", n * 1250.5] for n in range(1, 10)]}


@tool
def sales() -> dict[str, Any]:
    """Sales by month."""
    columns = [{"name": name, "type": "text"} for name in SALES["columns"]]
    rows = [
        {"#": f"r{n}", "month": month, "total": total} for n, (month, total) in enumerate(SALES["rows"], 1)
    ]
    return {"id": "q1", "sql": "SELECT month, total FROM sales", "columns": columns, "rows": rows}


@tool
def draw_chart(context: ToolContext, title: str) -> dict[str, str]:
    """Draw the sales: a picture, and a page that draws itself."""
    html = context.keep("sales.html", DRAWN.encode(), "text/html")
    return {"kind": "bar", "png": context.keep("sales.png", _png(320, 120), "image/png"), "html": html}


def _png(width: int, height: int) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"\x0b\x6b\x5c" * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


@tool(risk="L3")
def wipe(table: str) -> str:
    """Empty a table."""
    return f"{table} is empty"


guide = Agent(
    "guide",
    description="Knows the sales, draws and cites.",
    instructions="Guide.",
    tools=[sales, draw_chart, wipe, read_document],
)


@agent
async def echo(input: Any) -> dict[str, Any]:
    """Says what it was given."""
    return {"said": input}


class Speaker:
    """Says `replies` in order, word by word. `held`: it begins to speak once `start` is set, and stops half-way until `go` is.

    `paced`: each word of a text takes one of `words`.
    """

    provider = "scripted"

    def __init__(self) -> None:
        self.replies: list[Message] = []
        self.start, self.go = asyncio.Event(), asyncio.Event()
        self.held = self.paced = False
        self.words = asyncio.Semaphore(0)

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """The next reply; its words first."""
        message = self.replies.pop(0) if self.replies else said("There is nothing more to say.")
        if self.held:
            await self.start.wait()
        for block in message.blocks:
            if on_delta is not None and isinstance(block, Text | Thinking):
                await self._speak(block, on_delta)
        return reply_of(request, message, None)

    async def _speak(self, block: Text | Thinking, on_delta: OnDelta) -> None:
        kind = "text" if isinstance(block, Text) else "thinking"
        words = block.text.split(" ")
        for at, word in enumerate(words):
            if self.held and kind == "text" and at == len(words) // 2:
                await self.go.wait()
            if self.paced and kind == "text":
                await self.words.acquire()
            on_delta(Delta(kind, f"{' ' if at else ''}{word}"))

    def let_say(self, words: int) -> None:
        """Let it say so many more words."""
        for _ in range(words):
            self.words.release()

    def let_go(self) -> None:
        """Hold nothing back any more."""
        self.held = False
        self.start.set()
        self.go.set()

    async def close(self) -> None:
        """Nothing to let go of."""


def said(text: str, thought: str = "") -> Message:
    """A reply in words."""
    return Message("assistant", (*((Thinking(thought),) if thought else ()), Text(text)))


def calls(name: str, text: str = "I look it up in the books of the shop.", /, **arguments: Any) -> Message:
    """A reply that calls a tool."""
    return Message("assistant", (Text(text), ToolUse(f"use_{name}", name, arguments)))


def talking(home: Path, speaker: Speaker, **more: Any) -> App:
    """An app with the guide, whose words are the speaker's."""
    return open_app(
        Settings(**settings(home), **more),
        packs=[Pack("talking", agents=[guide, echo])],
        models={"scripted": speaker},
        routes={"default": Route("scripted", "scripted")},
    )
