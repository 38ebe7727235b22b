"""What to do about a value that does not fit its type: the known fields or values, the nearest first."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from remit.core.words import closest

_PLACE = re.compile(r" - at `(\$[^`]*)`\Z")
_STEP = re.compile(r"\.(\w+)|\[")
_NAMED = re.compile(r"`([^`]*)`")
_ENUM = re.compile(r"Invalid enum value '(.*)'\Z")


def how_to_mend(kind: Any, said: str) -> str:
    """The next action after a decoder said this of a value that was to be a `kind`."""
    found = _PLACE.search(said)
    place = found.group(1) if found else "$"
    what = said[: found.start()] if found else said
    at = list(_at(kind, place))
    named = _NAMED.search(what)
    name = named.group(1) if named else ""
    if what.startswith("Object contains unknown field"):
        fields = [field for one in at if _is_struct(one) for field in one.__struct_encode_fields__]
        return f"known fields: {closest(name, fields, 40)}" if fields else f"leave `{name}` out"
    if enum := _ENUM.match(what):
        values = [str(value) for one in at if get_origin(one) is Literal for value in get_args(one)]
        return (
            f"known values: {closest(enum.group(1), values, 40)}" if values else f"choose another `{place}`"
        )
    if what.startswith("Object missing required field"):
        return f"add `{name}`"
    if place != "$":
        return f"correct `{place.removeprefix('$').removeprefix('.')}`"
    return "check that it is whole and well-formed, and of the fields that are expected"


def _at(kind: Any, place: str) -> Iterator[Any]:
    """The types that may stand at a place, each alternative of a union for itself."""
    here = list(_alternatives(kind))
    for step in _STEP.finditer(place):
        here = [inner for one in here for inner in _inside(one, step.group(1))]
    yield from here


def _inside(kind: Any, field: str | None) -> Iterator[Any]:
    if field is None:
        arguments = [one for one in get_args(kind) if one is not Ellipsis]
        yield from _alternatives(arguments[-1]) if arguments else ()
    elif _is_struct(kind):
        names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
        hints = get_type_hints(kind, include_extras=True)
        yield from _alternatives(hints[names[field]]) if field in names else ()


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
