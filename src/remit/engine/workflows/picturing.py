"""How far each state of a workflow's document has come in a run, as pictures show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit.core.run import Run
from remit.core.states.picture import Graph, Phase, Status, graph
from remit.core.states.progress import Pointer, Visit
from remit.core.states.resources import parse
from remit.core.states.text import child

_FIRST: tuple[Phase, ...] = ("running", "waiting", "failed", "caught", "aborted", "succeeded")
"""Which phase a state shows that several branches or items are in: what a person should see first."""
_ENDED: dict[str, Phase] = {
    "succeeded": "succeeded",
    "caught": "caught",
    "failed": "failed",
    "aborted": "aborted",
}
_WAITS = frozenset({"awaiting", "in_doubt", "child"})
"""States of a step in which somebody else is at work."""


class Picture(Struct, frozen=True):
    """A document as a graph, and how far each of its states has come, by JSON pointer."""

    graph: Graph
    statuses: dict[str, Status]
    ended: bool = True


def pictured(document: Mapping[str, Any], title: str, run: Run | None = None) -> Picture:
    """The picture of a document, with how far `run` has come if it goes by it."""
    if run is None:
        return Picture(graph(document, title), {})
    return Picture(graph(document, title), statuses(run), run.finished is not None)


def statuses(run: Run) -> dict[str, Status]:
    """The status of every state that was entered, by its JSON pointer. A run that is no workflow has none."""
    if run.workflow is None:
        return {}
    visits: dict[Pointer, list[Visit]] = {}
    for visit in run.workflow.visits.values():
        visits.setdefault(visit.pointer, []).append(visit)
    return {pointer_text(place): _status(run, found) for place, found in visits.items()}


def pointer_text(pointer: Iterable[str | int]) -> str:
    """A place in the document as a JSON pointer."""
    made = ""
    for part in pointer:
        made = child(made, part)
    return made


def _status(run: Run, visits: list[Visit]) -> Status:
    """What the entries of one state add up to: of each branch or item the last counts."""
    last = {visit.frame: visit for visit in visits}
    phases = {_phase(run, visit): visit for visit in last.values()}
    phase = next(p for p in _FIRST if p in phases)
    shown = phases[phase]
    ends = [visit.ended_ts for visit in visits if visit.ended_ts is not None]
    branching = shown.status == "branching"
    return Status(
        phase,
        started_ms=min(visit.entered_ts for visit in visits),
        ended_ms=max(ends) if len(ends) == len(visits) else None,
        visits=len(visits),
        retries=sum(visit.attempt for visit in visits),
        done=len(shown.outputs) + len(shown.failures) if branching else None,
        total=len(shown.inputs) if branching else None,
        note=_note(run, shown, phase),
    )


def _phase(run: Run, visit: Visit) -> Phase:
    if not visit.open:
        return _ENDED[visit.status]
    if run.finished is not None:
        return "aborted"
    return "waiting" if visit.status in ("waiting", "retrying") or _waits_for(run, visit) else "running"


def _waits_for(run: Run, visit: Visit) -> str:
    """Whose answer an open Task waits for; empty when it is worked on here."""
    if visit.status != "scheduled":
        return ""
    assert run.workflow is not None
    step = run.steps.get(run.workflow.step_of(visit))
    if step is not None and step.state in _WAITS:
        return {"awaiting": "a person", "in_doubt": "a person"}.get(step.state, step.child_run)
    resource = parse(run.workflow.state_of(visit)["Resource"])
    if resource is None:
        return ""
    if resource.mode == "event":
        return f"event {resource.name}"
    if resource.kind == "activity":
        return f"activity {resource.name}"
    return "a task token" if resource.mode == "token" and step is not None and step.settled else ""


def _note(run: Run, visit: Visit, phase: Phase) -> str:
    if phase == "waiting" and visit.status != "retrying":
        waits = _waits_for(run, visit)
        return f"waits for {waits}" if waits else ""
    return visit.error
