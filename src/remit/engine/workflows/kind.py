"""Workflows as definitions: the body is the States Language document itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from remit.core.errors import InputError
from remit.core.states.check import problems
from remit.core.states.report import Problem
from remit.core.states.resources import parse
from remit.core.states.text import Positions
from remit.engine.kinds import AGENT, WORKFLOW
from remit.engine.versions import Kind
from remit.engine.workflows.names import START, machine_name
from remit.engine.workflows.spec import State, states

MOST_SHOWN = 20
"""Problems that one refusal lists."""


def refuse(
    document: Any, positions: Positions | None = None, known: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raise InputError E632 that lists what is wrong with a document; see `core.states.check.problems`."""
    found = problems(document, positions, known)
    if found:
        raise InputError(told(found), code="E632", help="correct them and try again; nothing was changed")


def told(found: Sequence[Problem]) -> str:
    """Problems as one text: a line for each, and how many more there are."""
    lines = [f"  {problem}" for problem in found[:MOST_SHOWN]]
    rest = len(found) - MOST_SHOWN
    more = [f"  and {rest} more"] if rest > 0 else []
    count = "a problem" if len(found) == 1 else f"{len(found)} problems"
    return "\n".join([f"the workflow has {count}", *lines, *more])


class WorkflowKind(Kind):
    """Workflows. `tools` are the names that exist here; `agents` the agents and workflows that code defines.

    `services` are the service integrations there are, as `SERVICE:ACTION`; None when that is not known.
    """

    name = WORKFLOW

    def __init__(
        self, tools: Collection[str], agents: Collection[str], services: Collection[str] | None = None
    ) -> None:
        self._agents = agents
        self._known = {"tool": tools, **({} if services is None else {"service": services})}

    def check(self, body: dict[str, Any]) -> None:
        """Raise InputError for a document that could not run, with every reason."""
        refuse(body, known=self._known)

    def references(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """The agents and workflows that it names and that code does not define."""
        found = dict.fromkeys(at for state in states(body) if (at := _named(state)) is not None)
        return [(kind, name) for kind, name in found if name not in self._agents]


def _named(state: State) -> tuple[str, str] | None:
    """The agent or workflow that a state names, as (kind, name)."""
    resource = parse(state["Resource"]) if state["Type"] == "Task" else None
    if resource is None:
        return None
    if resource.kind in (AGENT, WORKFLOW):
        return resource.kind, resource.name
    if resource.name != START:
        return None
    name = machine_name(state.get("Arguments", state.get("Parameters"))).partition("@")[0]
    return (WORKFLOW, name) if name and "{%" not in name else None
