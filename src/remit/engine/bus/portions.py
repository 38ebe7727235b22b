"""How much goes into one transaction: DynamoDB takes a hundred writes and four megabytes, other stores as much as there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remit.ports.store import Put, Signal, Write

MOST_WRITES = 10_000
"""Writes in one transaction where the store does not take fewer; their bytes are then not counted."""

MOST_BYTES = 3_500_000

Writes = Sequence[Write]


def fits(writes: Writes, most: int) -> bool:
    """Whether these writes go into one transaction of at most `most`."""
    if sum(_count(write) for write in writes) > most:
        return False
    return most >= MOST_WRITES or sum(_bytes(write) for write in writes) <= MOST_BYTES


def portions(writes: Writes, most: int) -> Iterator[Writes]:
    """The writes in portions that go into one transaction each, in order; at least one portion."""
    start = count = size = 0
    for end, write in enumerate(writes):
        more, larger = _count(write), 0 if most >= MOST_WRITES else _bytes(write)
        if end > start and (count + more > most or size + larger > MOST_BYTES):
            yield writes[start:end]
            start, count, size = end, 0, 0
        count, size = count + more, size + larger
    yield writes[start:]


def _count(write: Write) -> int:
    return 2 if isinstance(write, Signal) else 1  # the signal itself, and its run's head


def _bytes(write: Write) -> int:
    if isinstance(write, Put):
        return len(str(write.item))
    return len(write.body) if isinstance(write, Signal) else 200
