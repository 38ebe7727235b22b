"""What a run of a document starts with, as a JSON Schema: the fields of its input that its states read.

The States Language declares no input, so this is read off the document: from the first state on for as far as states hand their
input on, and wherever one asks for the execution's input. What is found is a help to whoever fills in a form, and no check:
a field that nothing is known of takes any value, none is required, and others may be given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from remit.core.states.dataflow import speaks_jsonata

_NAMES = r"((?:\.(?:[A-Za-z_]\w*|`[^`]+`))+)"
_READ = re.compile(rf"\$states\.input{_NAMES}")
_EXECUTION = re.compile(rf"\$states\.context\.Execution\.Input{_NAMES}")
_PATH = re.compile(rf"(?<!\$)\${_NAMES}")
_EXECUTION_PATH = re.compile(rf"\$\$\.Execution\.Input{_NAMES}")
_NAME = re.compile(r"\.(?:([A-Za-z_]\w*)|`([^`]+)`)")

_COMPARED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\s*(?:[<>]=?|!?=)\s*-?\d"), "number"),
    (re.compile(r"\s*!?=\s*[\"']"), "string"),
    (re.compile(r"\s*!?=\s*(?:true|false)\b"), "boolean"),
)
"""What a field is that is compared like this."""
_RULES = {"Numeric": "number", "String": "string", "Boolean": "boolean", "Timestamp": "string"}
_FIELDS = {
    "Items": "array",
    "ItemsPath": "array",
    "Seconds": "number",
    "SecondsPath": "number",
    "Timestamp": "string",
    "TimestampPath": "string",
}
"""What a field is that one of these fields of a state stands for, whole."""
_INSIDE = ("Branches", "ItemProcessor", "Iterator")
_TAKES_APART = ("InputPath", "OutputPath", "Parameters", "Result", "ResultSelector")

Path = tuple[str, ...]


class _Read(NamedTuple):
    """A field that a state reads, and its type as far as that can be seen."""

    path: Path
    type: str
    state: str


def input_schema(document: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of what a checked document's run starts with."""
    fields: dict[str, Any] = {}
    for read in [*_whole_input(document, document, frozenset()), *_execution_input(document, document)]:
        _add(fields, read)
    return {"type": "object", "properties": {name: _schema(made) for name, made in fields.items()}}


def _whole_input(
    document: Mapping[str, Any], machine: Mapping[str, Any], given: frozenset[str]
) -> Iterator[_Read]:
    """What those states of a machine read that have its input before them; the fields `given` were added on the way."""
    seen: set[str] = set()
    waiting = [(machine["StartAt"], given)]
    while waiting:
        name, added = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        state = machine["States"][name]
        jsonata = speaks_jsonata(document, state)
        yield from (r for r in _reads(name, _own(state), jsonata) if r.path[0] not in added)
        if not any(field in state for field in ("Arguments", "Parameters", "InputPath")):
            for branch in state.get("Branches", ()):
                yield from _whole_input(document, branch, added)
        more = _handed_on(state, jsonata)
        if more is not None:
            waiting += [(after, added | more) for after in _following(state)]


def _execution_input(document: Mapping[str, Any], machine: Mapping[str, Any]) -> Iterator[_Read]:
    """What any state reads of the execution's own input."""
    for name, state in machine["States"].items():
        pattern = _EXECUTION if speaks_jsonata(document, state) else _EXECUTION_PATH
        yield from _found(name, _own(state), pattern)
        inner = [*state.get("Branches", ()), *(state[f] for f in _INSIDE[1:] if f in state)]
        for below in inner:
            yield from _execution_input(document, below)


def _handed_on(state: Mapping[str, Any], jsonata: bool) -> frozenset[str] | None:
    """The fields that a state adds to the input that it hands on; None when it hands on something else."""
    if jsonata:
        passes = state["Type"] not in ("Task", "Map", "Parallel") and "Output" not in state
        return frozenset() if passes or state.get("Output") == "{% $states.input %}" else None
    if any(field in state for field in _TAKES_APART[:2]):
        return None
    if state["Type"] not in ("Task", "Map", "Parallel", "Pass"):
        return frozenset()
    where = state.get("ResultPath", "$")
    if state["Type"] == "Pass" and not any(field in state for field in _TAKES_APART):
        return frozenset()
    if where is None:
        return frozenset()
    found = _PATH.match(str(where))
    return frozenset(_parts(found[1])[:1]) if found else None


def _following(state: Mapping[str, Any]) -> list[str]:
    choices = [rule["Next"] for rule in state.get("Choices", ()) if "Next" in rule]
    return [*choices, *(state[field] for field in ("Default", "Next") if field in state)]


def _own(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state without the machines inside it, and without what is made of its result."""
    left_out = (*_INSIDE, "Assign", "ResultSelector", "Catch", "Retry", "Comment", "OutputPath", "ResultPath")
    return {field: value for field, value in state.items() if field not in left_out}


def _reads(state: str, value: Any, jsonata: bool) -> Iterator[_Read]:
    return _found(state, value, _READ if jsonata else _PATH)


def _found(
    state: str, value: Any, pattern: re.Pattern[str], field: str = "", rule: str = ""
) -> Iterator[_Read]:
    """Every field that a value of a state speaks of."""
    if isinstance(value, Mapping):
        compared = next((t for key in value for word, t in _RULES.items() if key.startswith(word)), "")
        for key, item in value.items():
            yield from _found(state, item, pattern, key, compared if key == "Variable" else "")
    elif isinstance(value, list):
        for item in value:
            yield from _found(state, item, pattern, field)
    elif isinstance(value, str):
        text = value.strip().removeprefix("{%").removesuffix("%}").strip()
        for match in pattern.finditer(text):
            yield _Read(_parts(match[1]), rule or _type(text, match, field), state)


def _type(text: str, match: re.Match[str], field: str) -> str:
    if match[0] == text and field in _FIELDS:
        return _FIELDS[field]
    if match[0] == text and field == "Condition":
        return "boolean"
    return next((type_ for compared, type_ in _COMPARED if compared.match(text, match.end())), "")


def _parts(names: str) -> Path:
    return tuple(m[1] or m[2] for m in _NAME.finditer(names))


def _add(fields: dict[str, Any], read: _Read) -> None:
    """Note a field, and those that it is in."""
    here = fields
    for at, name in enumerate(read.path):
        made = here.setdefault(name, {"below": {}, "type": "", "states": {}})
        made["states"][read.state] = None
        if at == len(read.path) - 1:
            made["type"] = made["type"] or read.type
        here = made["below"]


def _schema(made: Mapping[str, Any]) -> dict[str, Any]:
    said = f"read by {', '.join(made['states'])}"
    if made["below"]:
        below = {name: _schema(inner) for name, inner in made["below"].items()}
        return {"type": "object", "properties": below, "description": said}
    return {**({"type": made["type"]} if made["type"] else {}), "description": said}
