"""Server-sent events: a run's journal as it grows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from remit.core.codec import encode
from remit.core.errors import RemitError
from remit.core.view import EventView
from remit.ports.model import Delta
from remit.server.details import details, internal

MEDIA_TYPE = "text/event-stream"

HEARTBEAT_S = 15.0
"""Seconds of silence before a comment is sent, so that proxies keep the connection."""

BUFFERED = 256
"""Events read ahead for a slow client before the journal is no longer read for it."""

log = logging.getLogger("remit.server")


async def stream(
    events: AsyncIterator[EventView],
    deltas: AsyncIterator[Delta] | None,
    closing: asyncio.Event,
    *,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[bytes]:
    """Events as `id`, `event`, `data` until they end or the server closes; deltas in between, without an id.

    A client resumes with the last id it saw; deltas are not resumed, since the journal has the whole message.
    """
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(BUFFERED)
    pumps = [asyncio.create_task(_events(events, lines)), asyncio.create_task(_closing(closing, lines))]
    if deltas is not None:
        pumps.append(asyncio.create_task(_deltas(deltas, lines)))
    try:
        yield b"retry: 2000\n\n"
        while True:
            try:
                line = await asyncio.wait_for(lines.get(), heartbeat_s)
            except TimeoutError:
                line = b": still here\n\n"
            if line is None:
                return
            yield line
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _events(events: AsyncIterator[EventView], lines: asyncio.Queue[bytes | None]) -> None:
    try:
        async for event in events:
            await lines.put(_line(event.type, encode(event), event.seq))
    except RemitError as error:
        await lines.put(_line("error", encode(details(error))))
    except Exception as error:
        log.error("an event stream failed", exc_info=error, extra={"code": "E900"})
        await lines.put(_line("error", encode(internal())))
    finally:
        if close := getattr(events, "aclose", None):
            await close()
    await lines.put(None)


async def _deltas(deltas: AsyncIterator[Delta], lines: asyncio.Queue[bytes | None]) -> None:
    async for delta in deltas:
        with suppress(asyncio.QueueFull):  # a slow client loses deltas, never events
            lines.put_nowait(_line("delta", encode(delta)))


async def _closing(closing: asyncio.Event, lines: asyncio.Queue[bytes | None]) -> None:
    await closing.wait()
    await lines.put(None)


def _line(name: str, data: bytes, seq: int | None = None) -> bytes:
    head = b"" if seq is None else b"id: %d\n" % seq
    return head + b"event: %s\ndata: %s\n\n" % (name.encode(), data)
