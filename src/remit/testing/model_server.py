"""A model provider on loopback for tests: real HTTP, three wire formats, scripted answers and faults.

    with ModelServer() as server:
        server.script(Turn("Hello"), Status(429, retry_after=2), Cut(Turn("never seen whole"), keep=0.5))
        ... a client at server.openai_url, server.anthropic_url or server.bedrock_url ...
        assert server.requests[0].body["messages"]

Each request takes the next step of the script and answers it in the format its path belongs to. A request beyond the
script gets a 500 that says so. Nothing sleeps: a hang lasts until the client goes away or the server closes.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from msgspec import Struct

Format = Literal["openai", "anthropic", "bedrock"]


class Call(Struct, frozen=True):
    """A tool call of a turn; `arguments` is the raw text a model would write, well-formed or not."""

    id: str
    name: str
    arguments: str = "{}"


class Tokens(Struct, frozen=True):
    """What the server says was used. `input` does not contain the cached tokens."""

    input: int = 10
    output: int = 5
    cache_read: int = 0
    cache_write: int = 0


class Turn(Struct, frozen=True):
    """An answer. `stop` is written as given (empty: what fits the turn). A stream sends texts in pieces of `piece` characters."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""
    signature: str = ""
    redacted: str = ""
    stop: str = ""
    tokens: Tokens = Tokens()
    model: str = "served-model"
    piece: int = 7


class Status(Struct, frozen=True):
    """An HTTP error; `retry_after` is written into the header as it is; `kind` overrides the provider's error name."""

    status: int
    retry_after: str | int | None = None
    message: str = "scripted failure"
    kind: str = ""


class Cut(Struct, frozen=True):
    """A turn whose bytes stop after the share `keep`, then the connection closes. `neatly` ends the chunked body properly."""

    turn: Turn
    keep: float = 0.5
    neatly: bool = False


class Hang(Struct, frozen=True):
    """Accepts the request and says nothing; with `after` it first sends the headers and the first half of that turn."""

    after: Turn | None = None


class StreamError(Struct, frozen=True):
    """An error that a provider reports inside a stream that began well."""

    kind: str = "overloaded"
    message: str = "scripted failure"


class Body(Struct, frozen=True):
    """A body as given, with status 200."""

    data: bytes
    content_type: str = "application/json"


Step = Turn | Status | Cut | Hang | StreamError | Body

EMPTY = Body(b"")
"""An empty body."""


def huge(megabytes: int = 10) -> Turn:
    """A turn whose text has so many megabytes, in large pieces."""
    return Turn("x" * (megabytes * 1024 * 1024), piece=256 * 1024)


class Recorded(Struct, frozen=True):
    """A request as it arrived. `body` is the decoded JSON."""

    path: str
    headers: dict[str, str]
    body: Any


class ModelServer:
    """The server; a context manager. `requests` has what arrived, in order; `asked` is notified of each."""

    def __init__(self, *steps: Step, port: int = 0) -> None:
        self._steps: deque[Step] = deque(steps)
        self._lock = threading.Lock()
        self.asked = threading.Condition(self._lock)
        self.closing = threading.Event()
        self.requests: list[Recorded] = []
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.closing.is_set():
            return
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """Base URL for OpenAI clients."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """Base URL for Anthropic clients."""
        return self.url

    @property
    def bedrock_url(self) -> str:
        """Endpoint URL for boto3's `bedrock-runtime`."""
        return self.url

    def script(self, *steps: Step) -> None:
        """Add steps for the requests to come."""
        with self._lock:
            self._steps.extend(steps)

    @property
    def left(self) -> int:
        """Steps that no request has taken yet."""
        return len(self._steps)

    def take(self, request: Recorded) -> Step:
        """Record a request and give its step."""
        with self._lock:
            self.requests.append(request)
            self.asked.notify_all()
            return self._steps.popleft() if self._steps else Status(500, message="the script is at its end")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"null")
        headers = {name.lower(): value for name, value in self.headers.items()}
        step = self.server.owner.take(Recorded(self.path, headers, body))
        format = _format(self.path)
        stream = self.path.endswith("/converse-stream") or (
            isinstance(body, dict) and bool(body.get("stream"))
        )
        match step:
            case Status():
                self._refuse(step, format)
            case Body():
                self._whole(step.data, step.content_type)
            case Hang(after=None):
                self._wait_for_the_end()
            case Hang(after=Turn() as turn):
                self._partial(_pieces(turn, format) if stream else [_body(turn, format)], format, stream, 0.5)
                self._wait_for_the_end()
            case Cut():
                pieces = _pieces(step.turn, format) if stream else [_body(step.turn, format)]
                self._partial(pieces, format, stream, step.keep)
                self._cut(stream and step.neatly)
            case StreamError():
                self._partial(
                    [*_pieces(Turn("begun"), format)[:3], _error_event(step, format)], format, True, 1.0
                )
                self._cut(neatly=True)
            case Turn() if stream:
                self._partial(_pieces(step, format), format, True, 1.0)
                self._cut(neatly=True)
            case Turn():
                self._whole(_body(step, format), "application/json")

    def _refuse(self, step: Status, format: Format) -> None:
        kind = step.kind or _KINDS[format].get(step.status, "unknown")
        data = json.dumps(_error_body(kind, step.message, format)).encode()
        self.send_response(step.status)
        if step.retry_after is not None:
            self.send_header("retry-after", str(step.retry_after))
        if format == "bedrock":
            self.send_header("x-amzn-errortype", kind)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _whole(self, data: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _partial(self, pieces: list[bytes], format: Format, stream: bool, keep: float) -> None:
        """Headers, then the first `keep` of all bytes; a stream is chunked, a whole body promises its full length."""
        total = sum(map(len, pieces))
        self.send_response(200)
        if stream:
            self.send_header("content-type", _STREAM_TYPES[format])
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(total))
        self.end_headers()
        left = int(total * keep)
        for piece in pieces:
            piece = piece[:left]
            left -= len(piece)
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if stream else piece)
        self.wfile.flush()

    def _cut(self, neatly: bool) -> None:
        if neatly:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _wait_for_the_end(self) -> None:
        """Until the client closes its side or the server shuts down."""
        self.close_connection = True
        while not self.server.owner.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(4096):
                return


_STREAM_TYPES: dict[Format, str] = {
    "openai": "text/event-stream; charset=utf-8",
    "anthropic": "text/event-stream; charset=utf-8",
    "bedrock": "application/vnd.amazon.eventstream",
}
_KINDS: dict[Format, dict[int, str]] = {
    "openai": {400: "invalid_request_error", 401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"},
    "anthropic": {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
        429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
    },
    "bedrock": {
        400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException",
        404: "ResourceNotFoundException", 408: "ModelTimeoutException", 429: "ThrottlingException",
        500: "InternalServerException", 503: "ServiceUnavailableException",
    },
}  # fmt: skip


def _format(path: str) -> Format:
    if path.startswith("/model/"):
        return "bedrock"
    return "anthropic" if path.split("?")[0].endswith("/messages") else "openai"


def _error_body(kind: str, message: str, format: Format) -> Any:
    if format == "bedrock":
        return {"message": message}
    if format == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": message}}
    return {"error": {"message": message, "type": kind, "code": kind}}


def _error_event(step: StreamError, format: Format) -> bytes:
    if format == "bedrock":
        kind = {"overloaded": "serviceUnavailableException", "rate": "throttlingException"}.get(
            step.kind, step.kind
        )
        return event_message(
            {":message-type": "exception", ":exception-type": kind}, {"message": step.message}
        )
    kinds = {"overloaded": "overloaded_error", "rate": "rate_limit_error"} if format == "anthropic" else {
        "overloaded": "server_error", "rate": "rate_limit_exceeded"
    }  # fmt: skip
    body = _error_body(kinds.get(step.kind, step.kind), step.message, format)
    return _sse(body, "error" if format == "anthropic" else "")


def _body(turn: Turn, format: Format) -> bytes:
    return {"openai": _openai_body, "anthropic": _anthropic_body, "bedrock": _bedrock_body}[format](turn)


def _pieces(turn: Turn, format: Format) -> list[bytes]:
    make = {"openai": _openai_pieces, "anthropic": _anthropic_pieces, "bedrock": _bedrock_pieces}[format]
    return list(make(turn))


def _split(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _sse(data: Any, event: str = "") -> bytes:
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode("utf-8", "surrogatepass")


def _inlined(template: Any, calls: tuple[Call, ...]) -> bytes:
    """JSON with each call's raw arguments in place of `@INPUT0`: as an object where JSON of any kind, else as a string."""
    text = json.dumps(template)
    for place, call in enumerate(calls):
        text = text.replace(
            f'"@INPUT{place}"', call.arguments if _is_json(call.arguments) else json.dumps(call.arguments)
        )
    return text.encode("utf-8", "surrogatepass")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


# --- OpenAI chat completions


def _openai_stop(turn: Turn) -> str:
    return turn.stop or ("tool_calls" if turn.calls else "stop")


def _openai_usage(tokens: Tokens) -> dict[str, Any]:
    prompt = tokens.input + tokens.cache_read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
    }


def _openai_body(turn: Turn) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
    if turn.thinking:
        message["reasoning_content"] = turn.thinking
    if turn.calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in turn.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _openai_stop(turn)}
    body = {"id": "c", "object": "chat.completion", "model": turn.model, "choices": [choice]}
    return json.dumps(body | {"usage": _openai_usage(turn.tokens)}).encode()


def _openai_pieces(turn: Turn) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], stop: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": stop}
        return _sse({"id": "c", "object": "chat.completion.chunk", "model": turn.model, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _split(turn.thinking, turn.piece):
        yield chunk({"reasoning_content": piece})
    for piece in _split(turn.text, turn.piece):
        yield chunk({"content": piece})
    for index, call in enumerate(turn.calls):
        function = {"name": call.name, "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}
        )
        for piece in _split(call.arguments, turn.piece):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _openai_stop(turn))
    yield _sse({"id": "c", "model": turn.model, "choices": [], "usage": _openai_usage(turn.tokens)})
    yield b"data: [DONE]\n\n"


# --- Anthropic messages


def _anthropic_stop(turn: Turn) -> str:
    return turn.stop or ("tool_use" if turn.calls else "end_turn")


def _anthropic_usage(tokens: Tokens) -> dict[str, int]:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": tokens.cache_write,
    }


def _anthropic_body(turn: Turn) -> bytes:
    content: list[dict[str, Any]] = []
    if turn.thinking or turn.signature:
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": turn.signature})
    if turn.redacted:
        content.append({"type": "redacted_thinking", "data": turn.redacted})
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    for place, call in enumerate(turn.calls):
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": f"@INPUT{place}"})
    body = {
        "id": "m", "type": "message", "role": "assistant", "model": turn.model, "content": content,
        "stop_reason": _anthropic_stop(turn), "stop_sequence": None, "usage": _anthropic_usage(turn.tokens),
    }  # fmt: skip
    return _inlined(body, turn.calls)


def _anthropic_blocks(turn: Turn) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each block's start and its deltas."""
    if turn.thinking or turn.signature:
        deltas = [{"type": "thinking_delta", "thinking": p} for p in _split(turn.thinking, turn.piece)]
        sign = {"type": "signature_delta", "signature": turn.signature}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, sign]
    if turn.redacted:
        yield {"type": "redacted_thinking", "data": turn.redacted}, []
    if turn.text:
        yield (
            {"type": "text", "text": ""},
            [{"type": "text_delta", "text": p} for p in _split(turn.text, turn.piece)],
        )
    for call in turn.calls:
        inputs = [{"type": "input_json_delta", "partial_json": p} for p in _split(call.arguments, turn.piece)]
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, inputs


def _anthropic_pieces(turn: Turn) -> Iterator[bytes]:
    def event(kind: str, **fields: Any) -> bytes:
        return _sse({"type": kind, **fields}, kind)

    usage = _anthropic_usage(turn.tokens)
    start = {"id": "m", "type": "message", "role": "assistant", "model": turn.model, "content": []}
    yield event("message_start", message=start | {"stop_reason": None, "usage": usage | {"output_tokens": 1}})
    yield event("ping")
    for index, (block, deltas) in enumerate(_anthropic_blocks(turn)):
        yield event("content_block_start", index=index, content_block=block)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    stop = {"stop_reason": _anthropic_stop(turn), "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": turn.tokens.output})
    yield event("message_stop")


# --- Bedrock Converse


def _bedrock_usage(tokens: Tokens) -> dict[str, int]:
    return {
        "inputTokens": tokens.input,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cache_read,
        "cacheWriteInputTokens": tokens.cache_write,
    }


def _bedrock_body(turn: Turn) -> bytes:
    content: list[dict[str, Any]] = []
    if turn.thinking or turn.signature:
        content.append(
            {"reasoningContent": {"reasoningText": {"text": turn.thinking, "signature": turn.signature}}}
        )
    if turn.redacted:
        content.append(
            {"reasoningContent": {"redactedContent": base64.b64encode(turn.redacted.encode()).decode()}}
        )
    if turn.text:
        content.append({"text": turn.text})
    for place, call in enumerate(turn.calls):
        content.append({"toolUse": {"toolUseId": call.id, "name": call.name, "input": f"@INPUT{place}"}})
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _anthropic_stop(turn),
        "usage": _bedrock_usage(turn.tokens),
        "metrics": {"latencyMs": 1},
    }
    return _inlined(body, turn.calls)


def _bedrock_blocks(turn: Turn) -> Iterator[tuple[dict[str, Any] | None, list[dict[str, Any]]]]:
    """Each block's start (only tool calls have one) and its deltas."""
    if turn.thinking or turn.signature:
        deltas: list[dict[str, Any]] = [
            {"reasoningContent": {"text": p}} for p in _split(turn.thinking, turn.piece)
        ]
        yield None, [*deltas, {"reasoningContent": {"signature": turn.signature}}]
    if turn.redacted:
        yield (
            None,
            [{"reasoningContent": {"redactedContent": base64.b64encode(turn.redacted.encode()).decode()}}],
        )
    if turn.text:
        yield None, [{"text": p} for p in _split(turn.text, turn.piece)]
    for call in turn.calls:
        start = {"toolUse": {"toolUseId": call.id, "name": call.name}}
        yield start, [{"toolUse": {"input": p}} for p in _split(call.arguments, turn.piece)]


def _bedrock_pieces(turn: Turn) -> Iterator[bytes]:
    def event(kind: str, body: dict[str, Any]) -> bytes:
        return event_message({":message-type": "event", ":event-type": kind}, body)

    yield event("messageStart", {"role": "assistant"})
    for index, (start, deltas) in enumerate(_bedrock_blocks(turn)):
        if start is not None:
            yield event("contentBlockStart", {"contentBlockIndex": index, "start": start})
        for delta in deltas:
            yield event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})
        yield event("contentBlockStop", {"contentBlockIndex": index})
    yield event("messageStop", {"stopReason": _anthropic_stop(turn)})
    yield event("metadata", {"usage": _bedrock_usage(turn.tokens), "metrics": {"latencyMs": 1}})


def event_message(headers: dict[str, str], body: dict[str, Any]) -> bytes:
    """One message in AWS event-stream framing: lengths, their CRC, headers, payload, and the CRC of all of it."""
    coded = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
        for name, value in ({":content-type": "application/json"} | headers).items()
    )
    payload = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    prelude = (16 + len(coded) + len(payload)).to_bytes(4, "big") + len(coded).to_bytes(4, "big")
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + coded + payload
    return message + zlib.crc32(message).to_bytes(4, "big")
