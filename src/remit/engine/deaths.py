"""Runs that kill who advances them: how often that happened in a row, told by the journal itself.

A process that is killed, or runs out of memory, says nothing. Its lease does: it lapsed instead of being given back.
"""

from __future__ import annotations

from collections.abc import Sequence

from remit.core import event as ev
from remit.core.codec import decode, encode, link
from remit.engine.kit import Kit
from remit.ports.store import Entry, Lease

MOST_DEATHS = 5
"""So many holders in a row may die over a run before it waits for an operator."""

SUSPECT_DEATHS = 2
"""From so many on, a run is suspected of killing its holders. Each process then advances one such run at a time."""

LOOKED_AT = 64
_BEGUN = ev.RunClaimed | ev.ModelAsked | ev.EffectIntended | ev.EffectReopened
"""What a holder writes before it is known to live through what it does; anything else is progress."""


async def count(kit: Kit, lease: Lease) -> tuple[int, int, bytes] | None:
    """Deaths in a row of a run whose lease lapsed, and its head's seq and hash; None where its journal cannot be read.

    Only the journal's end is read, since it may be its size that nobody lives through.
    """
    head = await kit.store.head(lease.run_id)
    if head is None:
        return None
    entries = await kit.store.read(lease.run_id, after=head.seq - LOOKED_AT)
    try:
        events = [decode(entry.body, ev.Event) for entry in entries]
    except Exception:  # loading the run tells what is wrong with it
        return None
    return 1 + _told(events), head.seq, head.hash


def _told(events: Sequence[ev.Event]) -> int:
    """The deaths that the last claim tells of, if there was no progress after it."""
    for event in reversed(events):
        if isinstance(event.data, ev.RunClaimed):
            return event.data.deaths
        if not isinstance(event.data, _BEGUN):
            return 0
    return 0


async def write(kit: Kit, lease: Lease, deaths: int, seq: int, head: bytes) -> None:
    """Write the claim down before anything else is done, so that the next one can tell. Raises FencedError, StoreError."""
    claimed = ev.RunClaimed(kit.worker_id, lease.epoch, deaths)
    body = encode(ev.Event(seq + 1, kit.clock.now(), lease.epoch, claimed))
    entry = Entry(seq + 1, body, link(head, body))
    await kit.store.append(lease.run_id, seq=seq, epoch=lease.epoch, entries=[entry])


def reason(deaths: int) -> str:
    """Why a run is set aside, for an operator."""
    return (
        f"its last {deaths} workers ended without a word and without coming further: they were killed, "
        "ran out of memory, or stood still for longer than their lease"
    )
