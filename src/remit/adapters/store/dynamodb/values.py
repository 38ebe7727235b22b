"""Attribute values, and the strings in which keys are composed so that DynamoDB's byte order is the port's order."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

Value = Mapping[str, Any]
"""As the API has it: `{"S": "text"}`, `{"N": "1"}`, `{"B": b""}`."""

Attributes = dict[str, Value]

REV = "_rev"
"""The attribute that names the commit which wrote an item. A commit is recognised by it, and guarded by its predecessor's."""

APART = "\x00"
"""Stands between the parts of a composed key. No string in a key has it, and nothing sorts before it."""

AFTER = "\x01"
"""Appended to parts of a composed key: after all keys that begin with exactly these parts, before all others."""

_EMPTY = "\x00~"


def text(value: str) -> Value:
    """A string."""
    return {"S": value}


def number(value: int) -> Value:
    """An integer."""
    return {"N": str(value)}


def binary(value: bytes) -> Value:
    """Bytes."""
    return {"B": value}


def sortable(value: str | int) -> str:
    """A string as it is; an integer, and the empty string (which no key may be), as one that sorts before all strings."""
    if isinstance(value, int):
        return f"\x00{value + 2**63:020d}"
    return value or _EMPTY


def composed(values: Iterable[str | int]) -> str:
    """Several values as one string, in whose order the first counts most."""
    return APART.join(map(sortable, values))


def read(value: Value) -> Any:
    """The Python value of an attribute; in a stream's record as Lambda gets it, bytes are base64."""
    ((kind, found),) = value.items()
    if kind == "N":
        return int(found)
    if kind == "B":
        return base64.b64decode(found) if isinstance(found, str) else bytes(found)
    return found


def size(attributes: Attributes) -> int:
    """Bytes of an item, about as DynamoDB counts them and never fewer."""
    return sum(len(name) + _length(value) for name, value in attributes.items())


def _length(value: Value) -> int:
    ((kind, found),) = value.items()
    return len(found) if kind == "B" else 4 * len(found) if not found.isascii() else len(found) + 1
