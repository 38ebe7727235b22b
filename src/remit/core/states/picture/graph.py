"""What a document looks like as a graph, and how far each of its states has come in a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from remit.core.states import resources
from remit.core.states.text import child

Phase = Literal["waiting", "running", "succeeded", "failed", "caught", "aborted"]
"""`caught`: it failed, and a Catcher led on. `aborted`: it was stopped by what happened beside it."""

EdgeKind = Literal["next", "choice", "default", "catch"]

_COMPARATORS = {
    "Equals": "=",
    "LessThanEquals": "<=",
    "GreaterThanEquals": ">=",
    "LessThan": "<",
    "GreaterThan": ">",
    "Matches": "matches",
}
_COMPARED = re.compile(
    r"(?:String|Numeric|Boolean|Timestamp)(LessThanEquals|GreaterThanEquals|LessThan|GreaterThan|Equals|Matches)(Path)?\Z"
)
_TESTS = {
    "IsNull": "is null",
    "IsPresent": "is present",
    "IsNumeric": "is a number",
    "IsString": "is text",
    "IsBoolean": "is true or false",
    "IsTimestamp": "is a time",
}


class Status(Struct, frozen=True):
    """How far a state has come in a run. Times are Unix milliseconds; `visits` counts entries, `retries` what was repeated.

    `done` of `total` are the items of a Map, or the branches of a Parallel; `note` is said beside it, as the error's name.
    """

    phase: Phase
    started_ms: int | None = None
    ended_ms: int | None = None
    visits: int = 1
    retries: int = 0
    done: int | None = None
    total: int | None = None
    note: str = ""


class Node(Struct, frozen=True):
    """One state: where it stands in the document (JSON pointer), and the graphs inside it."""

    pointer: str
    name: str
    type: str
    detail: str = ""
    ends: bool = False
    groups: tuple[Group, ...] = ()


class Edge(Struct, frozen=True):
    """A way from one state to another of the same group, by their names."""

    source: str
    target: str
    label: str = ""
    kind: EdgeKind = "next"


class Group(Struct, frozen=True):
    """The states of one `States`: the document's, those of a branch, or those of an item processor."""

    pointer: str
    label: str
    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class Graph(Struct, frozen=True):
    """A whole document."""

    title: str
    root: Group


def graph(document: Mapping[str, Any], title: str = "") -> Graph:
    """The graph of a checked document."""
    return Graph(title, _group(document, "", ""))


def walk(group: Group) -> list[Node]:
    """All states of a group and inside it, outer ones first."""
    found: list[Node] = []
    waiting = [group]
    while waiting:
        for node in waiting.pop(0).nodes:
            found.append(node)
            waiting.extend(node.groups)
    return found


def _group(machine: Mapping[str, Any], pointer: str, label: str) -> Group:
    at = child(pointer, "States")
    states: Mapping[str, Any] = machine["States"]
    nodes = tuple(_node(child(at, name), name, states[name]) for name in _in_order(machine))
    edges = tuple(edge for node in nodes for edge in _edges(node.name, states[node.name]))
    return Group(pointer, label, machine["StartAt"], nodes, edges)


def _in_order(machine: Mapping[str, Any]) -> list[str]:
    """The states as they are come to, a state's `Next` first; then those that nothing leads to."""
    states: Mapping[str, Any] = machine["States"]
    found: dict[str, None] = {}
    waiting = [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in states and name not in found:
            found[name] = None
            waiting.extend(edge.target for edge in reversed(list(_edges(name, states[name]))))
    return [*found, *(name for name in states if name not in found)]


def _node(pointer: str, name: str, state: Mapping[str, Any]) -> Node:
    type_ = str(state["Type"])
    ends = bool(state.get("End")) or type_ in ("Succeed", "Fail")
    return Node(pointer, name, type_, _detail(state), ends, tuple(_insides(pointer, state)))


def _insides(pointer: str, state: Mapping[str, Any]) -> list[Group]:
    branches = state.get("Branches", ()) if state["Type"] == "Parallel" else ()
    made = [
        _group(branch, child(child(pointer, "Branches"), i), f"branch {i + 1}")
        for i, branch in enumerate(branches)
    ]
    processors = [f for f in ("ItemProcessor", "Iterator") if f in state] if state["Type"] == "Map" else []
    return made + [_group(state[field], child(pointer, field), "for each item") for field in processors]


def _detail(state: Mapping[str, Any]) -> str:
    """What a state does, in a few words."""
    match state["Type"]:
        case "Task":
            return _task(str(state["Resource"]))
        case "Wait":
            given = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
            what, value = next(((f, state[f]) for f in given if f in state), ("", ""))
            return f"{shortened(value)} s" if what.startswith("Seconds") else f"until {shortened(value)}"
        case "Fail":
            return shortened(state.get("Error", state.get("ErrorPath", "")))
        case "Map":
            mode = state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode", "INLINE")
            limit = state.get("MaxConcurrency")
            at_once = f"{shortened(limit)} at a time" if limit else ""
            return ", ".join(
                word for word in ("distributed" if mode == "DISTRIBUTED" else "", at_once) if word
            )
    return ""


def _task(uri: str) -> str:
    found = resources.parse(uri)
    if found is None:
        return shortened(uri)
    suffix = {"token": ", with a token", "event": ", wait for it", "async": ", started"}.get(found.mode, "")
    alias = f"@{found.alias}" if found.alias else ""
    return f"{found.name if found.kind == 'service' else f'{found.kind} {found.name}'}{alias}{suffix}"


def _edges(name: str, state: Mapping[str, Any]) -> list[Edge]:
    made = [Edge(name, rule["Next"], condition(rule), "choice") for rule in state.get("Choices", ())]
    if "Default" in state:
        made.append(Edge(name, state["Default"], "otherwise", "default"))
    if "Next" in state:
        made.append(Edge(name, state["Next"]))
    for catcher in state.get("Catch", ()):
        errors = ", ".join("any error" if e == "States.ALL" else str(e) for e in catcher["ErrorEquals"])
        made.append(Edge(name, catcher["Next"], errors, "catch"))
    return made


def condition(rule: Mapping[str, Any]) -> str:
    """A Choice rule as a person reads it."""
    if "Condition" in rule:
        return shortened(rule["Condition"])
    for word, joined in (("And", " and "), ("Or", " or ")):
        if word in rule:
            return joined.join(
                f"({condition(r)})" if set(r) & {"And", "Or"} else condition(r) for r in rule[word]
            )
    if "Not" in rule:
        return f"not ({condition(rule['Not'])})"
    variable = str(rule.get("Variable", ""))
    for field, value in rule.items():
        if match := _COMPARED.match(field):
            quoted = (
                f"'{value}'"
                if field.startswith(("String", "Timestamp")) and not match[2]
                else shortened(value)
            )
            return f"{variable} {_COMPARATORS[match[1]]} {quoted}"
        if field in _TESTS:
            return f"{variable} {_TESTS[field]}" if value else f"not: {variable} {_TESTS[field]}"
    return variable


def shortened(value: Any) -> str:
    """A value of the document without the marks of an expression, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    if text.startswith("{%") and text.endswith("%}"):
        text = text[2:-2].strip().replace("$states.input.", "")
        while text.startswith("(") and text.endswith(")") and _one_pair(text):
            text = text[1:-1]
    return " ".join(text.split())


def _one_pair(text: str) -> bool:
    """Whether the first parenthesis is closed by the last."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return place == len(text) - 1
    return False
