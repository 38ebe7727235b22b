"""Telling whoever advances runs that one of them can go on.

A hint may be lost, doubled or late: the journal decides who advances a run, and `store.due` finds what no hint told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Hint(Struct, frozen=True):
    """A run that can go on in `delay_s` seconds, and its agent, whose function advances it.

    `tenant_id`: who waits for it, so that no tenant's many runs hold back another's; empty where that is not known.
    """

    run_id: str
    agent: str
    delay_s: float = 0.0
    tenant_id: str = ""


class Driver(Protocol):
    """The way to whoever advances runs."""

    async def hint(self, hints: Sequence[Hint]) -> list[Hint]:
        """Pass the hints on; those that could not be. Never raises: a lost hint costs time, never a run."""

    async def postpone(self, queue: str, receipt: str, seconds: float) -> None:
        """Have a message that was received and could not be served come back after so long. Never raises."""
