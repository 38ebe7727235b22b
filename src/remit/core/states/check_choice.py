"""Checks of the rules of a Choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remit.core.states.check_expressions import assign, expressions, path
from remit.core.states.check_members import JSONATA, JSONPATH, Field, Fields, members
from remit.core.states.check_values import (
    Check,
    boolean,
    either,
    is_number,
    must,
    name,
    text,
    timestamp,
)
from remit.core.states.report import Here, listed, shown

_number = must(is_number, "a number")
_ORDERED: dict[str, Check] = {"String": text, "Numeric": _number, "Timestamp": timestamp}
_ORDERS = ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
_TESTS = ("IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp")
_BOOLEANS = ("And", "Or", "Not")


def _comparators() -> Iterator[tuple[str, Check]]:
    for kind, operand in (*_ORDERED.items(), ("Boolean", boolean)):
        for order in _ORDERS if kind in _ORDERED else ("Equals",):
            yield f"{kind}{order}", operand
            yield f"{kind}{order}Path", path
    yield "StringMatches", text
    yield from ((test, boolean) for test in _TESTS)


COMPARATORS = dict(_comparators())
"""The comparators of JSONPath, each with the check of its operand."""


def choices(here: Here, value: Any) -> None:
    """The rules of a Choice, in their order."""
    if not isinstance(value, list) or not value:
        here.problem(f"`Choices` cannot be {shown(value)}", "write an array with at least one rule")
        return
    for index, rule in enumerate(value):
        _top(here.at(index), rule)


def _top(here: Here, rule: Any) -> None:
    if members(here, rule, TOP, "a rule of a Choice") and not here.jsonata:
        _one_comparison(here, rule)


def _nested(here: Here, rule: Any) -> None:
    if not isinstance(rule, dict):
        here.problem(f"a nested rule cannot be {shown(rule)}", "write an object")
        return
    for key in [k for k in ("Next", "Assign", "Output") if k in rule]:
        here.at(key).problem(
            f"a nested rule has no `{key}`", f"only the outermost rule may have `{key}`: move it there"
        )
    members(here, {k: v for k, v in rule.items() if k not in ("Next", "Assign", "Output")}, NESTED, "a rule")
    _one_comparison(here, rule)


def _some(here: Here, value: Any) -> None:
    if not isinstance(value, list) or not value:
        here.problem(f"`{here.field}` cannot be {shown(value)}", "write an array with at least one rule")
        return
    for index, rule in enumerate(value):
        _nested(here.at(index), rule)


def _one_comparison(here: Here, rule: dict[str, Any]) -> None:
    """Either a Variable with one comparator, or one of And, Or and Not."""
    found = [key for key in rule if key in COMPARATORS or key in _BOOLEANS]
    if not found:
        here.problem("the rule compares nothing", "add `Variable` and a comparison, or `And`, `Or` or `Not`")
    elif len(found) > 1:
        here.at(found[1]).problem(
            f"one rule has {listed(found)}", "keep one comparison; join several with `And` or `Or`"
        )
    elif found[0] in COMPARATORS and "Variable" not in rule:
        here.problem(f"`{found[0]}` has nothing to compare", "add `Variable`, a JSONPath")
    elif found[0] in _BOOLEANS and "Variable" in rule:
        here.at("Variable").problem(
            f"`Variable` says nothing beside `{found[0]}`", "move it into the nested rules"
        )


_BOTH: Fields = {
    "Variable": Field(path, JSONPATH),
    **{key: Field(check, JSONPATH) for key, check in COMPARATORS.items()},
    "And": Field(_some, JSONPATH),
    "Or": Field(_some, JSONPATH),
    "Not": Field(_nested, JSONPATH),
    "Comment": Field(text),
}
NESTED: Fields = _BOTH
TOP: Fields = {
    "Condition": Field(either(boolean), JSONATA, required=True),
    "Next": Field(name, required=True),
    **_BOTH,
    "Assign": Field(assign),
    "Output": Field(expressions, JSONATA),
}
