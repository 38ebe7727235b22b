"""A Task whose service wraps the result, as the Task that gives the bare one: every mention of the result goes a step deeper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PREFIX_OF_REGEX = "(,=:[!&|?{;~>+-*^<"


class NotRewritable(ValueError):
    """The result is used in a way that cannot be followed; the message says which."""


def jsonata_state(state: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A JSONata Task whose `$states.result` now has what it wants under `key`. Raises NotRewritable."""
    made = dict(state)
    for field in ("Output", "Assign"):
        if field in state:
            made[field] = _in_strings(state[field], key)
    made.setdefault("Output", f"{{% $states.result.{key} %}}")
    return made


def jsonpath_state(name: str, state: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """The states that a JSONPath Task becomes whose result is now under `key`: itself, and a Pass where ResultPath needs one.

    ResultSelector makes objects only, so it cannot give a bare value to ResultPath: the Pass lifts it out.
    """
    made = dict(state)
    if "Assign" in made:
        made["Assign"] = _template(made["Assign"], key)
    if "ResultSelector" in made:
        made["ResultSelector"] = _template(made["ResultSelector"], key)
        return {name: made}
    at = made.get("ResultPath", "$")
    if at is None:
        return {name: made}
    if at == "$":
        outward = made.get("OutputPath", "$")
        if outward is not None:
            made["OutputPath"] = path(outward, key)
        return {name: made}
    made["ResultSelector"] = {f"{key}.$": f"$.{key}"}
    lifted = f"{name[:72]} result"
    lift = {"Type": "Pass", "InputPath": f"{at}.{key}", "ResultPath": at}
    for field in ("OutputPath", "Next", "End"):
        if field in made:
            lift[field] = made.pop(field)
    made["Next"] = lifted
    return {name: made, lifted: lift}


def expression(text: str, key: str) -> str:
    """JSONata in which `$states.result` is `$states.result.KEY`. Texts, quoted names, comments and patterns stay as they are."""
    made, place = "", 0
    while place < len(text):
        end = _passed_over(text, place)
        if end > place:
            made, place = made + text[place:end], end
        elif text.startswith("$states", place) and not _continues(text, place + 7):
            taken = _of_states(text, place, key)
            made, place = made + taken[0], taken[1]
        else:
            made, place = made + text[place], place + 1
    return made


def path(text: str, key: str) -> str:
    """A JSONPath, or an intrinsic function with some, whose root is now under `key`. `$$` and variables stay."""
    made, place = "", 0
    while place < len(text):
        letter = text[place]
        if letter in "'\"":
            end = _quoted(text, place)
            made, place = made + text[place:end], end
            continue
        root = letter == "$" and not _continues(text, place + 1) and text[place + 1 : place + 2] != "$"
        if root and not (place and text[place - 1] == "$"):
            made += f"$.{key}"
        else:
            made += letter
        place += 1
    return made


def _in_strings(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _in_strings(item, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_strings(item, key) for item in value]
    if isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        return "{%" + expression(value[2:-2], key) + "%}"
    return value


def _template(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {
            name: path(item, key) if name.endswith(".$") and isinstance(item, str) else _template(item, key)
            for name, item in value.items()
        }
    return [_template(item, key) for item in value] if isinstance(value, list) else value


def _of_states(text: str, place: int, key: str) -> tuple[str, int]:
    """`$states` and its member; what is behind it."""
    at = _blank(text, place + 7)
    if text[at : at + 1] == ".":
        at = _blank(text, at + 1)
        for member in ("result", "input", "context", "errorOutput"):
            if text.startswith(member, at) and not _continues(text, at + len(member)):
                end = at + len(member)
                return text[place:end] + (f".{key}" if member == "result" else ""), end
    raise NotRewritable(
        "it uses `$states` otherwise than by `$states.result`, `.input`, `.context` or `.errorOutput`"
    )


def _passed_over(text: str, place: int) -> int:
    """The end of a text, a quoted name, a comment or a pattern that begins here; else the place itself."""
    letter = text[place]
    if letter in "'\"":
        return _quoted(text, place)
    if letter == "`":
        end = text.find("`", place + 1)
        return end + 1 if end >= 0 else len(text)
    if text.startswith("/*", place):
        end = text.find("*/", place + 2)
        return end + 2 if end >= 0 else len(text)
    before = text[:place].rstrip()
    if letter == "/" and (not before or before[-1] in _PREFIX_OF_REGEX):
        return _quoted(text, place)
    return place


def _quoted(text: str, place: int) -> int:
    """Behind the quote that ends what begins here."""
    end = place + 1
    while end < len(text) and text[end] != text[place]:
        end += 2 if text[end] == "\\" else 1
    return min(end + 1, len(text))


def _continues(text: str, place: int) -> bool:
    return place < len(text) and (text[place].isalnum() or text[place] == "_")


def _blank(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place
