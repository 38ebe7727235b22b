"""Web sites on loopback: each answers by path with the very bytes it is told, keeps what it was asked, and counts connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from remit.adapters.extraction.files import FileExtraction
from remit.adapters.web.fetching import Fetcher
from remit.adapters.web.wire import Wire

Behave = Callable[["Site", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """What a site was asked. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """`routes` maps a path without its query to a whole HTTP answer, or to what is done with the connection."""

    port: int = 0
    routes: dict[str, bytes | Behave] = field(default_factory=dict)
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        """An address of this site."""
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.connections += 1
        try:
            request = await _read(reader)
            self.requests.append(request)
            answer = self.routes.get(request.path.partition("?")[0], reply(b"not here", status=404))
            if callable(answer):
                await answer(self, writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


@asynccontextmanager
async def site(
    hosts: Sequence[str] = ("127.0.0.1",), *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Site]:
    """A site at addresses of this machine, on one port."""
    made = Site()
    server = await asyncio.start_server(made.serve, hosts[0], port, ssl=tls)
    servers = [server]
    made.port = server.sockets[0].getsockname()[1]
    try:
        servers += [await asyncio.start_server(made.serve, host, made.port, ssl=tls) for host in hosts[1:]]
        yield made
    finally:
        for server in servers:
            server.close()


def reply(
    body: bytes = b"", media_type: str = "text/plain", *, status: int = 200, headers: Sequence[str] = ()
) -> bytes:
    """A whole HTTP answer."""
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    """A redirect, with a location that is sent as it is."""
    head = f"HTTP/1.1 {status} Elsewhere\r\nContent-Length: 0\r\nConnection: close\r\nLocation: "
    return head.encode() + location.encode() + b"\r\n\r\n"


class Names:
    """A resolver that answers what it is told, one answer after another for each name, and keeps what it was asked."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        """The next answer for a name; the last one stays."""
        self.asked.append(host)
        given = self._answers.get(host)
        if not given:
            raise OSError(f"no such host: {host}")
        return given.pop(0) if len(given) > 1 else given[0]


def fetcher(wire: Wire, *, wall_s: float = 15.0, timeout_s: float = 20.0) -> Fetcher:
    """Pages through a wire, read as in a deployment."""
    return Fetcher(FileExtraction(wall_s=wall_s), wire, timeout_s=timeout_s)


def reaching(*sites: Site, address: str = "127.0.0.1", **more: object) -> Wire:
    """A wire that may reach these sites although they are on loopback, and nothing else there."""
    given = {"timeout_s": 5.0, "ports": None, **more}
    return Wire(reachable=[(address, s.port) for s in sites], **given)  # type: ignore[arg-type]
