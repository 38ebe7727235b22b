"""Checks of what is evaluated: JSONPath, payload templates, intrinsic functions, JSONata."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from remit.core.states import intrinsics, jsonata, paths
from remit.core.states.report import Here, shown

MOST_NAME = 80
"""Characters of a variable's name (AWS developer guide, "Passing data between states with variables")."""

MOST_SAID = 300
"""Characters of a parser's own sentence that a problem repeats: it may hold the whole expression."""

_RESERVED = "states"
_OWN_DATA = re.compile(r"\$(?:\Z|[.\[])")


def path(here: Here, value: Any) -> None:
    """A JSONPath into the input (`$.a`), the context object (`$$.a`) or a variable (`$name.a`)."""
    if not isinstance(value, str) or not value.startswith("$"):
        here.problem(f"`{here.field}` cannot be {shown(value)}", "write a JSONPath, such as `$.order.id`")
        return
    _parsed(here, value, paths.compile_path, "JSONPath")


def nullable_path(here: Here, value: Any) -> None:
    """A JSONPath, or null for an empty object."""
    if value is not None:
        path(here, value)


def result_path(here: Here, value: Any) -> None:
    """A reference path into the state's own input: `$`, dots and brackets with one name or index each; or null."""
    if value is None:
        return
    if not isinstance(value, str) or not _OWN_DATA.match(value):
        here.problem(
            f"`{here.field}` cannot be {shown(value)}",
            "write a path into the input, such as `$.result`, or null",
        )
        return
    _parsed(here, value, paths.compile_reference, "reference path")


def reference(here: Here, value: Any) -> None:
    """A reference path: it names one value, so it has no filter, slice, wildcard or `..`."""
    if not isinstance(value, str) or not value.startswith("$"):
        here.problem(
            f"`{here.field}` cannot be {shown(value)}", "write a reference path, such as `$.order.id`"
        )
        return
    _parsed(here, value, paths.compile_reference, "reference path")


def path_or_intrinsic(here: Here, value: Any) -> None:
    """A JSONPath, or a call of an intrinsic function (`States.Format(...)`)."""
    if isinstance(value, str) and value.startswith("States."):
        _parsed(here, value, intrinsics.parse, "intrinsic function")
    elif isinstance(value, str) and value.startswith("$"):
        _parsed(here, value, paths.compile_path, "JSONPath")
    else:
        here.problem(
            f"`{here.field}` cannot be {shown(value)}",
            "write a JSONPath or an intrinsic function, or take `.$` off the name for a fixed value",
        )


def _parsed(here: Here, value: str, parse: Callable[[str], Any], what: str) -> None:
    try:
        parse(value)
    except ValueError as error:
        said = str(error)
        said = f"{said[:MOST_SAID]}..." if len(said) > MOST_SAID else said
        here.problem(f"`{here.field}` holds no {what}: {said}", f"correct {shown(value)}")


def payload(here: Here, value: Any) -> None:
    """A payload template of JSONPath: fields whose name ends in `.$` are evaluated, at any depth."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            payload(here.at(index), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                path_or_intrinsic(here.at(key), item)
                if key[:-2] in value:
                    here.at(key).problem(
                        f"`{key}` and `{key[:-2]}` give one field twice", "remove one of them"
                    )
            else:
                payload(here.at(key), item)


def expressions(here: Here, value: Any) -> None:
    """A template of JSONata: texts between `{%` and `%}` are evaluated, at any depth."""
    if isinstance(value, str):
        expression(here, value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            expressions(here.at(index), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                here.at(key).warning(
                    f"`{key}` is just a name: JSONata is in force here",
                    f"write `{key[:-2]}`, with an expression between `{{%` and `%}}`",
                )
            expressions(here.at(key), item)


def expression(here: Here, value: str) -> None:
    """A text of a JSONata state: an expression when it begins with `{%` and ends with `%}`, else just text."""
    opened, closed = value.startswith("{%"), value.endswith("%}")
    if opened and closed and len(value) >= 4:
        _parsed(here, value[2:-2], jsonata.compile_expression, "JSONata")
    elif opened or closed:
        here.problem(
            f"`{here.field}` is half an expression: {shown(value)}",
            "begin the text with `{%` and end it with `%}`",
        )
    elif value.strip().startswith("{%") and value.strip().endswith("%}"):
        here.warning(
            f"{shown(value)} is text and no expression", "take away what stands before `{%` and after `%}`"
        )


def template(here: Here, value: Any) -> None:
    """A template of the query language in force."""
    (expressions if here.jsonata else payload)(here, value)


def object_template(here: Here, value: Any) -> None:
    """A template that gives an object: one as it is, or in JSONata an expression."""
    if isinstance(value, dict) or (here.jsonata and isinstance(value, str) and "{%" in value):
        template(here, value)
    else:
        here.problem(f"`{here.field}` cannot be {shown(value)}", "write an object")


def assign(here: Here, value: Any) -> None:
    """Variables: an object of templates by name."""
    if not isinstance(value, dict):
        here.problem(f"`Assign` cannot be {shown(value)}", "write an object: a value for each variable")
        return
    for key in value:
        _variable(here.at(key), variable(key, here.jsonata))
    template(here, value)


def variable(key: str, jsonata: bool) -> str:
    """The variable that a field of `Assign` sets."""
    return key if jsonata else key.removesuffix(".$")


def _variable(here: Here, given: str) -> None:
    if given == _RESERVED:
        here.problem("`states` is no name for a variable: it is reserved", "choose another name")
    elif not given.isidentifier() or len(given) > MOST_NAME:
        here.problem(
            f"{shown(given)} is no name for a variable",
            f"use letters, digits and underscores, at most {MOST_NAME}, and begin with a letter",
        )
