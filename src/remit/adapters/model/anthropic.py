"""Anthropic messages through the official client, used as a transport: answers are decoded here, strictly."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Mapping
from contextlib import aclosing
from inspect import signature
from types import ModuleType
from typing import Any

import msgspec
from msgspec import Raw, Struct

from remit.adapters.model import failures
from remit.adapters.model.assembly import Assembler
from remit.adapters.model.content import (
    attachments,
    known_tools,
    object_schema,
    result_text,
    sent_input,
    turns,
)
from remit.adapters.model.failures import Provider
from remit.adapters.model.streams import PerLoop, sse, whole
from remit.core.budget import Usage
from remit.core.errors import ConfigError, ModelError, RemitError
from remit.core.extras import how_to_install
from remit.core.message import Block, Document, Image, Text, Thinking, ToolResult, ToolUse
from remit.ports.blobs import Blobs
from remit.ports.model import ModelReply, ModelRequest, OnDelta, StopReason

REDACTED = "redacted:"
"""Before the signature of a `Thinking` whose text the provider keeps to itself."""

_STOPS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "stop_sequence": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 403,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class _Block(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"")


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Answer(Struct):
    content: list[_Block] = []
    stop_reason: str | None = None
    usage: _Usage | None = None
    model: str = ""


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _Failure(Struct):
    type: str = ""
    message: str = ""


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Answer | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Failure | None = None


_answers = msgspec.json.Decoder(_Answer)
_events = msgspec.json.Decoder(_Event)


class AnthropicModel:
    """Claude at Anthropic, streamed when somebody listens. Retries of the client are off.

    `prompt_cache` marks the instructions and tools, and the conversation so far, for caching. `extra` is merged into every
    request, for example `{"thinking": {"type": "adaptive"}}`. `blobs` supplies images and documents. The client chooses the
    version of the API; `temperature` is left out where that version has none (2026-10-21).
    Raises ConfigError E210 at the first use when the client is not installed.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "https://api.anthropic.com",
        prompt_cache: bool = False,
        extra: Mapping[str, Any] | None = None,
        blobs: Blobs | None = None,
    ) -> None:
        self._base_url = base_url
        self._prompt_cache = prompt_cache
        self._extra = dict(extra or {})
        self._blobs = blobs
        self._temperature = True
        self._who = Provider(
            "anthropic",
            "set `ANTHROPIC_API_KEY` to a key that may use the model",
            "set the route's model to one that `GET /v1/models` lists, like `claude-haiku-4-5`",
            (api_key,),
        )
        self._clients: PerLoop[Any] = PerLoop(self._connect, lambda client: client.close())

    @property
    def provider(self) -> str:
        """`anthropic`."""
        return "anthropic"

    def __repr__(self) -> str:
        return f"AnthropicModel({self._base_url!r})"

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """One attempt. Raises ModelError (see `failures`); nothing of the client's exceptions hangs on it."""
        failure: RemitError
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._exchange(request, on_delta)
        except RemitError as error:
            failure = error
        except Exception as error:
            failure = self._failure(error, request)
        failure.__context__ = None
        raise failure

    async def close(self) -> None:
        """Let go of connections."""
        await self._clients.close()

    def _connect(self) -> Any:
        (key,) = self._who.secrets
        if not key:
            raise ModelError("no API key for anthropic", code="E610", help=self._who.key_help)
        client = _vendor().AsyncAnthropic(api_key=key, base_url=self._base_url, max_retries=0)
        self._temperature = "temperature" in signature(client.messages.create).parameters
        return client

    async def _exchange(self, request: ModelRequest, on_delta: OnDelta | None) -> ModelReply:
        files = await attachments(self._blobs, request.messages)
        if "anthropic" not in sys.modules:  # half a second that the event loop should not stand still for
            await asyncio.to_thread(_vendor)
        create = self._clients.get().messages.with_streaming_response.create
        body = self._body(request, files)
        named = {key: body.pop(key) for key in ("model", "max_tokens", "messages")}
        if on_delta is not None:
            named["stream"] = True
        # the rest goes as it is: which of it the client knows by name changes from version to version
        async with create(**named, extra_body=body, timeout=request.timeout_s) as response:
            assembler = Assembler(self._who, request, on_delta)
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return await self._streamed(response.iter_bytes(), request, assembler)
            return _at_once(await whole(self._who, response.iter_bytes()), assembler)

    def _body(self, request: ModelRequest, files: Mapping[str, bytes]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "messages": _messages(request, files),
        }
        if request.system:
            body["system"] = [{"type": "text", "text": request.system}]
        if tools := known_tools(request):
            body["tools"] = [
                {"name": t.name, "description": t.description, "input_schema": object_schema(t.input_schema)}
                for t in tools
            ]
            if not request.tools:
                body["tool_choice"] = {"type": "none"}
        if request.temperature is not None and self._temperature:
            body["temperature"] = request.temperature
        if request.output_schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.output_schema}}
        if self._prompt_cache:
            _mark_for_cache(body)
        return body | self._extra

    async def _streamed(self, chunks: Any, request: ModelRequest, assembler: Assembler) -> ModelReply:
        usage = _Usage()
        stop, model = "", ""
        async with aclosing(sse(self._who, chunks)) as events:
            async for data in events:
                event = _events.decode(data)
                if event.type == "message_stop":
                    return assembler.finish(_STOPS.get(stop, "other"), _usage(usage), model)
                if event.type == "error":
                    failed = event.error or _Failure()
                    status = _STATUS_OF.get(failed.type, 500)
                    raise failures.refused(self._who, status, failed.message, model=request.model)
                if event.message is not None:
                    usage, model = event.message.usage or usage, event.message.model
                if event.usage is not None:
                    usage = _latest(usage, event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    stop = event.delta.stop_reason
                _take_event(event, assembler)
        raise failures.cut_short(self._who, usage=_usage(usage))

    def _failure(self, error: Exception, request: ModelRequest) -> ModelError:
        vendor = _vendor()
        name = type(error).__name__
        if isinstance(error, vendor.APIStatusError):
            return failures.refused(
                self._who, error.status_code, _error_text(error.body), model=request.model,
                retry_after_s=failures.retry_after(error.response.headers),
            )  # fmt: skip
        if isinstance(error, TimeoutError | vendor.APITimeoutError) or name.endswith("Timeout"):
            return failures.timed_out(self._who)
        if isinstance(error, vendor.APIConnectionError):
            return failures.unreachable(self._who, type(error.__cause__ or error).__name__)
        if isinstance(error, msgspec.DecodeError | RecursionError | UnicodeDecodeError):
            return failures.not_understood(self._who, str(error))
        if name in ("RemoteProtocolError", "ReadError", "DecodingError", "StreamClosed", "CloseError"):
            return failures.cut_short(self._who)  # of httpx or httpx2, whichever the client uses
        return ModelError(
            f"the call of anthropic failed (`{name}`)", help="report this with the version of `anthropic`"
        )


def _vendor() -> ModuleType:
    try:
        import anthropic
    except ImportError:
        pass
    else:
        return anthropic
    raise ConfigError(
        "the `anthropic` client is not installed", code="E210", help=how_to_install("anthropic")
    )


def _at_once(body: bytes, assembler: Assembler) -> ModelReply:
    answer = _answers.decode(body) if body.strip() else _Answer()
    for index, block in enumerate(answer.content):
        _take_block(index, block, assembler)
    return assembler.finish(
        _STOPS.get(answer.stop_reason or "", "other"), _usage(answer.usage or _Usage()), answer.model
    )


def _take_block(index: int, block: _Block, assembler: Assembler) -> None:
    if block.type == "text":
        assembler.text(index, block.text)
    elif block.type == "thinking":
        assembler.thinking(index, block.thinking)
        if block.signature:
            assembler.sign(index, block.signature)
    elif block.type == "redacted_thinking":
        assembler.sign(index, REDACTED + block.data)
    elif block.type == "tool_use":
        assembler.tool(index, block.id, block.name)
        assembler.arguments(index, bytes(block.input).decode("utf-8", "replace"))


def _take_event(event: _Event, assembler: Assembler) -> None:
    if event.type == "content_block_start" and event.content_block is not None:
        block = event.content_block
        if block.type == "tool_use":  # its input follows in pieces; the `{}` given here is a placeholder
            assembler.tool(event.index, block.id, block.name)
        else:
            _take_block(event.index, block, assembler)
    elif event.type == "content_block_delta" and event.delta is not None:
        delta = event.delta
        if delta.type == "text_delta":
            assembler.text(event.index, delta.text)
        elif delta.type == "thinking_delta":
            assembler.thinking(event.index, delta.thinking)
        elif delta.type == "signature_delta":
            assembler.sign(event.index, delta.signature)
        elif delta.type == "input_json_delta":
            assembler.arguments(event.index, delta.partial_json)


def _latest(known: _Usage, said: _Usage) -> _Usage:
    """Usage in a stream is cumulative: what is said later replaces what was said before."""
    return _Usage(*(b if b is not None else a for a, b in zip(_fields(known), _fields(said), strict=True)))


def _fields(usage: _Usage) -> tuple[int | None, ...]:
    return msgspec.structs.astuple(usage)


def _usage(usage: _Usage) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
        model_calls=1,
    )


def _error_text(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else ""


def _mark_for_cache(body: dict[str, Any]) -> None:
    """Everything before a mark is cached: tools and instructions together, then the conversation."""
    mark = {"cache_control": {"type": "ephemeral"}}
    head = body.get("system") or body.get("tools")
    if head:
        head[-1] |= mark
    last = body["messages"][-1]["content"][-1]
    if last["type"] not in ("thinking", "redacted_thinking"):
        last |= mark


def _messages(request: ModelRequest, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": [sent for b in blocks if (sent := _block(b, files)) is not None]}
        for role, blocks in turns(request.messages)
    ]


def _block(block: Block, files: Mapping[str, bytes]) -> dict[str, Any] | None:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Thinking):
        return _thinking(block)
    if isinstance(block, ToolUse):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": sent_input(block)}
    if isinstance(block, ToolResult):
        result = {"type": "tool_result", "tool_use_id": block.tool_use_id, "content": result_text(block)}
        return result | {"is_error": True} if block.is_error else result
    if isinstance(block, Image):
        return {"type": "image", "source": _source(block, files)}
    return {"type": "document", "source": _source(block, files)} | (
        {"title": block.name} if block.name else {}
    )


def _thinking(block: Thinking) -> dict[str, Any] | None:
    """Reasoning without a signature is another provider's and is left out."""
    if block.signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": block.signature.removeprefix(REDACTED)}
    if not block.signature:
        return None
    return {"type": "thinking", "thinking": block.text, "signature": block.signature}


def _source(block: Image | Document, files: Mapping[str, bytes]) -> dict[str, str]:
    data = files[block.digest]
    if isinstance(block, Document) and block.media_type.startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": data.decode("utf-8", "replace")}
    return {"type": "base64", "media_type": block.media_type, "data": base64.b64encode(data).decode()}
