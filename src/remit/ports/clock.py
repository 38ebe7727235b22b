"""Time, waiting and fresh ids: the only sources of what is not determined by input."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Injected everywhere, so that tests own time."""

    def now(self) -> int:
        """Unix time in milliseconds."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def new_id(self, prefix: str) -> str:
        """A fresh id, sortable by time: `prefix_` and 26 characters."""

    def random(self) -> float:
        """A number in [0, 1), for jitter."""
