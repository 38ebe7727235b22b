"""What the SDK hands over, as values of ours."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import mcp_types as types

from remit.core.mcp import Contract
from remit.ports.mcp import Answer, Attachment


def contract_of(tool: types.Tool) -> Contract:
    """What a server says of a tool."""
    notes = tool.annotations
    return Contract(
        name=tool.name,
        input_schema=tool.input_schema,
        description=tool.description or "",
        title=tool.title or "",
        output_schema=tool.output_schema,
        annotations=notes.model_dump(mode="json", by_alias=True, exclude_none=True) if notes else {},
    )


def answer_of(result: types.CallToolResult) -> Answer:
    """What a tool answered: its texts together, and what is no text as attachments."""
    texts: list[str] = []
    attached: list[Attachment] = []
    for block in result.content:
        text, attachment = _read(block, len(attached) + 1)
        if text:
            texts.append(text)
        if attachment is not None:
            attached.append(attachment)
    return Answer("\n".join(texts), result.structured_content, tuple(attached), bool(result.is_error))


def _read(block: Any, number: int) -> tuple[str, Attachment | None]:
    if isinstance(block, types.TextContent):
        return block.text, None
    if isinstance(block, types.ResourceLink):
        return f"[resource {block.name}: {block.uri}]", None
    if isinstance(block, types.EmbeddedResource):
        return _resource(block.resource, number)
    if isinstance(block, types.ImageContent | types.AudioContent):
        return "", _attachment(f"{block.type}-{number}", block.data, block.mime_type)
    return "", None


def _resource(
    resource: types.TextResourceContents | types.BlobResourceContents, number: int
) -> tuple[str, Attachment | None]:
    if isinstance(resource, types.TextResourceContents):
        return f"[resource {resource.uri}]\n{resource.text}", None
    name = str(resource.uri).rpartition("/")[2] or f"resource-{number}"
    media_type = resource.mime_type or "application/octet-stream"
    return f"[resource {resource.uri}]", _attachment(name[:100], resource.blob, media_type)


def _attachment(name: str, data: str, media_type: str) -> Attachment | None:
    """The bytes of a block; None for what is no base64."""
    try:
        return Attachment(name, base64.b64decode(data, validate=True), media_type)
    except (binascii.Error, ValueError):
        return None
