"""Where expressions get time, chance and ids from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from msgspec import Struct


class Env(Struct, frozen=True):
    """Where time, chance and ids come from: `now_ms` Unix milliseconds, `random` in [0, 1), `new_id` a UUID v4 as text."""

    now_ms: Callable[[], int]
    random: Callable[[], float]
    new_id: Callable[[], str]


def seeded(seed: float | str) -> float:
    """A number in [0, 1) that is always the same for a seed."""
    # The bits of a digest: the standard generator promises its sequence for no longer than a version of Python.
    digest = hashlib.sha256(str(seed).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
