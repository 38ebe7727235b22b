"""How an append with many writes becomes several: a store takes only so many in one transaction (DynamoDB a hundred items).

An event and what is written with it stay together, and so do the last event and the status that it means.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from remit.ports.store import Write

MOST_WRITES = 40
"""Writes of one append, unless one event has more. A signal is two items, and head, entries and contents are some besides."""

Placed = tuple[int, Write]
"""A write, and how many events of the append come with it or before it."""


class Part(NamedTuple):
    """One of the appends: the events up to `end`, from where the one before ended, and writes."""

    end: int
    writes: list[Write]


def parts(count: int, writes: Sequence[Placed], later: Sequence[Write]) -> list[Part]:
    """The appends for `count` events with these writes, in order; at least one. `later` belongs to no event."""
    if len(writes) + len(later) <= MOST_WRITES:
        return [Part(count, [*later, *[write for _, write in writes]])]
    made: list[Part] = []
    some: list[Write] = []
    end = 0
    for place, group in groupby(writes, key=lambda placed: placed[0]):
        together = [write for _, write in group]
        if some and len(some) + len(together) > MOST_WRITES:
            made.append(Part(end, some))
            some = []
        some, end = [*some, *together], place
    room = max(0, MOST_WRITES - len(some))
    before = made[-1].end if made else 0
    rest = later[room:]
    made += [Part(before, [*rest[i : i + MOST_WRITES]]) for i in range(0, len(rest), MOST_WRITES)]
    return [*made, Part(count, [*later[:room], *some])]


def portions(writes: Sequence[Write]) -> list[Sequence[Write]]:
    """Writes that need not happen together, in transactions that every store takes."""
    return [writes[i : i + MOST_WRITES] for i in range(0, len(writes), MOST_WRITES)]
