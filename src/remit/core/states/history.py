"""The history of an execution of Step Functions, as the events of a workflow's states.

Source: "HistoryEvent" of the API reference of AWS Step Functions. Each event names the one before it on its own path
(`previousEventId`), which tells branches and iterations apart; names of states are unique in a document and tell the rest.
What cannot be placed is left out: the picture of a run then lacks it, its outcome does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from remit.core import event as ev
from remit.core.payload import NOTHING, Payload
from remit.core.states import failures
from remit.core.states.progress import ROOT, Frame, Pointer, Progress, Visit, branch

ENDS = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"})
"""Types of the last event of a history."""

_SCHEDULED = frozenset({"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"})
_DONE = frozenset({"TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded"})
_UNDONE = ("Failed", "TimedOut")
_BRANCHED = frozenset({"ParallelStateStarted", "MapStateStarted"})


class Moment(Struct, frozen=True):
    """One event of a history. `previous` is 0 where it is not told; `length` of a Map that started, `index` of its iteration."""

    id: int
    type: str
    ts: int
    previous: int = 0
    name: str = ""
    input: Any = None
    output: Any = None
    assigned: Mapping[str, Any] = {}
    error: str = ""
    cause: str = ""
    index: int = -1
    length: int = 0


class Reading(Struct):
    """Where the reading of a history stands: the frame of events that others may follow, and errors not yet dealt with."""

    frames: dict[str, str] = {}
    """Frames by the id of an event in them."""
    errors: dict[str, tuple[str, str]] = {}
    """Error and cause by visit."""
    ended: bool = False
    """Whether the last event was read."""


class Reader:
    """Translates what is new of a history. `note` takes each event at once, so that `progress` has it when the next is read."""

    def __init__(
        self,
        progress: Progress,
        reading: Reading,
        pack: Callable[[Any], Payload],
        note: Callable[[ev.Data], None],
    ) -> None:
        self._progress = progress
        self._frames = dict(reading.frames)
        self._errors = dict(reading.errors)
        self._ended = reading.ended
        self._pack = pack
        self._note = note
        self._places = dict(places(progress.document))

    def read(self, moments: Sequence[Moment]) -> int:
        """Translate, and return the id of the last event that was read: not always the last one given."""
        last = 0
        for place, moment in enumerate(moments):
            if self._open_choice(moment, moments[place + 1 :]):
                break
            frame = self._frame(moment)
            if frame is not None:
                self._take(moment, frame, moments[place + 1 :])
                self._frames[str(moment.id)] = frame
            elif moment.type in ENDS:
                self._ended = True
                self._end(moment)
            last = moment.id
        return last

    def reading(self) -> Reading:
        """Where this stands now, without what nothing can follow any more."""
        live = {frame: id for id, frame in self._frames.items() if self._live(frame)}  # the last id of each
        begun = {visit.frame for visit in self._progress.visits.values()} - set(self._progress.frames)
        # Of the branches that have ended, the end of their Parallel or Map follows the last one.
        last = {frame.partition(".")[0]: frame for frame in sorted(live, key=lambda f: int(live[f]))}
        live = {frame: id for frame, id in live.items() if frame not in begun or frame in last.values()}
        errors = {visit: told for visit, told in self._errors.items() if self._progress.visits[visit].open}
        return Reading({id: frame for frame, id in live.items()}, errors, self._ended)

    def _live(self, frame: str) -> bool:
        """Whether events may follow one of this frame: it runs, or what it is a branch of does."""
        visit = self._progress.visits.get(frame.partition(".")[0])
        return frame == ROOT or (visit is not None and visit.open)

    # where an event belongs

    def _frame(self, moment: Moment) -> str | None:
        """The frame of an event; None for one that cannot be placed."""
        before = self._frames.get(str(moment.previous))
        if moment.type.endswith("StateEntered"):
            return self._entering(moment.name, before)
        if moment.type == "MapIterationStarted":
            visit = self._visit_named(moment.name, before)
            return None if visit is None else f"{visit.visit}.{visit.attempt}.{moment.index}"
        if moment.type.endswith("StateExited"):
            visit = self._visit_named(moment.name, before)
            return None if visit is None else visit.frame
        if moment.type.startswith(("ParallelState", "MapState")) and not moment.type.endswith("Started"):
            return self._outer(before)
        if before is None and moment.type not in ENDS and not moment.type.startswith("Execution"):
            return self._only_frame()
        return before if moment.type not in ENDS else None

    def _entering(self, name: str, before: str | None) -> str | None:
        """The frame in which a state is entered, by where it stands in the document and by what came before."""
        machine = self._places.get(name)
        if machine is None:
            return None
        if not machine:
            return ROOT
        if before is not None and before in self._progress.frames:
            if self._progress.frames[before].pointer == machine:
                return before
            return self._branch_of(self._progress.frames[before].visit, machine)
        if before is not None and before != ROOT:
            return before  # an iteration that has just begun
        opened = [
            v for v in self._progress.visits.values() if v.open and machine[: len(v.pointer)] == v.pointer
        ]
        return self._branch_of(opened[-1].visit, machine) if opened else None

    def _branch_of(self, visit: str, machine: Pointer) -> str | None:
        """The frame of a Parallel's branch that stands there."""
        found = self._progress.visits[visit]
        state = self._progress.state_of(found)
        if state["Type"] != "Parallel":
            return None
        branches = (i for i in range(len(state["Branches"])) if branch(found.pointer, state, i) == machine)
        index = next(branches, None)
        return None if index is None else f"{visit}.{found.attempt}.{index}"

    def _visit_named(self, name: str, before: str | None) -> Visit | None:
        """The open visit of a state: that of the frame before or around it, else the last one."""
        frame = before
        while frame is not None:
            running = self._progress.frames.get(frame)
            visit = self._progress.visits.get(running.visit) if running is not None else None
            if visit is not None and visit.open and visit.state == name:
                return visit
            frame = self._outer(frame) if frame != ROOT else None
        opened = [v for v in self._progress.visits.values() if v.open and v.state == name]
        return opened[-1] if opened else None

    def _outer(self, frame: str | None) -> str | None:
        """The frame of the Parallel or Map that a frame is a branch of; of the same one where nothing was told."""
        if not frame:
            return frame
        running = self._progress.frames.get(frame)
        visit = self._progress.visits.get(running.visit) if running is not None else None
        if visit is not None and visit.open and visit.status == "branching":
            return frame  # the event is of the Parallel or Map that this frame is in
        return self._progress.visits[frame.partition(".")[0]].frame

    def _only_frame(self) -> str | None:
        """The only frame there is, where a history does not tell paths."""
        return ROOT if list(self._progress.frames) == [ROOT] else None

    # what an event says

    def _take(self, moment: Moment, frame: str, later: Sequence[Moment]) -> None:
        kind = moment.type
        if kind.endswith("StateEntered"):
            self._note(
                ev.StateEntered(
                    f"s{len(self._progress.visits)}", frame, moment.name, self._pack(moment.input), moment.ts
                )
            )
            return
        visit = self._current(frame)
        if visit is None or kind == "MapIterationStarted":
            return
        if kind in _BRANCHED:
            self._branches(visit, moment)
        elif kind in _SCHEDULED:
            self._scheduled(visit, moment)
        elif kind in _DONE:
            self._errors.pop(visit.visit, None)
        elif kind.endswith("StateExited"):
            self._exited(visit, moment, later)
        elif kind == "MapIterationFailed" or (kind.endswith(_UNDONE) and visit.status == "branching"):
            self._undone(visit, moment)
        elif kind.endswith(_UNDONE):
            self._errors[visit.visit] = (moment.error or _named(kind), moment.cause)

    def _current(self, frame: str) -> Visit | None:
        running = self._progress.frames.get(frame)
        return None if running is None else self._progress.visits.get(running.visit)

    def _branches(self, visit: Visit, moment: Moment) -> None:
        state = self._progress.state_of(visit)
        self._again(visit, moment)
        count = len(state["Branches"]) if state["Type"] == "Parallel" else moment.length
        inputs = self._pack([None] * count)
        self._note(ev.BranchesStarted(visit.visit, visit.attempt, inputs))

    def _scheduled(self, visit: Visit, moment: Moment) -> None:
        if self._progress.state_of(visit)["Type"] != "Task":
            return  # of a branch that cannot be told
        self._again(visit, moment)
        self._note(ev.TaskScheduled(visit.visit, visit.attempt, NOTHING))

    def _again(self, visit: Visit, moment: Moment) -> None:
        """A state that is done once more was retried."""
        if visit.status != "entered":
            error, cause = self._errors.pop(visit.visit, ("", ""))
            self._note(ev.StateRetried(visit.visit, visit.attempt + 1, 0, error, cause, moment.ts))

    def _exited(self, visit: Visit, moment: Moment, later: Sequence[Moment]) -> None:
        error, cause = self._errors.pop(visit.visit, ("", ""))
        state = self._progress.state_of(visit)
        assigned = self._pack(dict(moment.assigned)) if moment.assigned else NOTHING
        following = _next(state, error, _entered(moment, later))
        self._note(
            ev.StateExited(
                visit.visit, self._pack(moment.output), following, assigned, error, cause, moment.ts
            )
        )

    def _undone(self, visit: Visit, moment: Moment) -> None:
        """A branch or an iteration failed, or all of a Parallel or Map did: its own error is that of the first that failed."""
        if moment.type == "MapIterationFailed":
            told = self._errors.pop(visit.visit, (moment.error or failures.TASK_FAILED, moment.cause))
            self._note(ev.StateFailed(visit.visit, *told, moment.ts))
            return
        for inner in [f for f in self._progress.below(visit.visit) if f.visit]:
            self._fail(inner, moment)
        first = next(iter(visit.failures.values()), (moment.error or _named(moment.type), moment.cause))
        self._errors[visit.visit] = first

    def _fail(self, frame: Frame, moment: Moment) -> None:
        if frame.visit in self._errors and self._progress.visits[frame.visit].open:
            self._note(ev.StateFailed(frame.visit, *self._errors.pop(frame.visit), moment.ts))

    def _end(self, moment: Moment) -> None:
        """The execution ended: what was still open has failed with it."""
        visit = self._current(ROOT)
        if moment.type == "ExecutionSucceeded" or visit is None or not visit.open:
            return
        for inner in [f for f in self._progress.below(visit.visit) if f.visit]:
            self._fail(inner, moment)
        error = moment.error or (failures.TIMEOUT if moment.type == "ExecutionTimedOut" else "")
        self._note(ev.StateFailed(visit.visit, error or "ExecutionAborted", moment.cause, moment.ts))

    def _open_choice(self, moment: Moment, later: Sequence[Moment]) -> bool:
        """Whether a Choice was left and where it leads is not told yet."""
        if moment.type != "ChoiceStateExited" or any(m.type in ENDS for m in later):
            return False
        return not _entered(moment, later)


def _entered(moment: Moment, later: Sequence[Moment]) -> str:
    """The state that is entered after this event; the empty string while that is not known."""
    for other in later:
        if other.type.endswith("StateEntered") and other.previous in (moment.id, 0):
            return other.name
    return ""


def _next(state: Mapping[str, Any], error: str, entered: str) -> str:
    """Where a state leads: what the document says, for a Choice what was entered."""
    if state["Type"] == "Choice":
        return entered
    if error:
        catchers = (c for c in state.get("Catch", ()) if failures.matches(c["ErrorEquals"], error))
        return str(next((c["Next"] for c in catchers), entered))
    return str(state.get("Next", ""))


def _named(kind: str) -> str:
    """The error of an event that names none."""
    return failures.TIMEOUT if kind.endswith("TimedOut") else failures.TASK_FAILED


def places(machine: Mapping[str, Any], pointer: Pointer = ()) -> Iterator[tuple[str, Pointer]]:
    """Where the machine of each state stands, by the state's name."""
    for name, state in machine["States"].items():
        yield name, pointer
        at: Pointer = (*pointer, "States", name)
        for place, inner in enumerate(state.get("Branches", ())):
            yield from places(inner, (*at, "Branches", place))
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                yield from places(state[field], (*at, field))
