"""Everything that is wrong with a States Language document, all at once, before anything of it runs.

Sources of the rules: https://states-language.net and the developer guide of AWS Step Functions; where they differ, what
Step Functions documents counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from remit.core.states.check_expressions import variable
from remit.core.states.check_fields import LANGUAGES, state_fields
from remit.core.states.check_flow import MOST_NAME, flow
from remit.core.states.check_map import is_distributed, processor_config
from remit.core.states.check_members import JSONATA, Field, Fields, members
from remit.core.states.check_values import an_object, anything, must, name, one_of, seconds, text
from remit.core.states.report import Here, Problem, Report, shown
from remit.core.states.text import MOST_DEPTH, Positions

_MACHINE: Fields = {
    "Comment": Field(text),
    "StartAt": Field(name, required=True),
    "States": Field(an_object, required=True),
}
_TOP: Fields = {
    **_MACHINE,
    "QueryLanguage": Field(one_of(LANGUAGES)),
    "TimeoutSeconds": Field(seconds),
    "Version": Field(must(lambda v: v == "1.0", "`1.0`, the only version there is")),
}
_PROCESSOR: Fields = {**_MACHINE, "ProcessorConfig": Field(processor_config)}
_NOWHERE: Fields = {key: Field(anything) for key in ("QueryLanguage", "TimeoutSeconds", "Version")}


def problems(
    document: Any, positions: Positions | None = None, known: Mapping[str, Collection[str]] | None = None
) -> list[Problem]:
    """All that is wrong with a document, by place; an empty list for one that can run.

    `positions` are those of the text it was read from. `known` are the names that exist, by kind of resource
    (`agent`, `tool`, `workflow`, ...); names of a kind that is not in it are not looked up.
    """
    return _checked(document, positions or {}, known or {}).problems


def warnings(document: Any, positions: Positions | None = None) -> list[Problem]:
    """What Step Functions accepts and Remit takes in another way, or what can have no effect."""
    return _checked(document, positions or {}, {}).warnings


def _checked(document: Any, positions: Positions, known: Mapping[str, Collection[str]]) -> Report:
    report = Report(positions, known)
    here = Here(report)
    if _too_deep(document):
        here.problem(
            f"the document is nested more than {MOST_DEPTH} deep", "move a part into another workflow"
        )
    elif not isinstance(document, dict):
        here.problem(f"a workflow cannot be {shown(document)}", "write an object with `StartAt` and `States`")
    else:
        _Walk(report, document).machine(here, document, _TOP, "a workflow", frozenset())
    report.problems.sort(key=lambda p: (p.line, p.column))
    return report


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            x
            for v in level
            if isinstance(v, (dict, list))
            for x in (v.values() if isinstance(v, dict) else v)
        ]
        if not level:
            return False
    return True


class _Walk:
    """Goes through a document's machines: the top, branches, and what a Map does with each item."""

    def __init__(self, report: Report, document: dict[str, Any]) -> None:
        self._report = report
        self._jsonata = document.get("QueryLanguage") == JSONATA
        self._names: set[str] = set()

    def machine(self, here: Here, machine: Any, fields: Fields, what: str, outer: frozenset[str]) -> None:
        """Check a machine and all inside it. `outer` are the variables of the machines around it."""
        if not self._fields(here, machine, fields, what):
            return
        states = machine.get("States")
        if not isinstance(states, dict):
            return
        if not states:
            here.at("States").problem(f"{what} has no state", "add at least one")
        own = frozenset(v for state in states.values() for _, v in self._assigned(here, state))
        for key, state in states.items():
            self._state(here.at("States").at(key), key, state, outer, own)
        flow(here, machine)

    def _fields(self, here: Here, machine: Any, fields: Fields, what: str) -> bool:
        if not members(here, machine, {**_NOWHERE, **fields}, what):
            return False
        for key in _NOWHERE:
            if key in machine and key not in fields:
                where = "of the workflow, or in a state" if key == "QueryLanguage" else "of the workflow"
                here.at(key).problem(f"{what} has no `{key}`", f"write it at the top {where}")
        return True

    def _state(self, here: Here, key: str, state: Any, outer: frozenset[str], own: frozenset[str]) -> None:
        self._name(here, key)
        here = replace(here, jsonata=self._speaks_jsonata(state))
        if self._jsonata and isinstance(state, dict) and state.get("QueryLanguage") == "JSONPath":
            here.at("QueryLanguage").problem(
                "a workflow of JSONata has no states of JSONPath",
                'take the line out, or take `"QueryLanguage": "JSONata"` from the top and set it in the other states',
            )
        state_fields(here, state)
        for place, given in self._assigned(here, state):
            if given in outer:
                place.problem(
                    f"variable {shown(given)} belongs to the machine around this one", "choose another name"
                )
        if isinstance(state, dict):
            self._inside(replace(here, jsonata=self._jsonata), state, outer | own)

    def _name(self, here: Here, key: str) -> None:
        if not 0 < len(key) <= MOST_NAME:
            here.problem(
                f"the name of a state has {len(key)} characters", f"write at least 1 and at most {MOST_NAME}"
            )
        if key in self._names:
            here.problem(
                f"two states are named {shown(key)}", "rename one: a name may occur once in a workflow"
            )
        self._names.add(key)

    def _speaks_jsonata(self, state: Any) -> bool:
        own = state.get("QueryLanguage") if isinstance(state, dict) else None
        return self._jsonata or own == JSONATA

    def _inside(self, here: Here, state: dict[str, Any], outer: frozenset[str]) -> None:
        """The machines inside a state."""
        if state.get("Type") == "Parallel" and "Branches" in state:
            self._branches(here.at("Branches"), state["Branches"], outer)
        if state.get("Type") == "Map":
            # A distributed Map's items are executions of their own, with variables of their own.
            seen = frozenset() if is_distributed(state) else outer
            for key in ("ItemProcessor", "Iterator"):
                if key in state:
                    self.machine(here.at(key), state[key], _PROCESSOR, f"`{key}`", seen)

    def _branches(self, here: Here, branches: Any, outer: frozenset[str]) -> None:
        if not isinstance(branches, list) or not branches:
            here.problem(f"`Branches` cannot be {shown(branches)}", "write an array with at least one branch")
            return
        for index, branch in enumerate(branches):
            self.machine(here.at(index), branch, _MACHINE, "a branch", outer)

    def _assigned(self, here: Here, state: Any) -> Iterator[tuple[Here, str]]:
        """The variables that a state sets, each with where it does."""
        if not isinstance(state, dict):
            return
        jsonata = self._speaks_jsonata(state)
        for at, holder in _assigning(here, state):
            if isinstance(holder.get("Assign"), dict):
                for key in holder["Assign"]:
                    yield at.at("Assign").at(key), variable(key, jsonata)


def _assigning(here: Here, state: dict[str, Any]) -> Iterator[tuple[Here, Mapping[str, Any]]]:
    """What in a state may have an `Assign`: itself, its rules and its catchers."""
    yield here, state
    for key in ("Choices", "Catch"):
        found = state.get(key)
        for index, item in enumerate(found if isinstance(found, list) else ()):
            if isinstance(item, dict):
                yield here.at(key).at(index), item
