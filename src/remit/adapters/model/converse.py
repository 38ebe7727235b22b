"""A request as Bedrock's Converse takes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from remit.adapters.model.content import known_tools, object_schema, result_text, sent_input, turns
from remit.core.message import Block, Document, Image, Text, Thinking, ToolResult, ToolUse
from remit.ports.model import ModelRequest

REDACTED = "redacted:"
"""Before the signature (base64) of a `Thinking` whose text the provider keeps to itself."""

_DOCUMENTS = {
    "application/pdf": "pdf", "text/csv": "csv", "text/html": "html", "text/markdown": "md", "text/plain": "txt",
    "application/msword": "doc", "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}  # fmt: skip


def body_of(model: str, request: ModelRequest, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What Converse is asked for: messages, instructions, tools, and the shape of the answer. `files` are by digest."""
    limits: dict[str, Any] = {"maxTokens": request.max_tokens}
    if request.temperature is not None:
        limits["temperature"] = request.temperature
    body: dict[str, Any] = {
        "modelId": model,
        "messages": _messages(request, files, signed="anthropic." in model),
        "inferenceConfig": limits,
    }
    if request.system:
        body["system"] = [{"text": request.system}]
    if tools := known_tools(request):
        body["toolConfig"] = {"tools": [_tool(t.name, t.description, t.input_schema) for t in tools]}
    if request.output_schema is not None:
        structure = {"jsonSchema": {"name": "answer", "schema": _text(request.output_schema)}}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
    return body


def mark_for_cache(body: dict[str, Any]) -> None:
    """Everything before a cache point is cached: tools and instructions, then the conversation."""
    point = {"cachePoint": {"type": "default"}}
    head = body.get("system") or body.get("toolConfig", {}).get("tools")
    if head:
        head.append(point)
    body["messages"][-1]["content"].append(point)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _tool(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    spec = {"name": name, "inputSchema": {"json": object_schema(schema)}}
    return {"toolSpec": spec | ({"description": description} if description else {})}


def _messages(request: ModelRequest, files: Mapping[str, bytes], *, signed: bool) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": [sent for b in blocks if (sent := _block(b, files, signed)) is not None]}
        for role, blocks in turns(request.messages)
    ]


def _block(block: Block, files: Mapping[str, bytes], signed: bool) -> dict[str, Any] | None:
    if isinstance(block, Text):
        return {"text": block.text}
    if isinstance(block, Thinking):
        return _thinking(block) if signed else None
    if isinstance(block, ToolUse):
        return {"toolUse": {"toolUseId": block.id, "name": block.name, "input": sent_input(block)}}
    if isinstance(block, ToolResult):
        result = {"toolUseId": block.tool_use_id, "content": [{"text": result_text(block)}]}
        return {"toolResult": result | ({"status": "error"} if block.is_error else {})}
    if isinstance(block, Image):
        kind = block.media_type.removeprefix("image/")
        return {"image": {"format": kind, "source": {"bytes": files[block.digest]}}}
    return {"document": _document(block, files[block.digest])}


def _thinking(block: Thinking) -> dict[str, Any] | None:
    """Reasoning is sent back to Claude only, and only when signed."""
    if block.signature.startswith(REDACTED):
        redacted = base64.b64decode(block.signature.removeprefix(REDACTED))
        return {"reasoningContent": {"redactedContent": redacted}}
    if not block.signature:
        return None
    return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": block.signature}}}


def _document(block: Document, data: bytes) -> dict[str, Any]:
    """Bedrock allows only letters, digits, single spaces, hyphens and brackets in names."""
    name = " ".join(re.sub(r"[^A-Za-z0-9\s\-()\[\]]", " ", block.name).split()) or "document"
    kind = _DOCUMENTS.get(block.media_type.partition(";")[0], "txt")
    return {"name": name[:200], "format": kind, "source": {"bytes": data}}
