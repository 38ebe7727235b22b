"""Collections in DynamoDB: what an item of one looks like, and how a query asks for it.

An item has its key and index fields as attributes of their own, what is composed of them for the keys of the table and of
its indexes, and the whole as JSON under `_doc` (binary when it is compressed), which is what is read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from remit.adapters.store import items
from remit.adapters.store.dynamodb.bodies import STOWED, Bodies, Body, packed_one
from remit.adapters.store.dynamodb.schema import (
    EVERYTHING,
    TTL,
    Attribute,
    TableDefinition,
    index_name,
    index_order,
    records_table,
)
from remit.adapters.store.dynamodb.values import (
    AFTER,
    APART,
    REV,
    Attributes,
    Value,
    composed,
    number,
    read,
    text,
)
from remit.adapters.store.paging import Query
from remit.core.errors import InputError
from remit.ports.store import Collection

DOC = "_doc"
READABLE = 4096
"""Bytes up to which a document is kept as text, for those who look at the table."""

LONGEST_HASH, LONGEST_RANGE = 2048, 1023


class Doc(Struct, frozen=True):
    """A stored document, and the commit that wrote it."""

    data: bytes
    rev: str


class Part(Struct, frozen=True):
    """An attribute of a key, and the fields it is made of."""

    attribute: Attribute
    fields: tuple[str, ...]

    def value(self, values: Mapping[str, Any]) -> Value | None:
        """The attribute for these fields; None when one of them is missing."""
        if self.attribute.name == EVERYTHING:
            return text(EVERYTHING)
        found = [values.get(name) for name in self.fields]
        if any(each is None for each in found):
            return None
        return self.of(found)

    def of(self, values: Sequence[Any]) -> Value:
        """The attribute for these values. Raises InputError for what the key's type does not allow."""
        if self.attribute.type == "N":
            if type(values[0]) is not int:
                raise InputError(
                    f"field `{self.fields[0]}` is a number in the key, and `{values[0]!r}` is none",
                    code="E105",
                )
            return number(values[0])
        return text(composed(values))


class Table:
    """A declared collection as DynamoDB has it."""

    def __init__(self, collection: Collection, prefix: str) -> None:
        self.collection = collection
        self.definition: TableDefinition = records_table(collection, prefix)
        self.name = self.definition.name
        self.indexes = {index.name for index in collection.indexes}
        self.hash = Part(self.definition.hash, collection.key[:1])
        self.range = Part(self.definition.range, collection.key[1:]) if self.definition.range else None
        self.parts: dict[str, tuple[Part, Part]] = {}
        for declared in collection.indexes:
            built = next(each for each in self.definition.indexes if each.name == index_name(declared))
            order = index_order(collection, declared)
            self.parts[declared.name] = (Part(built.hash, declared.fields[:-1]), Part(built.range, order))
        self._shown = (*collection.key, *items.index_fields(collection), TTL)

    def key(self, key: items.Key) -> Attributes:
        """The key of an item as the table has it."""
        return self._key(dict(zip(self.collection.key, key, strict=True)))

    def key_of(self, found: Mapping[str, Value]) -> Attributes:
        """The key among the attributes of an item or of an index's entry."""
        return {name: found[name] for name in self._key_names()}

    def shape(self, item: Mapping[str, Any]) -> Attributes:
        """The attributes of an item but for its document."""
        made: Attributes = {}
        for name in self._shown:
            value = item.get(name)
            if isinstance(value, str):
                made[name] = text(value)
            elif type(value) is int:
                made[name] = number(value)
        made.update(self._key(item))
        for hash, range in self.parts.values():
            self._add_index(made, item, hash, range)
        return made

    def item(self, data: bytes, rev: str, stowed: Attributes) -> Attributes:
        """The item of a document; `stowed`: its body as the item has it, when it is not text."""
        made = self.shape(items.parse(data))
        made[REV] = text(rev)
        if not stowed:
            made[DOC] = text(data.decode())
        # "_" before the names, since a field may have the name as it is
        made.update({f"_{name}": value for name, value in stowed.items()})
        return made

    def _add_index(self, made: Attributes, item: Mapping[str, Any], hash: Part, range: Part) -> None:
        values = hash.value(item), range.value(item)
        for part, value in zip((hash, range), values, strict=True):
            if value is None:
                # a key attribute may be shown only in its key's form; without the whole, not at all
                continue
            _check(part, value, LONGEST_HASH if part is hash else LONGEST_RANGE)
            made[part.attribute.name] = value

    def _key(self, item: Mapping[str, Any]) -> Attributes:
        made: Attributes = {}
        for part in (self.hash, self.range):
            value = part.value(item) if part is not None else None
            if part is not None and value is not None:
                _check(part, value, LONGEST_HASH if part is self.hash else LONGEST_RANGE)
                made[part.attribute.name] = value
        return made

    def _key_names(self) -> list[str]:
        return [part.attribute.name for part in (self.hash, self.range) if part is not None]


def document_body(data: bytes) -> Body | None:
    """The body of a document that is too long to be kept as text."""
    return packed_one(data) if len(data) > READABLE else None


async def document(bodies: Bodies, found: Mapping[str, Value]) -> Doc:
    """The document of an item."""
    rev = str(read(found[REV]))
    if DOC in found:
        return Doc(str(read(found[DOC])).encode(), rev)
    stowed = {name: found[f"_{name}"] for name in STOWED if f"_{name}" in found}
    return Doc(await bodies.of(stowed), rev)


class Asked(Struct, frozen=True):
    """A query as DynamoDB takes it: one HASH, and a stretch of its RANGE. `skip`: where the page before ended."""

    hash: Part
    hash_value: Value
    range: Part | None
    lower: str | int | None
    upper: str | int | None
    skip: str | int | None

    @property
    def empty(self) -> bool:
        """Whether nothing can lie between the bounds."""
        return self.lower is not None and self.upper is not None and self.lower > self.upper  # type: ignore[operator]

    def condition(self) -> dict[str, Any]:
        """The arguments of Query that say it."""
        names = {"#h": self.hash.attribute.name}
        values: Attributes = {":h": self.hash_value}
        said = "#h = :h"
        if self.range is not None and (self.lower is not None or self.upper is not None):
            names["#r"] = self.range.attribute.name
            make = number if self.range.attribute.type == "N" else text
            if self.lower is not None:
                values[":l"] = make(self.lower)  # type: ignore[arg-type]
            if self.upper is not None:
                values[":u"] = make(self.upper)  # type: ignore[arg-type]
            between = " AND #r BETWEEN :l AND :u"
            said += between if len(values) == 3 else " AND #r >= :l" if ":l" in values else " AND #r <= :u"
        return {
            "KeyConditionExpression": said,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }


def asked(table: Table, index: str, query: Query) -> Asked | None:
    """The query in DynamoDB's terms; None when it does not fix the HASH."""
    hash, range = table.parts[index] if index else (table.hash, table.range)
    fixed = len(hash.fields)
    if len(query.equal) < fixed:
        return None
    hash_value = hash.value(dict(query.equal))
    assert hash_value is not None
    if range is None:
        return Asked(hash, hash_value, None, None, None, None)
    prefix = [value for _, value in query.equal[fixed:]]
    lower, upper = _stretch(range, prefix, query)
    skip = None
    if query.after is not None:
        known = {**dict(query.equal), **dict(zip(query.order, query.after, strict=True))}
        skip = _plain(range.of([known[name] for name in range.fields]))
        if query.descending:
            upper = skip if upper is None else min(upper, skip)
        else:
            lower = skip if lower is None else max(lower, skip)
    return Asked(hash, hash_value, range, lower, upper, skip)


def _stretch(range: Part, prefix: list[Any], query: Query) -> tuple[Any, Any]:
    """The bounds of a RANGE: after these first values, and the query's own bounds of the next."""
    given = [value for value in (query.lower, query.upper) if value is not None]
    if range.attribute.type == "N":
        if prefix:
            return prefix[0], prefix[0]
        for value in given:
            range.of([value])
        return query.lower, query.upper
    rest = len(range.fields) - len(prefix)
    if not rest:
        return composed(prefix), composed(prefix)
    lower = composed(prefix) + APART if prefix else None
    upper = composed(prefix) + AFTER if prefix else None
    if query.lower is not None:
        lower = composed([*prefix, query.lower])
    if query.upper is not None:
        upper = composed([*prefix, query.upper]) + (AFTER if rest > 1 else "")
    return lower, upper


def _plain(value: Value) -> str | int:
    found: str | int = read(value)
    return found


def _check(part: Part, value: Value, longest: int) -> None:
    said = value.get("S", "")
    if len(said) * 4 > longest and len(said.encode()) > longest:
        raise InputError(
            f"the fields `{', '.join(part.fields)}` are longer than DynamoDB's keys ({longest} bytes)",
            code="E105",
        )
