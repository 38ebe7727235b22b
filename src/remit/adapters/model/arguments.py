"""Tool arguments as a model wrote them: strict JSON or nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec

MAX_DEPTH = 64
"""Deeper arguments are taken as malformed: no tool needs them, and every later encoder must survive them."""


def parse_arguments(raw: str | bytes) -> tuple[dict[str, Any], str | None]:
    """The arguments and `None`, or an empty dict and the raw text when it is not exactly one JSON object.

    Blank text means no arguments. Malformed are: anything around the object, another type, duplicate keys, NaN and
    Infinity, numbers or characters that JSON cannot carry onwards, and nesting beyond `MAX_DEPTH`. Never raises.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
    if not text.strip(" \t\r\n"):
        return {}, None
    try:
        value = _strict(text)
    except (ValueError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
        return {}, text.encode("utf-8", "replace").decode()
    return value, None


def _strict(text: str) -> dict[str, Any]:
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError("too deep")
    msgspec.json.decode(text)  # no NaN, no lone surrogates, no trailing text, no number out of range
    value = json.loads(text, object_pairs_hook=_no_duplicates, parse_int=_int64)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    msgspec.json.encode(value)  # whatever goes into the journal must be writable
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _int64(text: str) -> int:
    """Decoders differ on larger integers: some make floats of them, and a journal must read back what it wrote."""
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError("integer out of range")
    return value


def _depth(text: str) -> int:
    """How deep brackets nest outside strings; only an upper bound for text that is no JSON."""
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
    return deepest
