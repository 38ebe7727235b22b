"""Typed attribute values of DynamoDB, as its API writes them: `{"S": "x"}`, `{"N": "1"}`, `{"L": [...]}` ...

Source: Amazon DynamoDB API reference, AttributeValue; developer guide, "Naming rules and data types".
"""

from __future__ import annotations

import base64
import binascii
from decimal import Context, Decimal, InvalidOperation
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]
DIGITS = 38
"""The most significant digits of a number."""
EXACT = Context(prec=320)
"""Arithmetic that rounds nothing: magnitudes reach from 1E-130 to 1E+126."""
LEVELS = 32
"""How deep lists and maps may lie in one another."""
_SETS = {"SS": "S", "NS": "N", "BS": "B"}


class Invalid(Exception):
    """What DynamoDB refuses as a ValidationException."""


def checked_item(item: dict[str, Any]) -> Item:
    """The item with its numbers in DynamoDB's own form. Raises Invalid."""
    return {name: checked(value) for name, value in item.items()}


def checked(value: Any, depth: int = 0) -> Value:
    """A value with its numbers in DynamoDB's own form. Raises Invalid."""
    if depth > LEVELS:
        raise Invalid("Nesting Levels have exceeded supported limits")
    if not isinstance(value, dict) or len(value) != 1:
        raise Invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    ((kind, held),) = value.items()
    if kind not in _CHECKS and kind not in ("L", "M"):
        raise Invalid(f"`{kind}` is no type of an attribute value")
    if kind == "L":
        return {kind: [checked(each, depth + 1) for each in _array(held)]}
    if kind == "M":
        return {kind: {name: checked(each, depth + 1) for name, each in _object(held).items()}}
    return {kind: _CHECKS[kind](held)}


def _text(held: Any) -> str:
    if not isinstance(held, str):
        raise Invalid("a value of type S is text")
    return held


def _number(held: Any) -> str:
    if not isinstance(held, str):
        raise Invalid('a value of type N is a number as text, e.g. {"N": "1"}')
    try:
        number = EXACT.create_decimal(held.strip())
    except InvalidOperation as error:
        raise Invalid(f"The parameter cannot be converted to a numeric value: {held}") from error
    if not number.is_finite():
        raise Invalid(f"The parameter cannot be converted to a numeric value: {held}")
    return number_text(number)


def number_text(number: Decimal) -> str:
    """A number without leading or trailing zeros or an exponent. Raises Invalid for one that is too long or too large."""
    if number == 0:
        return "0"
    number = number.normalize(EXACT)
    if len(number.as_tuple().digits) > DIGITS:
        raise Invalid("Attempting to store more than 38 significant digits in a Number")
    if not -130 <= number.adjusted() <= 125:
        raise Invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    return f"{number:f}"


def _binary(held: Any) -> str:
    try:
        base64.b64decode(held, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise Invalid("a value of type B is text in Base64") from error
    return str(held)


def _boolean(held: Any) -> bool:
    if not isinstance(held, bool):
        raise Invalid("a value of type BOOL is true or false")
    return held


def _null(held: Any) -> bool:
    if held is not True:
        raise Invalid("Null attribute value types must have the value of true")
    return True


def _array(held: Any) -> list[Any]:
    if not isinstance(held, list):
        raise Invalid("a value of type L is an array")
    return held


def _object(held: Any) -> dict[str, Any]:
    if not isinstance(held, dict):
        raise Invalid("a value of type M is an object")
    return held


def _set_of(kind: str) -> Any:
    def check(held: Any) -> list[str]:
        if not isinstance(held, list) or not held:
            raise Invalid("An set may not be empty")
        made = [_CHECKS[kind](each) for each in held]
        if len(set(made)) < len(made):
            raise Invalid("Input collection contains duplicates")
        return made

    return check


_CHECKS: dict[str, Any] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    **{name: _set_of(kind) for name, kind in _SETS.items()},
}


def kind_of(value: Value) -> str:
    """The type of a value: S, N, B, BOOL, NULL, L, M, SS, NS, BS."""
    return next(iter(value))


def equal(left: Value | None, right: Value | None) -> bool:
    """Whether two values are the same: sets in any order; a missing one equals nothing."""
    if left is None or right is None or kind_of(left) != kind_of(right):
        return False
    return bool(comparable(left) == comparable(right))


def comparable(value: Value) -> Any:
    """A value as Python compares it: numbers by size, binary by bytes, sets without order."""
    kind, held = next(iter(value.items()))
    if kind == "N":
        return Decimal(held)
    if kind == "B":
        return base64.b64decode(held)
    if kind in _SETS:
        return frozenset(held)
    if kind == "L":
        return [(kind_of(each), comparable(each)) for each in held]
    if kind == "M":
        return {name: (kind_of(each), comparable(each)) for name, each in held.items()}
    return held


def size_of(value: Value) -> int:
    """What `size` says: UTF-8 bytes of a text, bytes of a binary, elements of a set, list or map. Raises Invalid."""
    kind, held = next(iter(value.items()))
    if kind == "S":
        return len(held.encode())
    if kind == "B":
        return len(base64.b64decode(held))
    if kind in _SETS or kind in ("L", "M"):
        return len(held)
    raise Invalid(
        f"Incorrect operand type for operator or function; operator or function: size, operand type: {kind}"
    )
