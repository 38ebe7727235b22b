"""What is true of records in every store: keys, conditions, documents. No I/O, so that all adapters agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from remit.core.codec import canonical
from remit.core.errors import ConditionError, ConfigError, InputError
from remit.ports.store import ABSENT, Add, Collection, Delete, Entry, Put

Key = tuple[Any, ...]

LONGEST_FIELD = 1024
"""UTF-8 bytes of a string in a key or an index: what every database (DynamoDB, PostgreSQL) can index."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z")


def document(item: Mapping[str, Any]) -> bytes:
    """The item as JSON. Raises InputError for what JSON cannot hold."""
    try:
        return _encoder.encode(item)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the item cannot be written as JSON: {error}", code="E101") from error


def parse(data: bytes | str) -> dict[str, Any]:
    """The item of a stored document."""
    return _decoder.decode(data)


def field(value: Any, name: str) -> str | int:
    """The value, if it may stand in a key or an index: a string or an integer that every database can order."""
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str):
        if "\x00" not in value and (len(value) < 256 or len(value.encode()) <= LONGEST_FIELD):
            return value
        raise InputError(
            f"field `{name}` has a string with a NUL or of more than {LONGEST_FIELD} bytes", code="E105"
        )
    raise InputError(
        f"field `{name}` is in a key or an index and must be a string or a 64-bit integer, not `{value!r}`",
        code="E105",
    )


def key_of(collection: Collection, item: Mapping[str, Any]) -> Key:
    """The key of an item. Raises InputError when a key field is missing or neither string nor integer."""
    return tuple([field(item.get(name), name) for name in collection.key])


def given_key(collection: Collection, key: Sequence[Any]) -> Key:
    """A key as the caller gave it, checked."""
    if len(key) != len(collection.key):
        raise InputError(
            f"a key of `{collection.name}` has the fields {', '.join(collection.key)}, not {len(key)} values",
            code="E105",
        )
    return tuple(field(value, name) for value, name in zip(key, collection.key, strict=True))


def index_fields(collection: Collection) -> tuple[str, ...]:
    """Fields that are in some index and not in the key, each once, in order of declaration."""
    names = [name for index in collection.indexes for name in index.fields]
    return tuple(dict.fromkeys(name for name in names if name not in collection.key))


def check_indexed(names: Iterable[str], item: Mapping[str, Any]) -> None:
    """Raise InputError unless each of these fields is absent, null, a string or an integer."""
    for name in names:
        value = item.get(name)
        if value is None or (type(value) is str and len(value) < 256 and "\x00" not in value):
            continue  # nearly all are such: not worth a call
        field(value, name)


def check_declaration(collection: Collection) -> None:
    """Raise ConfigError for a declaration that no database could hold."""
    names = [collection.name, *collection.key]
    for index in collection.indexes:
        names += [index.name, *index.fields]
    for name in names:
        if not _NAME.match(name):
            raise ConfigError(
                f"`{name}` cannot name a collection, field or index",
                code="E212",
                help="use a letter, then up to 39 letters, digits and underscores",
            )
    if not collection.key or not all(index.fields for index in collection.indexes):
        raise ConfigError(f"collection `{collection.name}` has a key or an index without fields", code="E212")


def merged(old: Collection | None, new: Collection) -> Collection:
    """The declaration after `new` was declared over `old`; indexes of `old` stay, for programs that still use them."""
    check_declaration(new)
    if old is None:
        return new
    if old.key != new.key:
        raise ConfigError(
            f"collection `{new.name}` is stored under the key {old.key}, not {new.key}",
            code="E212",
            help="declare a collection with another name and copy the items",
        )
    fresh = {index.name for index in new.indexes}
    kept = tuple(index for index in old.indexes if index.name not in fresh)
    return replace(new, indexes=new.indexes + kept)


def unmet(expect: Mapping[str, Any] | None, item: Mapping[str, Any] | None) -> str:
    """Why the condition fails for the item that is there (None: nothing is), or an empty string."""
    if expect is None:
        return ""
    if expect == ABSENT:
        return "" if item is None else "an item has this key already"
    if item is None:
        return "no item has this key"
    for name, wanted in expect.items():
        found = item.get(name)
        # Compared as JSON, so that True is not 1 and a tuple is a list.
        if canonical(found) != canonical(wanted):
            return f"`{name}` is `{found!r}`, not `{wanted!r}`"
    return ""


def added(write: Add, item: Mapping[str, Any] | None) -> tuple[dict[str, Any], str]:
    """The item after an Add, and why the Add fails (or an empty string)."""
    if item is None:
        return {}, "no item has this key"
    after = dict(item)
    for name, amount in write.increments.items():
        before = after.get(name, 0)
        if type(before) is not int or type(amount) is not int:
            return {}, f"`{name}` is `{before!r}`, and only integers can be added"
        after[name] = before + amount
    for name, floor in write.floor.items():
        if not isinstance(after.get(name), int) or after[name] < floor:
            return {}, f"`{name}` would be `{after.get(name)!r}`, below {floor}"
    return after, ""


def key_for(collection: Collection, write: Put | Delete | Add) -> Key:
    """The key of the item that a write is about."""
    return key_of(collection, write.item) if isinstance(write, Put) else given_key(collection, write.key)


def outcome(
    collection: Collection, position: int, key: Key, write: Put | Delete | Add, there: bytes | str | None
) -> bytes | None:
    """The document after a write over the document that is there; None: no item. Raises ConditionError."""
    before = None if there is None else parse(there)
    after: Mapping[str, Any] | None = write.item if isinstance(write, Put) else None
    if isinstance(write, Add):
        after, why = added(write, before)
    else:
        why = unmet(write.expect, before)
    if why:
        raise refused(position, write, key, why)
    if after is None:
        return None
    if key_of(collection, after) != key:
        raise InputError(f"write {position} would change the key of an item", code="E105")
    return checked_document(index_fields(collection), after)


def checked_document(indexed: Iterable[str], item: Mapping[str, Any]) -> bytes:
    """The item as JSON, once its index fields were found fit to be indexed."""
    check_indexed(indexed, item)
    return document(item)


def refused(position: int, write: Put | Delete | Add, key: Key, why: str) -> ConditionError:
    """The error for the write at this position, whose condition failed."""
    kind = type(write).__name__.lower()
    return ConditionError(f"write {position} ({kind} `{write.collection}` {key}) was refused: {why}")


def undeclared(name: str) -> InputError:
    """The error for a collection that nobody declared."""
    return InputError(f"collection `{name}` is not declared", code="E106", help="call `declare` first")


def check_sequence(entries: Sequence[Entry], first: int) -> None:
    """Raise InputError unless the entries are numbered from `first` on without gaps."""
    for expected, entry in enumerate(entries, first):
        if entry.seq != expected:
            raise InputError(
                f"entry {entry.seq} stands where entry {expected} must",
                code="E107",
                help="number them one after the other",
            )


def check_first(entries: Sequence[Entry]) -> None:
    """Raise InputError unless a run may start with these entries: at least one, numbered from 0."""
    if not entries:
        raise InputError("a run starts with at least one entry", code="E107", help="give its first event")
    check_sequence(entries, 0)
