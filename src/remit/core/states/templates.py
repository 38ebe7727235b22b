"""Payload templates of JSONPath states: objects whose fields that end in `.$` are paths or intrinsic functions.

Source: "Payload Template" of https://states-language.net.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from . import intrinsics, paths
from .env import Env
from .failures import PARAMETER_PATH, RUNTIME, StateFailure


class Sight(Struct, frozen=True):
    """What a path sees: `$` is `root`, `$$` the context object, `$name` a variable. `env` gives chance and ids to intrinsics."""

    root: Any
    context: Mapping[str, Any]
    variables: Mapping[str, Any]
    env: Env


def fill(template: Any, sight: Sight) -> Any:
    """A template with its `.$` fields evaluated. Raises PARAMETER_PATH for a path to nothing, INTRINSIC for a function.

    The names are those of "Errors" in https://states-language.net; Step Functions itself says RUNTIME for the former.
    """
    if isinstance(template, dict):
        return dict(_field(name, value, sight) for name, value in template.items())
    if isinstance(template, list):
        return [fill(value, sight) for value in template]
    return template


def _field(name: str, value: Any, sight: Sight) -> tuple[str, Any]:
    if not name.endswith(".$"):
        return name, fill(value, sight)
    if not isinstance(value, str):
        raise StateFailure(RUNTIME, f"the field `{name}` is no path and no intrinsic function")
    return name[:-2], read(value, sight, PARAMETER_PATH, name)


def read(text: str, sight: Sight, error: str = RUNTIME, field: str = "") -> Any:
    """The value of a path or an intrinsic function. Raises `error` for a path to nothing, naming the field that asks."""
    try:
        if intrinsics.looks_like_one(text):
            return intrinsics.evaluate(intrinsics.parse(text), lambda path: _at(path, sight), sight.env)
        return _at(text, sight)
    except paths.NoMatch as miss:
        raise StateFailure(error, f"{miss} (field `{field}`)" if field else str(miss)) from None
    except ValueError as bad:
        raise StateFailure(RUNTIME, str(bad)) from None


def _at(path: str, sight: Sight) -> Any:
    return paths.look_up(path, sight.root, sight.context, sight.variables)
