"""How far each state of a workflow's document has come in a run, as pictures show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from remit.core.run import Run
from remit.core.states.picture import Graph, Phase, Status, graph
from remit.core.states.progress import Pointer, Progress, Visit
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
    """A document as a graph, and how far each of its states has come, by JSON pointer.

    `complete` is false for a very long run of which not all has been read yet (ask again), or can be.
    """

    graph: Graph
    statuses: dict[str, Status]
    ended: bool = True
    complete: bool = True


class Entering(NamedTuple):
    """One entering of a state, as far as a picture tells of it."""

    visit: str
    frame: str
    status: str
    entered_ts: int
    ended_ts: int | None
    retries: int
    error: str


class Told(Protocol):
    """What a picture has to be told of a run besides."""

    @property
    def ended(self) -> bool:
        """Whether the run has."""

    def waits_for(self, visit: str) -> str:
        """Whose answer an open Task waits for; empty when it is worked on here."""

    def spread(self, visit: str) -> tuple[int, int]:
        """How many branches or items of an open state are done, and how many there are."""


def pictured(document: Mapping[str, Any], title: str, run: Run | None = None) -> Picture:
    """The picture of a document, with how far `run` has come if it goes by it."""
    if run is None:
        return Picture(graph(document, title), {})
    return Picture(graph(document, title), statuses(run), run.finished is not None)


def statuses(run: Run) -> dict[str, Status]:
    """The status of every state that was entered, by its JSON pointer. A run that is no workflow has none."""
    if run.workflow is None:
        return {}
    entered: dict[Pointer, list[Entering]] = {}
    for visit in run.workflow.visits.values():
        entered.setdefault(visit.pointer, []).append(_entering(visit))
    told = _OfRun(run, run.workflow)
    return {pointer_text(place): status_of(told, found) for place, found in entered.items()}


def pointer_text(pointer: Iterable[str | int]) -> str:
    """A place in the document as a JSON pointer."""
    made = ""
    for part in pointer:
        made = child(made, part)
    return made


def status_of(told: Told, entered: Sequence[Entering]) -> Status:
    """What the entries of one state add up to: of each branch or item the last counts."""
    last = {one.frame: one for one in entered}
    phases = {_phase(told, one): one for one in last.values()}
    phase = next(p for p in _FIRST if p in phases)
    shown = phases[phase]
    ends = [one.ended_ts for one in entered if one.ended_ts is not None]
    done, total = told.spread(shown.visit) if shown.status == "branching" else (None, None)
    return Status(
        phase,
        started_ms=min(one.entered_ts for one in entered),
        ended_ms=max(ends) if len(ends) == len(entered) else None,
        visits=len(entered),
        retries=sum(one.retries for one in entered),
        done=done,
        total=total,
        note=_note(told, shown, phase),
    )


def waited_for(state: Mapping[str, Any], call: str, child_run: str, *, answered: bool) -> str:
    """Whose answer a scheduled Task waits for, whose call is in the state `call` (empty: there is none); empty for nobody's."""
    if call in _WAITS:
        return {"awaiting": "a person", "in_doubt": "a person"}.get(call, child_run)
    resource = parse(state["Resource"])
    if resource is None:
        return ""
    if resource.mode == "event":
        return f"event {resource.name}"
    if resource.kind == "activity":
        return f"activity {resource.name}"
    return "a task token" if resource.mode == "token" and answered else ""


class _OfRun:
    """What the whole fold of a run tells."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self.ended = run.finished is not None

    def waits_for(self, visit: str) -> str:
        """Whose answer an open Task waits for."""
        entered = self._progress.visits[visit]
        step = self._run.steps.get(self._progress.step_of(entered))
        state = self._progress.state_of(entered)
        if step is None:
            return waited_for(state, "", "", answered=False)
        return waited_for(state, step.state, step.child_run, answered=step.settled)

    def spread(self, visit: str) -> tuple[int, int]:
        """How many are done, and how many there are."""
        entered = self._progress.visits[visit]
        return len(entered.outputs) + len(entered.failures), len(entered.inputs)


def _entering(visit: Visit) -> Entering:
    return Entering(
        visit.visit, visit.frame, visit.status, visit.entered_ts, visit.ended_ts, visit.attempt, visit.error
    )


def _phase(told: Told, one: Entering) -> Phase:
    if one.ended_ts is not None:
        return _ENDED[one.status]
    if told.ended:
        return "aborted"
    return "waiting" if one.status in ("waiting", "retrying") or _waits_for(told, one) else "running"


def _waits_for(told: Told, one: Entering) -> str:
    return told.waits_for(one.visit) if one.status == "scheduled" else ""


def _note(told: Told, one: Entering, phase: Phase) -> str:
    if phase == "waiting" and one.status != "retrying":
        waits = _waits_for(told, one)
        return f"waits for {waits}" if waits else ""
    return one.error
