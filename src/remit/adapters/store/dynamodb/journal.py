"""Entries as items: those of one append together in one item, or in a few.

An item's RANGE is the seq of its last entry, so that one query from a seq on finds the item which holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from remit.adapters.store.dynamodb.bodies import Body, packed_one
from remit.adapters.store.dynamodb.values import Value, read
from remit.core.errors import StoreError
from remit.ports.store import Entry

PACK = 256 * 1024
"""Bytes of events in one item before compression."""

MOST_PACKS = 40
"""Items for one append; with more events than fit, each holds more of them."""

HASH = 32

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


class Pack(msgspec.Struct, frozen=True):
    """Consecutive entries, and their bytes as they are stored."""

    first: int
    last: int
    body: Body


def packs(entries: Sequence[Entry]) -> list[Pack]:
    """Entries in as few packs as may be."""
    most = max(PACK, sum(len(entry.body) for entry in entries) // MOST_PACKS + 1)
    made: list[Pack] = []
    chosen: list[Entry] = []
    held = 0
    for entry in entries:
        if chosen and held + len(entry.body) > most:
            made.append(_pack(chosen))
            chosen, held = [], 0
        chosen.append(entry)
        held += len(entry.body)
    if chosen:
        made.append(_pack(chosen))
    return made


def unpacked(first: int, data: bytes) -> list[Entry]:
    """The entries of a pack's bytes."""
    try:
        hashes, *bodies = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StoreError("an item of the journal is damaged", code="E655", help="restore a backup") from error
    if len(hashes) != HASH * len(bodies):
        raise StoreError("an item of the journal is damaged", code="E655", help="restore a backup")
    return [
        Entry(first + place, body, hashes[place * HASH : (place + 1) * HASH])
        for place, body in enumerate(bodies)
    ]


def first_of(item: Mapping[str, Value]) -> int:
    """The seq of an item's first entry."""
    return int(read(item["first"]))


def _pack(entries: Sequence[Entry]) -> Pack:
    data = [b"".join(entry.hash for entry in entries), *(entry.body for entry in entries)]
    return Pack(entries[0].seq, entries[-1].seq, packed_one(_encoder.encode(data)))
