"""Agents, runs and artifacts as the Model Context Protocol has them."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import mcp_types as types

from remit.core.approval import Approval
from remit.core.codec import encode, plain
from remit.core.errors import RemitError
from remit.core.task import Artifact, Result
from remit.core.tool import ToolSpec

ASK_AGAIN = "run_result"
"""The tool that says how a run stands."""

_TASK = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "description": "What to do, in words."},
        "input": {"description": "Data to do it with."},
    },
    "required": ["task"],
    "additionalProperties": False,
}
_RUN = {
    "type": "object",
    "properties": {"run_id": {"type": "string"}},
    "required": ["run_id"],
    "additionalProperties": False,
}
_OUTCOME = {
    "type": "object",
    "properties": {
        "run_id": {"type": "string"},
        "status": {"enum": ["success", "failure", "needs_approval", "needs_info", "running"]},
        "result": {},
        "waiting_on": {"type": "array", "items": {"type": "string"}},
        "problem": {"type": "object"},
    },
    "required": ["run_id", "status"],
}


def agent(name: str, description: str) -> types.Tool:
    """An agent as a tool."""
    return types.Tool(
        name=name,
        description=description or f"The agent {name}.",
        input_schema=_TASK,
        output_schema=_OUTCOME,
        annotations=types.ToolAnnotations(open_world_hint=True),
    )


def tool(spec: ToolSpec) -> types.Tool:
    """A tool of ours; its result is that of the run that calls it."""
    reads = spec.effect == "read"
    return types.Tool(
        name=spec.name,
        description=spec.description,
        input_schema=spec.input_schema,
        output_schema=_OUTCOME,
        annotations=types.ToolAnnotations(read_only_hint=reads, open_world_hint=spec.outward),
    )


def ask_again() -> types.Tool:
    """The tool for clients that cannot be told `input_required`."""
    return types.Tool(
        name=ASK_AGAIN,
        description="How a run stands, and its result once it has ended.",
        input_schema=_RUN,
        output_schema=_OUTCOME,
        annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def shown(run_id: str, result: Result | None) -> types.CallToolResult:
    """How a run stands, for programs and in words."""
    if result is None:
        return _result({"run_id": run_id, "status": "running"}, f"Run {run_id} is under way.")
    made: dict[str, Any] = {"run_id": run_id, "status": result.status}
    if result.status == "success":
        payload = plain(result.result_payload)
        text = payload if isinstance(payload, str) else encode(payload).decode()
        return _result({**made, "result": payload}, text)
    if result.problem is not None:
        made["problem"] = plain(result.problem)
        return _result(made, f"[{result.problem.code}] {result.problem.message}")
    made["waiting_on"] = list(result.waiting_on)
    waits = ", ".join(result.waiting_on)
    return _result(
        made,
        f"Run {run_id} waits for a person to decide ({waits}) and then goes on by itself."
        f" Call `{ASK_AGAIN}` with its run_id to see how it stands; do not start it again.",
    )


def _result(made: dict[str, Any], text: str) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=text)],
        structured_content=made,
        is_error=made["status"] == "failure",
    )


def block(uri: str, artifact: Artifact, data: bytes) -> types.ContentBlock:
    """An artifact as a client can show it."""
    media_type = artifact.media_type
    if media_type.startswith("image/"):
        return types.ImageContent(data=base64.b64encode(data).decode(), mime_type=media_type)
    if media_type.startswith("audio/"):
        return types.AudioContent(data=base64.b64encode(data).decode(), mime_type=media_type)
    return types.EmbeddedResource(resource=contents(uri, artifact, data))


def contents(
    uri: str, artifact: Artifact, data: bytes
) -> types.TextResourceContents | types.BlobResourceContents:
    """An artifact as the contents of a resource: text if it is, else bytes."""
    media_type = artifact.media_type
    if media_type.startswith("text/") or media_type.partition(";")[0] == "application/json":
        with contextlib.suppress(UnicodeDecodeError):
            return types.TextResourceContents(uri=uri, mime_type=media_type, text=data.decode())
    return types.BlobResourceContents(uri=uri, mime_type=media_type, blob=base64.b64encode(data).decode())


def failed(error: RemitError) -> types.CallToolResult:
    """A refusal, which the caller's model reads and may mend."""
    text = f"[{error.code}] {error.message}" + (f" ({error.help})" if error.help else "")
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


def question(approval: Approval) -> types.ElicitRequest:
    """What an approver asked, for the client's user."""
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    asked = f"Before deciding about `{approval.tool}`, an approver asks: {approval.question}"
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=asked, requested_schema=schema))


def answer(response: Any) -> str:
    """What a user answered; empty for one who did not."""
    if not isinstance(response, types.ElicitResult) or response.action != "accept":
        return ""
    return str((response.content or {}).get("answer", "")).strip()
