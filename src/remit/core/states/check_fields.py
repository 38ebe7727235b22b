"""The fields of every type of state, and what they mean together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remit.core.states.check_choice import choices
from remit.core.states.check_errors import catch, retry
from remit.core.states.check_expressions import (
    assign,
    expressions,
    nullable_path,
    object_template,
    path,
    path_or_intrinsic,
    payload,
    reference,
    result_path,
    template,
)
from remit.core.states.check_map import item_batcher, item_reader, label, result_writer, whole_map
from remit.core.states.check_members import (
    JSONATA,
    JSONPATH,
    Field,
    Fields,
    at_most_one,
    exactly_one,
    members,
)
from remit.core.states.check_resource import resource
from remit.core.states.check_values import (
    MOST_SECONDS,
    anything,
    boolean,
    either,
    is_number,
    must,
    name,
    one_of,
    percentage,
    seconds,
    text,
    timestamp,
    whole,
)
from remit.core.states.report import Here, listed, nearest, shown

LANGUAGES = (JSONPATH, JSONATA)
_array = must(lambda v: isinstance(v, list), "an array, or an expression that gives one")


def _items(here: Here, value: Any) -> None:
    if isinstance(value, (list, dict)):
        expressions(here, value)
    else:
        either(_array)(here, value)


def _credentials(here: Here, value: Any) -> None:
    object_template(here, value)
    if isinstance(value, dict) and not value.keys() & {"RoleArn", "RoleArn.$"}:
        here.problem("`Credentials` has no `RoleArn`", "add `RoleArn`")


_COMMON: Fields = {
    "Type": Field(name, required=True),
    "Comment": Field(text),
    "QueryLanguage": Field(one_of(LANGUAGES)),
}
_IN_OUT: Fields = {
    "InputPath": Field(nullable_path, JSONPATH),
    "OutputPath": Field(nullable_path, JSONPATH),
    "Output": Field(expressions, JSONATA),
}
_GO_ON: Fields = {"Next": Field(name), "End": Field(boolean)}
_RESULT: Fields = {
    "Parameters": Field(payload, JSONPATH),
    "ResultPath": Field(result_path, JSONPATH),
    "Assign": Field(assign),
}
_WORK: Fields = {
    **_RESULT,
    "ResultSelector": Field(object_template, JSONPATH),
    "Retry": Field(retry),
    "Catch": Field(catch),
}
_ARGUMENTS: Fields = {"Arguments": Field(expressions, JSONATA)}


def _or_path(key: str, check: Field) -> Fields:
    """A field, and the one that takes its value from a path."""
    return {key: check, f"{key}Path": Field(reference, JSONPATH)}


TYPES: Mapping[str, Fields] = {
    "Pass": {**_COMMON, **_IN_OUT, **_GO_ON, **_RESULT, "Result": Field(anything, JSONPATH)},
    "Task": {
        **_COMMON,
        **_IN_OUT,
        **_GO_ON,
        **_WORK,
        **_ARGUMENTS,
        "Resource": Field(resource, required=True),
        **_or_path("TimeoutSeconds", Field(either(seconds))),
        **_or_path("HeartbeatSeconds", Field(either(seconds))),
        "Credentials": Field(_credentials),
    },
    "Choice": {
        **_COMMON,
        **_IN_OUT,
        "Choices": Field(choices, required=True),
        "Default": Field(name),
        "Assign": Field(assign),
    },
    "Wait": {
        **_COMMON,
        **_IN_OUT,
        **_GO_ON,
        **_or_path("Seconds", Field(either(whole(0, MOST_SECONDS)))),
        **_or_path("Timestamp", Field(either(timestamp))),
        "Assign": Field(assign),
    },
    "Succeed": {**_COMMON, **_IN_OUT},
    "Fail": {
        **_COMMON,
        "Error": Field(either(text)),
        "ErrorPath": Field(path_or_intrinsic, JSONPATH),
        "Cause": Field(either(text)),
        "CausePath": Field(path_or_intrinsic, JSONPATH),
    },
    "Parallel": {
        **_COMMON,
        **_IN_OUT,
        **_GO_ON,
        **_WORK,
        **_ARGUMENTS,
        "Branches": Field(anything, required=True),
    },
    "Map": {
        **_COMMON,
        **_IN_OUT,
        **_GO_ON,
        **_WORK,
        "ItemProcessor": Field(anything),
        "Iterator": Field(anything),
        "ItemsPath": Field(path, JSONPATH),
        "Items": Field(_items, JSONATA),
        "ItemSelector": Field(template),
        "ItemReader": Field(item_reader),
        "ItemBatcher": Field(item_batcher),
        "ResultWriter": Field(result_writer),
        "Label": Field(label),
        **_or_path("MaxConcurrency", Field(either(whole(0)))),
        **_or_path("ToleratedFailureCount", Field(either(whole(0)))),
        **_or_path("ToleratedFailurePercentage", Field(either(percentage))),
    },
}
"""The fields of each type (States Language, "Table of State Types and Fields"). Branches are checked with the machine."""

_EXCLUSIVE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Task": (("TimeoutSeconds", "TimeoutSecondsPath"), ("HeartbeatSeconds", "HeartbeatSecondsPath")),
    "Fail": (("Error", "ErrorPath"), ("Cause", "CausePath")),
    "Map": (
        ("ItemSelector", "Parameters"),
        ("Items", "ItemReader"),
        ("MaxConcurrency", "MaxConcurrencyPath"),
        ("ToleratedFailureCount", "ToleratedFailureCountPath"),
        ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ),
}
_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "Wait": ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"),
    "Map": ("ItemProcessor", "Iterator"),
}


def state_fields(here: Here, state: Any) -> None:
    """Check one state, but not the machines inside it."""
    if not isinstance(state, dict):
        here.problem(f"a state cannot be {shown(state)}", "write an object with a `Type`")
        return
    kind = state.get("Type")
    if not isinstance(kind, str) or kind not in TYPES:
        _no_type(here, kind)
        return
    what = f"a {kind} state"
    members(here, state, TYPES[kind], what)
    for names in _EXCLUSIVE.get(kind, ()):
        at_most_one(here, state, names)
    if kind in _ONE_OF:
        exactly_one(here, state, _ONE_OF[kind], what)
    _together(here, state, kind)


def _no_type(here: Here, kind: Any) -> None:
    if kind is None:
        here.problem("the state has no `Type`", f"add one of {listed(TYPES)}")
        return
    meant = nearest(kind, TYPES) if isinstance(kind, str) else ""
    here.at("Type").problem(
        f"there is no type {shown(kind)}",
        f"did you mean `{meant}`?" if meant else f"write one of {listed(TYPES)}",
    )


def _together(here: Here, state: dict[str, Any], kind: str) -> None:
    if "End" in TYPES[kind]:
        _goes_on(here, state, kind)
    if kind == "Task":
        _beats(here, state)
    if kind == "Map":
        whole_map(here, state)


def _goes_on(here: Here, state: dict[str, Any], kind: str) -> None:
    if state.get("End") is True and "Next" in state:
        here.at("Next").problem("`Next` and `End` exclude one another", "keep one of them")
    elif state.get("End") is not True and "Next" not in state:
        here.problem(f"a {kind} state has neither `Next` nor `End`", 'add `Next`, or `"End": true`')


def _beats(here: Here, state: dict[str, Any]) -> None:
    limit, beat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if is_number(limit) and is_number(beat) and beat >= limit:
        here.at("HeartbeatSeconds").problem(
            f"`HeartbeatSeconds` is not smaller than `TimeoutSeconds`, {shown(limit)}", "write fewer seconds"
        )
