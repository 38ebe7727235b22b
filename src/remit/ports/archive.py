"""What the engine asks of an archive: a second copy of journals, where nobody can change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from remit.ports.store import Entry


class Archive(Protocol):
    """Entries of journals, kept for good."""

    async def put(self, tenant_id: str, run_id: str, entries: Sequence[Entry]) -> None:
        """Keep entries of a run, which follow one another; the same ones again change nothing.

        Raises StoreError, E659 when other entries are there under the same numbers.
        """

    async def read(self, tenant_id: str, run_id: str) -> list[Entry]:
        """Every entry ever kept of a run by number; two that differ under one number are both there. Raises StoreError."""
