"""Sweeping: what has expired is erased by whoever works, a little at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from remit.core.errors import RemitError
from remit.engine.pausing import pause
from remit.ports.clock import Clock

log = logging.getLogger("remit.sweeping")

EVERY_S = 60.0

Sweep = Callable[[], Awaitable[int]]
"""Erases some of what has expired, and says how much."""


class Sweeper:
    """Has everything swept that expires."""

    def __init__(self, clock: Clock, sweeps: Sequence[Sweep]) -> None:
        self._clock = clock
        self._sweeps = tuple(sweeps)

    async def serve(self, stop: asyncio.Event) -> None:
        """Sweep now and then until `stop` is set."""
        while not stop.is_set():
            try:
                await self.tick()
            except RemitError as error:
                log.error("what has expired cannot be swept now: %s", error)
            await pause(self._clock, EVERY_S, stop, name="heartbeat of the sweeper")

    async def tick(self) -> int:
        """Erase everything that has expired by now; how much. Raises StoreError."""
        gone = 0
        for sweep in self._sweeps:
            while some := await sweep():
                gone += some
        return gone
