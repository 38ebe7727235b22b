"""Choice rules of JSONPath states: the comparisons, and what And, Or and Not make of them.

Source: "Choice State" of https://states-language.net. A value of another type than the operator is for never matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from . import paths, timestamps
from .failures import RUNTIME, StateFailure

Rule = Mapping[str, Any]
LookUp = Callable[[str], Any]
"""The value of a path. Raises NoMatch for a path to nothing."""
Compare = Callable[[Any, Any], bool]


def matches(rule: Rule, look_up: LookUp) -> bool:
    """Whether a rule holds. Raises RUNTIME for a path to nothing: only IsPresent may ask about that ("Choice state", AWS)."""
    if "And" in rule:
        return all(matches(each, look_up) for each in rule["And"])
    if "Or" in rule:
        return any(matches(each, look_up) for each in rule["Or"])
    if "Not" in rule:
        return not matches(rule["Not"], look_up)
    name = next((name for name in rule if name in OPERATORS or name in TESTS), None)
    if name is None:
        raise StateFailure(RUNTIME, "a choice rule has no comparison operator of the States Language")
    if name in TESTS:
        return _test(name, rule["Variable"], look_up) is rule[name]
    value = _find(rule["Variable"], look_up)
    wanted = _find(rule[name], look_up) if name.endswith("Path") else rule[name]
    return OPERATORS[name](value, wanted)


def glob(text: str, pattern: str) -> bool:
    """Whether a text is what a pattern of StringMatches says: `*` is any text, also none, `\\*` a star, `\\\\` a backslash."""
    first, *rest = _parts(pattern)
    if not rest:
        return text == first
    *middle, last = rest
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(1024)
def _parts(pattern: str) -> tuple[str, ...]:
    """The literal texts between the stars of a pattern."""
    parts = [""]
    for token in re.findall(r"\\.|.", pattern, re.DOTALL):
        if token == "*":
            parts.append("")
        else:
            parts[-1] += token[-1]
    return tuple(parts)


def _test(name: str, path: str, look_up: LookUp) -> bool:
    if name != "IsPresent":
        return TESTS[name](_find(path, look_up))
    try:
        look_up(path)
    except paths.NoMatch:
        return False
    return True


def _find(path: str, look_up: LookUp) -> Any:
    try:
        return look_up(path)
    except paths.NoMatch as miss:
        raise StateFailure(RUNTIME, f"{miss}, which a choice rule asks for") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(value: Any) -> int | None:
    return timestamps.nanoseconds(value) if isinstance(value, str) else None


def _numeric(compare: Compare) -> Compare:
    return lambda value, wanted: _is_number(value) and _is_number(wanted) and compare(value, wanted)


def _string(compare: Compare) -> Compare:
    return lambda value, wanted: isinstance(value, str) and isinstance(wanted, str) and compare(value, wanted)


def _timestamp(compare: Compare) -> Compare:
    def both(value: Any, wanted: Any) -> bool:
        left, right = _moment(value), _moment(wanted)
        return left is not None and right is not None and compare(left, right)

    return both


def _boolean(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) and value is wanted


_RELATIONS: dict[str, Compare] = {
    "Equals": lambda value, wanted: value == wanted,
    "LessThan": lambda value, wanted: value < wanted,
    "GreaterThan": lambda value, wanted: value > wanted,
    "LessThanEquals": lambda value, wanted: value <= wanted,
    "GreaterThanEquals": lambda value, wanted: value >= wanted,
}
_KINDS: dict[str, Callable[[Compare], Compare]] = {
    "String": _string,
    "Numeric": _numeric,
    "Timestamp": _timestamp,
}
OPERATORS: dict[str, Compare] = {
    f"{kind}{relation}{path}": made(compare)
    for kind, made in _KINDS.items()
    for relation, compare in _RELATIONS.items()
    for path in ("", "Path")
} | {
    "BooleanEquals": _boolean,
    "BooleanEqualsPath": _boolean,
    "StringMatches": _string(glob),
}
"""The comparisons by name, each of the variable's value with another; those that end in `Path` find the other by a path."""
TESTS: dict[str, Callable[[Any], bool]] = {
    "IsPresent": lambda value: True,
    "IsNull": lambda value: value is None,
    "IsString": lambda value: isinstance(value, str),
    "IsNumeric": _is_number,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: _moment(value) is not None,
}
"""The tests of a value alone, by name; a rule says whether the answer has to be true or false."""
