"""HTTP goes to the configured origin only, and what goes wrong says whether the request was taken in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from remit.adapters.mcp.servers import Endpoint
from remit.core.errors import ToolError

Answer = Callable[[bytes], Awaitable[bytes]]


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server on a socket that gives every request the same bytes, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp", asked


def http(status: str, *headers: str, body: str = "") -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed(opened, status: str) -> None:
    """Neither to another host nor on the same one: the secret in the headers goes nowhere else."""
    async with answering(http("200 OK")) as (elsewhere, stolen):
        for target in (elsewhere, "/mcp/"):
            async with answering(http(status, f"Location: {target}")) as (url, asked):
                pool = opened(Endpoint(url=url, secrets={"Authorization": "token"}))
                with pytest.raises(ToolError, match="redirects") as refused:
                    await pool.call("local", "s", "echo", {}, key="k")
                assert refused.value.code == "E953"
                assert b"token of local" in asked[0]
                assert all(b"POST /mcp HTTP" in head for head in asked)
        assert stolen == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http("401 Unauthorized"), "HTTP 401"),
        (http("403 Forbidden"), "HTTP 403"),
        (http("503 Busy"), "HTTP 503"),
        (http("404 Not Found"), "HTTP 404"),
        (http("200 OK", "Content-Type: text/html", body="<p>hello</p>"), "content type"),
        (b"nonsense\r\n\r\n", "broke"),
        (b"", "broke"),
    ],
)
async def test_a_server_that_cannot_be_spoken_with_did_nothing(opened, answer: bytes, why: str) -> None:
    """Before the first call two agree on a version: what goes wrong there is no effect in doubt."""
    async with answering(answer) as (url, _):
        with pytest.raises(ToolError, match=why) as refused:
            await opened(Endpoint(url=url)).call("local", "s", "echo", {}, key="k")
        assert refused.value.code == "E953"


async def test_nobody_there_is_said_at_once(opened) -> None:
    """Nothing listens."""
    async with answering(b"") as (url, _):
        pass
    with pytest.raises(ToolError, match="cannot be reached") as refused:
        await opened(Endpoint(url=url)).call("local", "s", "echo", {}, key="k")
    assert refused.value.retryable
