"""A clock that a test owns: time stands still until somebody sleeps or the test moves it."""

from __future__ import annotations

import asyncio

START_MS = 1_800_000_000_000
"""Where a `FakeClock` begins unless told otherwise: a moment in January 2027."""

BACKGROUND = "heartbeat"
"""Tasks whose name starts so sleep until the test (or somebody else's sleep) has moved time far enough."""


class FakeClock:
    """Implements `ports.clock.Clock`. Whoever sleeps moves time on at once; ids count up; jitter is one half.

    Background tasks (see `BACKGROUND`) never move time themselves: `advance` wakes them.
    """

    def __init__(self, now: int = START_MS) -> None:
        self._start = now
        self._elapsed = 0.0
        self._ids = 0
        self._moved = asyncio.Event()
        self.slept: list[float] = []

    def now(self) -> int:
        """Unix milliseconds."""
        return self._start + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move time on, and wake whoever waited for that."""
        self._elapsed += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    def set_back(self, seconds: float) -> None:
        """Move the wall clock back, as a wrong time server would; the monotonic one goes on."""
        self._start -= round(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        """Move time on by `seconds`; in a background task, wait until it has been moved that far."""
        task = asyncio.current_task()
        if task is None or not task.get_name().startswith(BACKGROUND):
            self.slept.append(seconds)
            self.advance(seconds)
            await asyncio.sleep(0)
            return
        until = self._elapsed + seconds
        while self._elapsed < until:
            await self._moved.wait()

    def new_id(self, prefix: str) -> str:
        """The next id: `prefix_` and 26 characters, sortable."""
        self._ids += 1
        return f"{prefix}_{self._ids:026d}"

    def random(self) -> float:
        """One half."""
        return 0.5
