"""What every wire format needs of a conversation: alternating turns, plain text of results, bytes of attachments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from remit.core.errors import ModelError, RemitError
from remit.core.message import Block, Document, Image, Message, Role, Text, Thinking, ToolResult, ToolUse
from remit.core.tool import ToolSpec
from remit.ports.blobs import Blobs
from remit.ports.model import ModelRequest

NOTHING = "(empty)"
"""Providers refuse blank text; a turn that would be blank says this."""


def turns(messages: Iterable[Message]) -> list[tuple[Role, list[Block]]]:
    """Messages with neighbours of one role merged, blank text dropped, and tool results before other content."""
    merged: list[tuple[Role, list[Block]]] = []
    for message in messages:
        blocks = [b for b in message.blocks if not (isinstance(b, Text) and not b.text.strip())]
        if merged and merged[-1][0] == message.role:
            merged[-1][1].extend(blocks)
        else:
            merged.append((message.role, blocks))
    for _, blocks in merged:
        blocks.sort(key=lambda b: not isinstance(b, ToolResult))
        if all(isinstance(b, Thinking) for b in blocks):
            blocks.append(Text(NOTHING))
    return merged


def result_text(result: ToolResult) -> str:
    """The content of a tool result as text: strings as they are, other values as JSON."""
    if isinstance(result.content, str):
        return result.content or NOTHING
    return msgspec.json.encode(result.content).decode()


def sent_input(use: ToolUse) -> dict[str, Any]:
    """The arguments to send back to a provider that insists on an object; a malformed call shows what it was."""
    return use.input if use.malformed is None else {"malformed_arguments": use.malformed[:2000]}


def object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with `type: object` said, which providers insist on."""
    return schema if "type" in schema else {"type": "object", **schema}


def known_tools(request: ModelRequest) -> tuple[ToolSpec, ...]:
    """The tools to declare: those of the request, else stand-ins for those that the conversation speaks of.

    Anthropic and Bedrock refuse a conversation with tool blocks when no tool is declared.
    """
    if request.tools:
        return request.tools
    names = dict.fromkeys(use.name for message in request.messages for use in message.tool_uses)
    return tuple(ToolSpec(name, "No longer available.", {"type": "object"}) for name in names)


async def attachments(blobs: Blobs | None, messages: Iterable[Message]) -> dict[str, bytes]:
    """The bytes of every image and document, by digest. Raises ModelError E602 when they cannot be had."""
    found: dict[str, bytes] = {}
    for message in messages:
        for block in message.blocks:
            if isinstance(block, Image | Document) and block.digest not in found:
                found[block.digest] = await _load(blobs, block.digest)
    return found


async def _load(blobs: Blobs | None, digest: str) -> bytes:
    if blobs is None:
        raise ModelError(
            f"the attachment `{digest}` cannot be sent: this model has no blob store",
            code="E602",
            help="give the model adapter `blobs`",
        )
    try:
        return await blobs.get(digest)
    except RemitError as error:
        reason = error.message
    raise ModelError(
        f"the attachment `{digest}` cannot be read: {reason}", code="E602", help="attach it again"
    )
