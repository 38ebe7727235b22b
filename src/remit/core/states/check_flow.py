"""Checks of the way through a machine: what leads where, what is never reached, and whether it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remit.core.states.report import Here, listed, nearest, shown

MOST_NAME = 80
"""Characters of a state's name (States Language, "States")."""


def flow(here: Here, machine: Mapping[str, Any]) -> None:
    """Every target exists, every state is reached, and at least one state is the last."""
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        return
    start = machine.get("StartAt")
    if isinstance(start, str):
        _exists(here.at("StartAt"), start, states)
    for name, state in states.items():
        for target_here, target in targets(here.at("States").at(name), state):
            _exists(target_here, target, states)
    if isinstance(start, str) and start in states:
        _reached(here.at("States"), start, states)
    if not any(_is_last(state) for state in states.values()):
        here.at("States").problem(
            "no state is the last one, so a run would never end",
            'add `"End": true` to one, or a Succeed or Fail',
        )


def targets(here: Here, state: Any) -> Iterator[tuple[Here, str]]:
    """The names of states that a state can lead to, each with where it says so."""
    if not isinstance(state, Mapping):
        return
    for key in ("Next", "Default"):
        if isinstance(state.get(key), str):
            yield here.at(key), state[key]
    for key in ("Choices", "Catch"):
        found = state.get(key)
        for index, item in enumerate(found if isinstance(found, list) else ()):
            if isinstance(item, Mapping) and isinstance(item.get("Next"), str):
                yield here.at(key).at(index).at("Next"), item["Next"]


def _exists(here: Here, target: str, states: Mapping[str, Any]) -> None:
    if target not in states:
        meant = nearest(target, states)
        help = f"did you mean `{meant}`?" if meant else f"the states beside it are {listed(states)}"
        here.problem(f"there is no state {shown(target)} in the same machine", help)


def _reached(here: Here, start: str, states: Mapping[str, Any]) -> None:
    seen, todo = {start}, [start]
    while todo:
        for _, target in targets(here, states[todo.pop()]):
            if target in states and target not in seen:
                seen.add(target)
                todo.append(target)
    for name in states:
        if name not in seen:
            here.at(name).problem(
                f"state {shown(name)} is never reached", "lead to it from another state, or take it out"
            )


def _is_last(state: Any) -> bool:
    return isinstance(state, Mapping) and (
        state.get("Type") in ("Succeed", "Fail") or state.get("End") is True
    )
