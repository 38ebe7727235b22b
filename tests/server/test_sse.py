"""The event stream by itself: heartbeats, slow clients, failures, the end."""

from __future__ import annotations

import asyncio

from remit.core.errors import StoreError
from remit.core.view import EventView
from remit.ports.model import Delta
from remit.server.sse import stream


async def numbered(count, wait=0.0, fail=None):
    """`count` events, a pause before each, and maybe a failure at the end."""
    for seq in range(count):
        await asyncio.sleep(wait)
        yield EventView(seq, 0, 0, "RunParked", {}, "")
    if fail:
        raise fail


async def collect(chunks):
    """All chunks, as text."""
    return [chunk.decode() async for chunk in chunks]


async def test_events_come_in_order_and_the_stream_ends():
    """id, event, data."""
    got = await collect(stream(numbered(3), None, asyncio.Event()))
    assert got[0] == "retry: 2000\n\n"
    assert [chunk.split("\n")[0] for chunk in got[1:]] == ["id: 0", "id: 1", "id: 2"]
    assert got[1].startswith('id: 0\nevent: RunParked\ndata: {"seq":0')


async def test_silence_is_filled_with_comments():
    """So that a proxy keeps the connection."""
    got = await collect(stream(numbered(1, wait=0.1), None, asyncio.Event(), heartbeat_s=0.02))
    assert got.count(": still here\n\n") >= 2
    assert got[-1].startswith("id: 0")


async def test_closing_ends_the_stream():
    """Even one that would go on for ever."""
    closing = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, closing.set)
    got = await asyncio.wait_for(collect(stream(numbered(10_000, wait=1.0), None, closing)), 2)
    assert got == ["retry: 2000\n\n"]


async def test_a_failure_is_told_as_a_problem_without_the_inside():
    """A known one with its code, an unknown one without its text."""
    known = await collect(stream(numbered(1, fail=StoreError("gone")), None, asyncio.Event()))
    assert known[-1].startswith("event: error\ndata: {")
    assert '"E800"' in known[-1]
    unknown = await collect(stream(numbered(0, fail=ValueError("hunter2")), None, asyncio.Event()))
    assert '"E900"' in unknown[-1]
    assert "hunter2" not in unknown[-1]


async def test_deltas_come_without_an_id():
    """They are not resumed, so they have none."""

    async def deltas():
        yield Delta("text", "hel")
        yield Delta("text", "lo")
        await asyncio.sleep(60)

    got = await collect(stream(numbered(1, wait=0.05), deltas(), asyncio.Event()))
    assert [chunk.split("\n")[0] for chunk in got[1:]] == ["event: delta", "event: delta", "id: 0"]


async def test_a_client_that_leaves_leaves_nothing_behind():
    """Closing the stream ends what fed it."""
    before = asyncio.all_tasks()
    chunks = stream(numbered(10_000), None, asyncio.Event())
    for _ in range(5):
        await anext(chunks)
    await chunks.aclose()
    assert asyncio.all_tasks() == before
