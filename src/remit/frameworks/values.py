"""What tools of other frameworks answer, as JSON for the journal, and back."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

_BYTES = "$bytes"
"""The key under which bytes are kept, base64: no tool answers with an object that has it alone."""


def to_json(value: Any) -> Any:
    """A value as JSON: models and dataclasses as objects, bytes marked as such, what is none of JSON's kinds as its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(v) for v in value]
    if hasattr(value, "model_dump"):
        return to_json(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return str(value)


def from_json(value: Any) -> Any:
    """The value that `to_json` kept: the same, but for models and dataclasses, which stay objects of JSON."""
    if isinstance(value, dict):
        if value.keys() == {_BYTES}:
            return base64.b64decode(value[_BYTES])
        return {k: from_json(v) for k, v in value.items()}
    return [from_json(v) for v in value] if isinstance(value, list) else value
