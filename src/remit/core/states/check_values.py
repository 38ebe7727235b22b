"""Checks of single values: texts, numbers, choices, timestamps; and those that JSONata may stand for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any, TypeGuard

from remit.core.states.check_expressions import expression
from remit.core.states.report import Here, listed, shown

Check = Callable[[Here, Any], None]

MOST_SECONDS = 99_999_999
"""The longest time that a field may say (AWS developer guide, "Task state" and "Wait state")."""

_TIMESTAMP = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:Z|[-+](?:[01]\d|2[0-3]):[0-5]\d)\Z"
)


def must(test: Callable[[Any], bool], wanted: str) -> Check:
    """A check that a value passes a test; `wanted` says what to write instead."""

    def check(here: Here, value: Any) -> None:
        if not test(value):
            here.problem(f"`{here.field}` cannot be {shown(value)}", f"write {wanted}")

    return check


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a value is a number of JSON (Python takes booleans for numbers too)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> TypeGuard[int | float]:
    return is_number(value) and math.isfinite(value) and value == int(value)


def whole(low: int, high: int | None = None) -> Check:
    """A whole number in a range, both ends included."""
    wanted = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
    return must(lambda v: _is_whole(v) and v >= low and (high is None or v <= high), wanted)


def at_least(low: float) -> Check:
    """A number that is not below a limit."""
    return must(lambda v: is_number(v) and v >= low, f"a number of at least {low:g}")


def percentage(here: Here, value: Any) -> None:
    """A number from 0 to 100."""
    must(lambda v: is_number(v) and 0 <= v <= 100, "a number from 0 to 100")(here, value)


def one_of(names: Collection[str]) -> Check:
    """One of some words."""
    return must(lambda v: isinstance(v, str) and v in names, f"one of {listed(names)}")


def either(check: Check) -> Check:
    """In JSONata: an expression, or what the check takes. In JSONPath: what the check takes."""

    def checked(here: Here, value: Any) -> None:
        if here.jsonata and isinstance(value, str) and ("{%" in value or "%}" in value):
            expression(here, value)
        else:
            check(here, value)

    return checked


text = must(lambda v: isinstance(v, str), "a text")
name = must(lambda v: isinstance(v, str) and v != "", "a text that is not empty")
boolean = must(lambda v: isinstance(v, bool), "true or false")
an_object = must(lambda v: isinstance(v, dict), "an object")
timestamp = must(
    lambda v: isinstance(v, str) and _TIMESTAMP.match(v) is not None,
    "a timestamp as in RFC 3339, such as `2026-01-31T12:00:00Z`, with a capital T and Z",
)
seconds = whole(1, MOST_SECONDS)


def anything(here: Here, value: Any) -> None:
    """Any value."""
