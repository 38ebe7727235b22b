"""Waiting between two rounds of something that goes on until it is told to stop."""

from __future__ import annotations

import asyncio

from remit.ports.clock import Clock


async def pause(clock: Clock, seconds: float, stop: asyncio.Event, *, name: str) -> None:
    """Return after some seconds, or at once when `stop` is set. `name` is that of the task that waits."""
    waits = [
        asyncio.create_task(clock.sleep(seconds), name=name),
        asyncio.create_task(stop.wait()),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
