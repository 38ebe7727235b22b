"""Archiving runs: what of a journal is to be kept for good, and whether journal and archive still say the same (P11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from remit.core.errors import NotFoundError
from remit.engine.audit import BATCH, Anchor, Audit, Bad, Chain
from remit.ports.archive import Archive
from remit.ports.store import Entry, Store


class ArchiveReport(Struct, frozen=True):
    """Journal and archive compared. `archived` entries were proved in the archive; the journal has `events`.

    `first_bad_seq` is the first event that is wrong or missing, and `reason` says where and how; both are empty when `ok`.
    An archive that is behind is `ok`: events come to it a moment after they are in the journal.
    """

    run_id: str
    ok: bool
    archived: int
    events: int
    first_bad_seq: int | None = None
    reason: str = ""


class Archiving:
    """Fills an archive from the journals, and compares them."""

    def __init__(self, store: Store, archive: Archive, audit: Audit) -> None:
        self.archive = archive
        self._store = store
        self._audit = audit

    async def keep(self, run_id: str, tenant_id: str) -> int:
        """Archive the entries of a run that the archive does not have; how many they were. Raises NotFoundError."""
        head = await self._store.head(run_id)
        if head is None or head.tenant_id != tenant_id:
            raise NotFoundError(
                f"there is no run `{run_id}`", help="`remit runs list` shows the runs of this tenant"
            )
        known = {entry.seq for entry in await self.archive.read(tenant_id, run_id)}
        after, kept = -1, 0
        while batch := await self._store.read(run_id, after=after, limit=BATCH):
            after = batch[-1].seq
            for portion in portions([entry for entry in batch if entry.seq not in known]):
                await self.archive.put(tenant_id, run_id, portion)
                kept += len(portion)
        return kept

    async def verify(self, run_id: str, tenant_id: str) -> ArchiveReport:
        """Prove the archive's chain, then the journal's, and that the one begins with the other.

        The archive is a head kept elsewhere: it shows a journal that was rewritten whole or cut short. Raises NotFoundError
        when neither knows the run.
        """
        entries = await self.archive.read(tenant_id, run_id)
        chain = Chain(run_id)
        try:
            _prove(chain, entries)
        except Bad as bad:
            return ArchiveReport(run_id, False, chain.size, 0, bad.seq, f"in the archive, {bad}")
        anchor = Anchor(chain.size, chain.hash.hex()) if entries else None
        try:
            journal = await self._audit.verify(run_id, tenant_id, anchor=anchor)
        except NotFoundError:
            if not entries:
                raise
            return ArchiveReport(run_id, False, chain.size, 0, 0, "the journal has lost the run")
        reason = f"in the journal, {journal.reason}" if journal.reason else ""
        if not entries:
            return ArchiveReport(run_id, False, 0, journal.events, 0, reason or "nothing of it is archived")
        return ArchiveReport(run_id, journal.ok, chain.size, journal.events, journal.first_bad_seq, reason)


def portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in portions that follow one another."""
    start = 0
    for place, (before, after) in enumerate(pairwise(entries), 1):
        if after.seq != before.seq + 1:
            yield list(entries[start:place])
            start = place
    if entries:
        yield list(entries[start:])


def _prove(chain: Chain, entries: Sequence[Entry]) -> None:
    doubled = {before.seq for before, after in pairwise(entries) if before.seq == after.seq}
    for entry in entries:
        if entry.seq in doubled:
            raise Bad(entry.seq, f"there are two different events {entry.seq}")
        chain.take(entry)
