"""Events of API Gateway (REST and HTTP) and of function URLs, as requests of an ASGI application and its answers as theirs.

Lambda hands a request over whole and takes an answer whole. A stream without an end, such as server-sent events, is cut
when its time is up; what came until then is the answer.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

from remit.functions.invocation import Event

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

STREAM = "text/event-stream"
_TEXT = ("text/", "application/json", "application/xml", "application/javascript", "application/problem+json")


class Answer(NamedTuple):
    """An answer of an application; `headers` as they were sent, one by one."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def scope_of(event: Event) -> Message:
    """The ASGI scope of an event. A stage's name in front of the path is left out."""
    is_second = event.get("version") == "2.0"
    context = event.get("requestContext", {})
    path = event.get("rawPath", "/") if is_second else event.get("path") or "/"
    stage = context.get("stage", "")
    if is_second and stage not in ("", "$default") and (path == f"/{stage}" or path.startswith(f"/{stage}/")):
        path = path.removeprefix(f"/{stage}") or "/"
    headers = _headers(event, is_second=is_second)
    known = dict(headers)
    host = known.get(b"host", b"").decode("latin-1")
    http = context.get("http", {})
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": (http.get("method") if is_second else event.get("httpMethod")) or "GET",
        "scheme": known.get(b"x-forwarded-proto", b"https").decode("latin-1"),
        "path": unquote(path),
        "raw_path": quote(path, safe="/%:@!$&'()*+,;=~-._").encode(),
        "root_path": "",
        "query_string": _query(event, is_second=is_second),
        "headers": headers,
        "server": (host.partition(":")[0] or "lambda", 443),
        "client": ((http if is_second else context.get("identity", {})).get("sourceIp") or "", 0),
    }


def body_of(event: Event) -> bytes:
    """The bytes of a request's body."""
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def answer_for(event: Event, answer: Answer) -> Event:
    """The answer in the form that the sender of the event understands."""
    given: Event = {"statusCode": answer.status, **_body(answer)}
    if event.get("version") == "2.0":
        joined: dict[str, str] = {}
        for name, value in answer.headers:
            if name != "set-cookie":
                joined[name] = f"{joined[name]}, {value}" if name in joined else value
        cookies = [value for name, value in answer.headers if name == "set-cookie"]
        return {**given, "headers": joined, **({"cookies": cookies} if cookies else {})}
    many: dict[str, list[str]] = {}
    for name, value in answer.headers:
        many.setdefault(name, []).append(value)
    return {**given, "multiValueHeaders": many}


async def ask(application: Application, scope: Message, body: bytes, *, stream_s: float) -> Answer:
    """The application's answer. A stream is listened to for `stream_s` seconds at most. Raises what the application raises."""
    exchange = _Exchange(body)
    task = asyncio.create_task(_run(application, scope, exchange))
    try:
        await exchange.started.wait()
        if exchange.is_stream:
            await asyncio.wait({task}, timeout=stream_s)
            if not task.done():
                return exchange.answer()
        await asyncio.wait({task})
        if not exchange.is_whole:
            task.result()
            raise RuntimeError("the application ended without an answer")
        return (
            exchange.answer()
        )  # an application may answer that it failed, and raise what it failed of besides
    finally:
        exchange.gone.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(application: Application, scope: Message, exchange: _Exchange) -> None:
    try:
        await application(scope, exchange.receive, exchange.send)
    finally:
        exchange.started.set()


class _Exchange:
    """One request and what came as its answer so far. `is_whole`: nothing more comes."""

    def __init__(self, body: bytes) -> None:
        self.started = asyncio.Event()
        self.gone = asyncio.Event()
        self.is_whole = False
        self._given = [body]
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    @property
    def is_stream(self) -> bool:
        """Whether the answer has no end of its own."""
        return any(name == "content-type" and value.startswith(STREAM) for name, value in self._headers)

    async def receive(self) -> Message:
        """The body, and after that nothing until the exchange is over."""
        if self._given:
            return {"type": "http.request", "body": self._given.pop(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep a part of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            self.is_whole = not message.get("more_body", False)
            self.started.set()

    def answer(self) -> Answer:
        """What came."""
        return Answer(self._status, self._headers, bytes(self._body))


def _headers(event: Event, *, is_second: bool) -> list[tuple[bytes, bytes]]:
    if is_second:
        pairs = list((event.get("headers") or {}).items())
        if cookies := event.get("cookies"):
            pairs.append(("cookie", "; ".join(cookies)))
    else:
        pairs = list(_each(event, "multiValueHeaders", "headers"))
    return [
        (name.lower().encode("latin-1"), str(value).encode("latin-1", "replace")) for name, value in pairs
    ]


def _query(event: Event, *, is_second: bool) -> bytes:
    if is_second:
        return (event.get("rawQueryString") or "").encode()
    # API Gateway has decoded what it hands over here.
    return urlencode(list(_each(event, "multiValueQueryStringParameters", "queryStringParameters"))).encode()


def _each(event: Event, many: str, single: str) -> Iterable[tuple[str, str]]:
    lists: Mapping[str, list[str]] | None = event.get(many)
    if lists:
        return [(name, value) for name, values in lists.items() for value in values]
    return list((event.get(single) or {}).items())


def _body(answer: Answer) -> Event:
    headers = dict(answer.headers)
    kind = headers.get("content-type", "")
    is_text = (kind.startswith(_TEXT) or "+json" in kind or not kind) and "content-encoding" not in headers
    if is_text:
        try:
            return {"body": answer.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(answer.body).decode(), "isBase64Encoded": True}
