"""Checks of an object by a table of its fields: what is allowed, required and exclusive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from remit.core.states.check_values import Check
from remit.core.states.report import Here, listed, nearest, shown

JSONPATH: Literal["JSONPath"] = "JSONPath"
JSONATA: Literal["JSONata"] = "JSONata"

INSTEAD = {
    "InputPath": "`Arguments` or `Output`",
    "OutputPath": "`Output`",
    "ResultPath": "`Output`",
    "ResultSelector": "`Output`",
    "Result": "`Output`",
    "Parameters": "`Arguments`",
    "ItemsPath": "`Items`",
    "Variable": "`Condition`",
    "Arguments": "`Parameters`",
    "Output": "`ResultSelector`, `ResultPath` or `OutputPath`",
    "Items": "`ItemsPath`",
    "Condition": "`Variable` and a comparison",
}
"""What the other query language has in place of a field."""


class Field(Struct, frozen=True):
    """A field of an object: how its value is checked, and whether it belongs to one query language only."""

    check: Check
    only: Literal["", "JSONPath", "JSONata"] = ""
    required: bool = False


Fields = Mapping[str, Field]


def members(here: Here, value: Any, fields: Fields, what: str) -> bool:
    """Check an object by its table; False when it is no object. `what` is what a sentence calls it."""
    if not isinstance(value, dict):
        here.problem(f"{what} cannot be {shown(value)}", "write an object")
        return False
    for key, item in value.items():
        field = fields.get(key)
        if field is None:
            _unknown(here.at(key), key, fields, what)
        elif field.only and field.only != _language(here):
            _foreign(here.at(key), key, field.only)
        else:
            field.check(here.at(key), item)
    for key, field in fields.items():
        if field.required and key not in value and field.only in ("", _language(here)):
            here.problem(f"{what} has no `{key}`", f"add `{key}`")
    return True


def _language(here: Here) -> str:
    return JSONATA if here.jsonata else JSONPATH


def _unknown(here: Here, key: str, fields: Fields, what: str) -> None:
    allowed = [name for name, field in fields.items() if field.only in ("", _language(here))]
    meant = nearest(key, allowed)
    help = f"did you mean `{meant}`?" if meant else f"it may have {listed(allowed, 30)}"
    here.problem(f"{what} has no field `{key[:100]}`", help)


def _foreign(here: Here, key: str, only: str) -> None:
    instead = INSTEAD.get(key, f"`{key.removesuffix('Path')}`")
    if only == JSONPATH:
        here.problem(f"`{key}` is of JSONPath, and JSONata is in force here", f"write {instead} instead")
    else:
        here.problem(
            f"`{key}` is of JSONata, and JSONPath is in force here",
            f'write {instead} instead, or set `"QueryLanguage": "JSONata"`',
        )


def at_most_one(here: Here, value: Mapping[str, Any], names: Sequence[str]) -> None:
    """A problem unless at most one of some fields is there."""
    there = [name for name in names if name in value]
    if len(there) > 1:
        both = " and ".join(f"`{name}`" for name in there)
        here.at(there[1]).problem(f"{both} exclude one another", "keep one of them")


def exactly_one(here: Here, value: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """A problem unless exactly one of some fields is there."""
    at_most_one(here, value, names)
    if not any(name in value for name in names):
        here.problem(f"{what} has none of {listed(names)}", "add one of them")
