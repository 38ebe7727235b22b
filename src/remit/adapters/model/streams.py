"""Server-sent events from bytes, and clients that live as long as their event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

from remit.adapters.model import failures
from remit.adapters.model.failures import MAX_ANSWER_BYTES, Provider

T = TypeVar("T")


async def sse(who: Provider, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The data of each event. Lines end at LF or CRLF only: a raw U+2028 inside JSON is text.

    Raises ModelError E608 when one event passes 8 MB.
    """
    rest = b""
    data: list[bytes] = []
    async with aclosing(chunks):
        async for chunk in chunks:
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            if len(rest) > MAX_ANSWER_BYTES:
                raise failures.too_large(who)
            for line in lines:
                line = line.removesuffix(b"\r")
                if line.startswith(b"data:"):
                    data.append(line[5:].removeprefix(b" "))
                elif not line and data:
                    yield b"\n".join(data)
                    data = []
    # an event that no blank line ended was cut: it is not delivered


async def whole(who: Provider, chunks: AsyncGenerator[bytes, None]) -> bytes:
    """The body, at most 8 MB. Raises ModelError E608 without reading on."""
    body = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise failures.too_large(who)
    return bytes(body)


class PerLoop(Generic[T]):
    """A client made on first use and again when another event loop asks: connections belong to their loop."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._held: tuple[asyncio.AbstractEventLoop, T] | None = None

    def get(self) -> T:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        if self._held is None or self._held[0] is not loop:
            self._held = (loop, self._make())
        return self._held[1]

    async def close(self) -> None:
        """Close the client, when the running loop is its own; another loop's is let go."""
        held, self._held = self._held, None
        if held is not None and held[0] is asyncio.get_running_loop():
            await self._close(held[1])
