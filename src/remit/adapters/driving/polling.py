"""Where workers look for themselves what is due, nobody needs to be told."""

from __future__ import annotations

from collections.abc import Sequence

from remit.ports.driving import Hint


class PollingDriver:
    """A `remit.ports.driving.Driver` that passes nothing on."""

    async def hint(self, hints: Sequence[Hint]) -> list[Hint]:
        """None of them was passed on."""
        return list(hints)

    async def postpone(self, queue: str, receipt: str, seconds: float) -> None:
        """There is no message."""
