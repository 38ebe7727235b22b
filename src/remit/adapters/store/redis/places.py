"""Where items stand in the sorted sets that answer queries.

A value is text that sorts by its bytes as the port orders values, ended by NUL, which no value holds; a place is
its values one after the other, so that places sort by the first value, then the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from remit.adapters.store import items
from remit.adapters.store.paging import Query
from remit.core.errors import InputError
from remit.ports.store import Collection, Index

KEY = Index(name="", fields=())
"""The index that every collection has: all items by their key."""

END = b"\x00"
JUST_AFTER = b"\x01"
LAST = b"\xff"


def sortable(value: str | int) -> bytes:
    """Integers before strings: integers as numbers, strings by their code points."""
    if isinstance(value, int):
        return b"0%020d" % (value + 2**63) + END
    try:
        return b"1" + value.encode() + END
    except UnicodeEncodeError as error:
        raise InputError(f"`{value!a}` is no text that can be stored", code="E105") from error


def place(values: Iterable[str | int]) -> bytes:
    """The place of these values."""
    return b"".join(map(sortable, values))


class Table:
    """A declared collection: the names of its indexes' sorted sets, and the places of an item in them."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.indexes = {index.name: index for index in (KEY, *collection.indexes)}

    def fields(self, index: Index) -> tuple[str, ...]:
        """The fields of a place: those of the index, then those of the key, so that the order is total."""
        return tuple(dict.fromkeys(index.fields + self.collection.key))

    def set_of(self, index: Index) -> str:
        """The name of an index's sorted set; with other fields it is another one."""
        return f"{self.collection.name}:{index.name}:{'+'.join(index.fields)}"

    def places(self, item: Mapping[str, Any]) -> dict[str, bytes]:
        """The item's place in each index that it is in, by the set's name."""
        found = {}
        for index in self.indexes.values():
            if all(_is_indexed(item.get(field)) for field in index.fields):
                found[self.set_of(index)] = place(item[field] for field in self.fields(index))
        return found

    def places_of(self, document: bytes | None) -> dict[str, bytes]:
        """Likewise for a stored document, or for none."""
        return {} if document is None else self.places(items.parse(document))

    def question(self, index: str, query: Query) -> dict[str, Any]:
        """What the script `query` is asked: both ends of the stretch of places that answers the query."""
        declared = self.indexes[index]
        fields = self.fields(declared)
        fixed = dict(query.equal)
        start = place(fixed[field] for field in fields[: len(fixed)])
        first, last = (b"[" + start, b"(" + start + LAST) if start else (b"-", b"+")
        if query.lower is not None:
            first = b"[" + start + sortable(query.lower)
        if query.upper is not None:
            # whatever follows the value is beyond its end, and before the next greater value
            last = b"(" + start + sortable(query.upper)[:-1] + JUST_AFTER
        if query.after is not None:
            after = dict(zip(query.order, query.after, strict=True))
            seen = start + place(after[field] for field in fields[len(fixed) :])
            if query.descending:
                last = b"(" + seen if last == b"+" else min(last, b"(" + seen)
            elif first == b"-" or seen >= first[1:]:
                first = b"(" + seen
        return {
            "collection": self.collection.name,
            "index": self.set_of(declared),
            "key": [fields.index(field) + 1 for field in self.collection.key],
            "first": first,
            "last": last,
            "limit": query.limit + 1,
            "descending": query.descending,
        }


def _is_indexed(value: Any) -> bool:
    """Whether the value has a place; an item written before its field was indexed may hold anything."""
    return isinstance(value, str) or (type(value) is int and -(2**63) <= value < 2**63)
