"""What the streams of the tables say: images of items as Lambda hands them over."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from remit.adapters.store.dynamodb import heads
from remit.adapters.store.dynamodb.bodies import packed_in
from remit.adapters.store.dynamodb.journal import first_of, unpacked
from remit.adapters.store.dynamodb.values import APART, Value, read
from remit.ports.store import Entry, RunHead

Image = Mapping[str, Value]


class Portion(Struct, frozen=True):
    """Consecutive entries of a run, as one item holds them. `entries` is None when they lie outside the item."""

    run_id: str
    first: int
    last: int
    entries: list[Entry] | None


def range_key(image: Image, *fields: str) -> list[str]:
    """What a record has in these string fields, which are the RANGE of its table together."""
    return str(read(image["+".join(fields)])).split(APART)


def run_head(image: Image) -> RunHead:
    """The head of a run, from an image of the table `run_head`."""
    return heads.parse(image).run


def portion(image: Image) -> Portion:
    """Entries of a run, from an image of the table `journal`. Raises StoreError E655 for damaged ones."""
    first, body = first_of(image), packed_in(image)
    entries = None if body is None else unpacked(first, body)
    return Portion(str(read(image["run_id"])), first, int(read(image["seq"])), entries)
