"""Checks of Retry and Catch."""

from __future__ import annotations

from typing import Any

from remit.core.states import failures
from remit.core.states.check_expressions import assign, expressions, result_path
from remit.core.states.check_members import JSONATA, JSONPATH, Field, Fields, members
from remit.core.states.check_values import (
    MOST_SECONDS,
    at_least,
    is_number,
    name,
    one_of,
    seconds,
    text,
    whole,
)
from remit.core.states.report import Here, listed, nearest, shown

MOST_DELAY = 31_622_400
"""The most seconds that MaxDelaySeconds may say: a year (AWS developer guide, "Handling errors")."""

_PREFIX = "States."
NAMES = frozenset(
    {
        value
        for key, value in vars(failures).items()
        if key.isupper() and isinstance(value, str) and value.startswith(_PREFIX)
    }
    | {"States.Http.Socket"}
)
"""Every error of the language itself. Names that begin with `States.` are reserved."""


def retry(here: Here, value: Any) -> None:
    """Retriers, in their order."""
    _each(here, value, RETRIER, "a retrier")


def catch(here: Here, value: Any) -> None:
    """Catchers, in their order."""
    _each(here, value, CATCHER, "a catcher")


def _each(here: Here, value: Any, fields: Fields, what: str) -> None:
    if not isinstance(value, list):
        here.problem(f"`{here.field}` cannot be {shown(value)}", "write an array")
        return
    for index, item in enumerate(value):
        if members(here.at(index), item, fields, what):
            _all_is_last(here.at(index).at("ErrorEquals"), item.get("ErrorEquals"), index == len(value) - 1)
            _delays(here.at(index), item)


def _all_is_last(here: Here, names: Any, last: bool) -> None:
    if not isinstance(names, list) or failures.ALL not in names:
        return
    if len(names) > 1:
        here.problem(f"`{failures.ALL}` stands beside other names", "write it alone: it means every error")
    if not last:
        here.problem(f"nothing after `{failures.ALL}` is ever reached", "write it in the last element only")


def _delays(here: Here, item: dict[str, Any]) -> None:
    most, first = item.get("MaxDelaySeconds"), item.get("IntervalSeconds", 1)
    if is_number(most) and is_number(first) and 1 <= most <= first:
        here.at("MaxDelaySeconds").problem(
            f"`MaxDelaySeconds` is not more than `IntervalSeconds`, {shown(first)}", "write more seconds"
        )


def error_equals(here: Here, value: Any) -> None:
    """The names of errors that a retrier or catcher is for."""
    if not isinstance(value, list) or not value:
        here.problem(f"`ErrorEquals` cannot be {shown(value)}", "write an array with at least one name")
        return
    for index, item in enumerate(value):
        name(here.at(index), item)
        if isinstance(item, str) and item.startswith(_PREFIX) and item not in NAMES:
            meant = nearest(item, NAMES)
            help = f"did you mean `{meant}`?" if meant else f"there are {listed(sorted(NAMES), 30)}"
            here.at(index).warning(f"no error is ever named `{item[:100]}`", help)


_BOTH: Fields = {"ErrorEquals": Field(error_equals, required=True), "Comment": Field(text)}
RETRIER: Fields = {
    **_BOTH,
    "IntervalSeconds": Field(seconds),
    "MaxAttempts": Field(whole(0, MOST_SECONDS)),
    "BackoffRate": Field(at_least(1)),
    "MaxDelaySeconds": Field(whole(1, MOST_DELAY)),
    "JitterStrategy": Field(one_of(("FULL", "NONE"))),
}
CATCHER: Fields = {
    **_BOTH,
    "Next": Field(name, required=True),
    "ResultPath": Field(result_path, JSONPATH),
    "Output": Field(expressions, JSONATA),
    "Assign": Field(assign),
}
