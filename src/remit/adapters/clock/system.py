"""The system's clock."""

from __future__ import annotations

import asyncio
import random
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class SystemClock:
    """Wall clock, monotonic clock, sleep and time-sortable ids (Crockford base 32: 10 of time, 16 random)."""

    def now(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def new_id(self, prefix: str) -> str:
        """A fresh id, sortable by time."""
        return f"{prefix}_{_base32(self.now(), 10)}{_base32(secrets.randbits(80), 16)}"

    def random(self) -> float:
        """A number in [0, 1)."""
        return random.random()


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
