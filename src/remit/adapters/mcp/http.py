"""What goes over HTTP to a server: to its own origin only, never along a redirect, and no more back than agreed.

What went wrong becomes an answer that says whether the request was taken in: the SDK would drop the connection, with every
call on it, and not say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from remit.core.codec import encode

NOT_SENT = -39953
"""A JSON-RPC error code of ours: the request did not reach the server, or was refused before it was looked at."""

GONE = -39954
"""The server no longer knows the session: connect anew."""

CUT = -39955
"""The request went out, and what came back is none that can be used."""


class Door(httpx2.AsyncBaseTransport):
    """The way to one origin."""

    def __init__(self, origin: httpx2.URL, most_bytes: int, inner: httpx2.AsyncBaseTransport) -> None:
        self._origin = _origin(origin)
        self._most_bytes = most_bytes
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and answer with a JSON-RPC error for whatever is no answer."""
        if _origin(request.url) != self._origin:
            return _error(request, NOT_SENT, f"`{request.url.host}` is not where the server is")
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            return _error(request, NOT_SENT, f"it cannot be reached: {error or type(error).__name__}")
        except httpx2.TransportError as error:
            return _error(request, CUT, f"the connection broke: {error or type(error).__name__}")
        refusal = _refusal(request, response)
        if refusal is not None:
            await response.aclose()
            return refusal
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = Capped(response.stream, self._most_bytes)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class Capped(httpx2.AsyncByteStream):
    """A body that breaks off where it grows beyond what was agreed."""

    def __init__(self, inner: httpx2.AsyncByteStream, most_bytes: int) -> None:
        self._inner = inner
        self._left = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises StreamError when it is too long or breaks off, which costs this request only."""
        try:
            async for piece in self._inner:
                self._left -= len(piece)
                if self._left < 0:
                    raise httpx2.StreamError("the answer is too long")
                yield piece
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"the connection broke: {error or type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()


def client(url: str, headers: Mapping[str, str], *, timeout_s: float, most_bytes: int) -> httpx2.AsyncClient:
    """An HTTP client for the server at `url`, with nothing of the environment: no proxy, no `.netrc`."""
    door = Door(httpx2.URL(url), most_bytes, httpx2.AsyncHTTPTransport(trust_env=False))
    timeout = httpx2.Timeout(10.0, read=timeout_s)
    return httpx2.AsyncClient(transport=door, headers=dict(headers), timeout=timeout, trust_env=False)


def _refusal(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response | None:
    """The error that an answer is, unless it is one that the SDK understands."""
    status = response.status_code
    if 300 <= status < 400:
        return _error(
            request, NOT_SENT, "it redirects, which is never followed: put the right `url` in remit.toml"
        )
    if status in (401, 403):
        return _error(request, NOT_SENT, f"it lets nobody in with these credentials (HTTP {status})", status)
    if status < 400 or response.headers.get("content-type", "").lower().startswith("application/json"):
        return None
    if status == 404 and "mcp-session-id" in request.headers:
        return _error(request, GONE, "it no longer knows this session", status)
    return _error(request, NOT_SENT if status < 500 else CUT, f"it answered HTTP {status}", status)


def _error(request: httpx2.Request, code: int, message: str, status: int = 502) -> httpx2.Response:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    headers = {"content-type": "application/json"}
    return httpx2.Response(status, headers=headers, content=encode(body), request=request)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
