"""The OpenAI chat completions format over plain HTTP: OpenAI, Ollama, vLLM and most others."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast

import httpx
import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from remit.adapters.model import failures
from remit.adapters.model.assembly import Assembler
from remit.adapters.model.content import NOTHING, attachments, object_schema, result_text
from remit.adapters.model.failures import Provider
from remit.adapters.model.streams import PerLoop, sse, whole
from remit.core.budget import Usage
from remit.core.errors import ModelError
from remit.core.message import Block, Document, Image, Message, Text, ToolResult, ToolUse
from remit.core.tool import ToolSpec
from remit.ports.blobs import Blobs
from remit.ports.model import ModelReply, ModelRequest, OnDelta, StopReason

_STOPS: dict[str, StopReason] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "length": "max_tokens",
    "content_filter": "refusal",
}
_STATUS_OF = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "invalid_request_error": 400,
}


class _Function(Struct):
    name: str | None = None
    arguments: Raw = Raw(b"")


class _Call(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Said(Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Details(Struct):
    cached_tokens: int | None = None


class _Usage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Answer(Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any | UnsetType = UNSET


_answers = msgspec.json.Decoder(_Answer)


class OpenAIModel:
    """Chat completions at `base_url` (which ends in `/v1`), streamed when somebody listens.

    `max_tokens_field` is `max_tokens` as Ollama, vLLM and others know it, or `max_completion_tokens` as OpenAI's newer
    models demand; empty chooses by host. `extra` is merged into every request. `blobs` supplies images and
    documents. `client` replaces the HTTP client (proxies, certificates); without it the environment is not read.
    """

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "https://api.openai.com/v1",
        provider: str = "openai",
        max_tokens_field: str = "",
        extra: Mapping[str, Any] | None = None,
        blobs: Blobs | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._provider = provider
        self._base_url = base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._extra = dict(extra or {})
        self._blobs = blobs
        newer = httpx.URL(base_url).host == "api.openai.com"
        self._max_tokens_field = max_tokens_field or ("max_completion_tokens" if newer else "max_tokens")
        self._clients = PerLoop(lambda: client or _client(), httpx.AsyncClient.aclose)
        self._who = Provider(
            provider,
            "set `OPENAI_API_KEY`, or the key of this provider, to one that may use the model",
            "set the route's model to one that `GET /models` of this provider lists",
            (api_key,),
        )

    @property
    def provider(self) -> str:
        """`openai`, or the name given."""
        return self._provider

    def __repr__(self) -> str:
        return f"OpenAIModel({self._base_url!r})"

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """One attempt. Raises ModelError (see `failures`); nothing of the client's exceptions hangs on it."""
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._exchange(request, on_delta)
        except ModelError as error:
            failure = error
        except (TimeoutError, httpx.TimeoutException):
            failure = failures.timed_out(self._who)
        except httpx.RemoteProtocolError:
            failure = failures.cut_short(self._who)
        except (httpx.ReadError, httpx.DecodingError):
            failure = failures.cut_short(self._who)
        except (httpx.HTTPError, httpx.InvalidURL) as other:
            failure = failures.unreachable(self._who, type(other).__name__)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as other:
            failure = failures.not_understood(self._who, str(other))
        failure.__context__ = None
        raise failure

    async def close(self) -> None:
        """Let go of connections."""
        await self._clients.close()

    async def _exchange(self, request: ModelRequest, on_delta: OnDelta | None) -> ModelReply:
        files = await attachments(self._blobs, request.messages)
        body = self._body(request, files, stream=on_delta is not None)
        url = self._base_url + "/chat/completions"
        headers = {**self._headers, "content-type": "application/json"}
        timeout = httpx.Timeout(request.timeout_s, connect=min(10.0, request.timeout_s))
        sending = self._clients.get().stream(
            "POST", url, content=msgspec.json.encode(body), headers=headers, timeout=timeout
        )
        async with sending as response:
            if response.status_code != 200:
                raise await self._refusal(request, response)
            assembler = Assembler(self._who, request, on_delta)
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                return await self._streamed(response, assembler)
            return self._at_once(await whole(self._who, _bytes(response)), assembler)

    def _body(self, request: ModelRequest, files: Mapping[str, bytes], *, stream: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": _messages(request, files),
            self._max_tokens_field: request.max_tokens,
        }
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.output_schema is not None:
            body["response_format"] = _response_format(request.output_schema)
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body | self._extra

    async def _refusal(self, request: ModelRequest, response: httpx.Response) -> ModelError:
        said = (await whole(self._who, _bytes(response)))[:65_536]
        return failures.refused(
            self._who, response.status_code, _error_text(said), model=request.model,
            retry_after_s=failures.retry_after(response.headers),
        )  # fmt: skip

    def _at_once(self, body: bytes, assembler: Assembler) -> ModelReply:
        answer = _answers.decode(body) if body.strip() else _Answer()
        self._check(answer)
        choice = answer.choices[0] if answer.choices else _Choice()
        _take(choice.message or _Said(), assembler)
        return assembler.finish(_stop(choice), _usage(answer.usage), answer.model or "")

    async def _streamed(self, response: httpx.Response, assembler: Assembler) -> ModelReply:
        finished: _Choice | None = None
        usage: _Usage | None = None
        model = ""
        async with aclosing(sse(self._who, _bytes(response))) as events:
            async for data in events:
                if data == b"[DONE]":
                    break
                chunk = _answers.decode(data)
                self._check(chunk)
                model = chunk.model or model
                usage = chunk.usage or usage
                for choice in (chunk.choices or [])[:1]:
                    _take(choice.delta or _Said(), assembler)
                    finished = choice if choice.finish_reason else finished
        if finished is None:
            raise failures.cut_short(self._who, usage=_usage(usage))
        return assembler.finish(_stop(finished), _usage(usage), model)

    def _check(self, answer: _Answer) -> None:
        if answer.error is UNSET or answer.error is None:
            return
        error = answer.error if isinstance(answer.error, dict) else {"message": str(answer.error)}
        kind = str(error.get("code") or error.get("type") or "")
        status = int(kind) if kind.isascii() and kind.isdigit() else _STATUS_OF.get(kind, 500)
        raise failures.refused(self._who, status, str(error.get("message", kind)), model=answer.model or "")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=1000))


def _bytes(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


def _take(said: _Said, assembler: Assembler) -> None:
    reasoning = said.reasoning_content or said.reasoning
    if isinstance(reasoning, str):
        assembler.thinking("thinking", reasoning)
    assembler.text("text", said.content or said.refusal or "")
    for place, call in enumerate(said.tool_calls or []):
        key = ("tool", place if call.index is None else call.index)
        function = call.function or _Function()
        assembler.tool(key, call.id or "", function.name or "")
        assembler.arguments(key, _raw_arguments(bytes(function.arguments)))


def _raw_arguments(raw: bytes) -> str:
    """Arguments are a JSON string; some servers send the object itself, or null."""
    if raw.startswith(b'"'):
        return msgspec.json.decode(raw, type=str)
    return "" if raw == b"null" else raw.decode("utf-8", "replace")


def _stop(choice: _Choice) -> StopReason:
    said = choice.message or choice.delta
    if said is not None and said.refusal:
        return "refusal"
    return _STOPS.get(choice.finish_reason or "", "other")


def _usage(usage: _Usage | None) -> Usage:
    """`prompt_tokens` contains the cached ones; here they are apart."""
    if usage is None:
        return Usage(model_calls=1)
    cached = (usage.prompt_tokens_details.cached_tokens or 0) if usage.prompt_tokens_details else 0
    return Usage(
        input_tokens=max(0, (usage.prompt_tokens or 0) - cached),
        output_tokens=usage.completion_tokens or 0,
        cache_read_tokens=cached,
        model_calls=1,
    )


def _error_text(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body)["error"]
        said = error if isinstance(error, str) else f"{error.get('code') or ''} {error.get('message') or ''}"
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return ""
    return str(said)


def _messages(request: ModelRequest, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system else []
    for message in request.messages:
        sent.extend(_assistant(message) if message.role == "assistant" else _user(message, files))
    return sent


def _assistant(message: Message) -> list[dict[str, Any]]:
    """Reasoning is not sent back: this format has no place for it."""
    calls = [
        {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": _sent_arguments(use)}}
        for use in message.tool_uses
    ]
    turn: dict[str, Any] = {"role": "assistant", "content": message.text or (None if calls else NOTHING)}
    return [turn | {"tool_calls": calls} if calls else turn]


def _sent_arguments(use: ToolUse) -> str:
    if use.malformed is None:
        return msgspec.json.encode(use.input).decode()
    return msgspec.json.encode({"malformed_arguments": use.malformed[:2000]}).decode()


def _user(message: Message, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    for block in message.blocks:
        if isinstance(block, ToolResult):
            text = result_text(block)
            content = f"error: {text}" if block.is_error else text
            sent.append({"role": "tool", "tool_call_id": block.tool_use_id, "content": content})
    parts = [part for block in message.blocks if (part := _part(block, files)) is not None]
    if all(part["type"] == "text" for part in parts):
        text = "\n".join(part["text"] for part in parts)
        if text or not sent:
            sent.append({"role": "user", "content": text or NOTHING})
    else:
        sent.append({"role": "user", "content": parts})
    return sent


def _part(block: Block, files: Mapping[str, bytes]) -> dict[str, Any] | None:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text} if block.text else None
    if isinstance(block, Image):
        return {"type": "image_url", "image_url": {"url": _data_url(block, files)}}
    if not isinstance(block, Document):
        return None
    if block.media_type.startswith("text/"):
        return {"type": "text", "text": f"{block.name}\n{files[block.digest].decode('utf-8', 'replace')}"}
    return {
        "type": "file",
        "file": {"filename": block.name or "document", "file_data": _data_url(block, files)},
    }


def _data_url(block: Image | Document, files: Mapping[str, bytes]) -> str:
    return f"data:{block.media_type};base64,{base64.b64encode(files[block.digest]).decode()}"


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": object_schema(tool.input_schema),
    }
    return {"type": "function", "function": function}


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": _strictable(schema)},
    }


def _strictable(schema: Any) -> bool:
    """Strict mode wants every object closed and every property required."""
    if isinstance(schema, list):
        return all(_strictable(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if "properties" in schema:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema["properties"]):
            return False
    return all(_strictable(value) for value in schema.values())
