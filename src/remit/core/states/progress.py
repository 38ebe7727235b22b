"""How far a workflow has come: a fold of the events of its states.

INVARIANT: folding evaluates nothing. Outputs, arguments, wake-up times and chance were journaled when they came to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from remit.core import event as ev
from remit.core.payload import load
from remit.core.states.remote import REMOTE, Remote

VisitState = Literal[
    "entered", "scheduled", "waiting", "branching", "retrying", "succeeded", "caught", "failed", "aborted"
]
ROOT = ""
Pointer = tuple[str | int, ...]


class Settled(Struct, frozen=True):
    """What somebody outside answered for a Task."""

    output: Any
    error: str
    cause: str


class Visit(Struct):
    """One entering of a state. Times are Unix milliseconds."""

    visit: str
    frame: str
    state: str
    pointer: Pointer
    input: Any
    entered_ts: int
    status: VisitState = "entered"
    ended_ts: int | None = None
    attempt: int = 0
    retries: dict[int, int] = {}
    arguments: Any = None
    deadline_ts: int | None = None
    heartbeat_ms: int | None = None
    beat_ts: int = 0
    token: str = ""
    settled: Settled | None = None
    wake_ts: int = 0
    inputs: list[Any] = []
    items: list[Any] | None = None
    limit: int = 0
    tolerated: int = -1
    started: int = 0
    outputs: dict[int, Any] = {}
    failures: dict[int, tuple[str, str]] = {}
    error: str = ""
    cause: str = ""
    output: Any = None

    @property
    def open(self) -> bool:
        """Whether the state is still to come to an end."""
        return self.ended_ts is None

    @property
    def parent(self) -> str:
        """The visit whose branch or iteration this state belongs to; empty for the document's own states."""
        return self.frame.partition(".")[0]

    @property
    def step(self) -> str:
        """The step of the run that the Task's call is."""
        return f"{self.visit}.{self.attempt}"


class Frame(Struct):
    """One run of a machine. `pointer` says where in the document it stands; `index` its place in the visit `parent`.

    `own` are the variables that it assigned, `outer` those it sees besides.
    """

    frame: str
    pointer: Pointer
    machine: Mapping[str, Any]
    parent: str = ""
    index: int = 0
    visit: str = ""
    next: str = ""
    handed: Any = None
    own: dict[str, Any] = {}
    outer: Mapping[str, Any] = {}

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables in reach."""
        return {**self.outer, **self.own} if self.outer else self.own


class Ended(Struct, frozen=True):
    """How the workflow ended: `error` is empty for a success."""

    output: Any
    error: str = ""
    cause: str = ""


class Progress:
    """The state of a workflow's run. Change it only by `apply`. `inside`: the frames that run, by the visit that started them."""

    def __init__(self, document: Mapping[str, Any], input: Any) -> None:
        self.document = document
        self.input = input
        self.visits: dict[str, Visit] = {}
        self.frames: dict[str, Frame] = {}
        self.inside: dict[str, dict[str, Frame]] = {}
        self.ended: Ended | None = None
        self.counted = 0
        self.remote = Remote()

    def apply(self, data: Any, ts: int, contents: Mapping[str, bytes]) -> None:
        """Take in the next event of a state."""
        if type(data) in REMOTE:
            self.remote.apply(data, ts, contents)
        else:
            _APPLY[type(data)](self, data, getattr(data, "at_ts", 0) or ts, contents)

    def step_of(self, visit: Visit) -> str:
        """The step of the run that the Task's call is, whoever moves the workflow."""
        called = self.remote.call_of(visit.state, visit.entered_ts) if self.remote.execution else None
        return visit.step if called is None else called.step

    def machine(self, pointer: Pointer) -> Any:
        """What stands at a place of the document."""
        value: Any = self.document
        for part in pointer:
            value = value[part]
        return value

    def state_of(self, visit: Visit) -> Mapping[str, Any]:
        """The state that a visit is of, as the document has it."""
        found: Mapping[str, Any] = self.machine(visit.pointer)
        return found

    def below(self, visit: str) -> Iterator[Frame]:
        """The frames that a visit of a Parallel or Map started and that still run, and theirs."""
        for frame in list(self.inside.get(visit, {}).values()):
            if frame.visit:
                yield from self.below(frame.visit)
            yield frame

    def frame_for(self, visit: Visit, index: int) -> Frame:
        """The frame that a Parallel or Map starts at this place."""
        pointer = branch(visit.pointer, self.state_of(visit), index)
        parent = self.frames[visit.frame]
        machine = self.machine(pointer)
        # An item of a distributed Map is an execution of its own and sees no variables of outside (AWS, "Variables").
        outer = {} if distributed(machine) else parent.variables
        name = f"{visit.visit}.{visit.attempt}.{index}"
        return Frame(name, pointer, machine, visit.visit, index, outer=outer)

    def root(self) -> Frame:
        """The frame of the document itself."""
        return Frame(ROOT, (), self.document)


def branch(pointer: Pointer, state: Mapping[str, Any], index: int) -> Pointer:
    """Where the machine of a frame stands: a branch of a Parallel, or a Map's processor."""
    if state["Type"] == "Parallel":
        return (*pointer, "Branches", index)
    return (*pointer, "ItemProcessor" if "ItemProcessor" in state else "Iterator")


def distributed(machine: Mapping[str, Any]) -> bool:
    """Whether a Map's processor runs each item as an execution of its own."""
    return bool(machine.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


# One function per event.


def _entered(p: Progress, e: ev.StateEntered, ts: int, contents: Mapping[str, bytes]) -> None:
    frame = p.frames.get(e.frame)
    if frame is None:
        frame = p.frames[e.frame] = _started(p, e.frame)
        p.inside.setdefault(frame.parent, {})[frame.frame] = frame
    frame.visit, frame.next, frame.handed = e.visit, "", None
    p.counted += 1
    pointer = (*frame.pointer, "States", e.state)
    p.visits[e.visit] = Visit(e.visit, e.frame, e.state, pointer, load(e.input, contents), ts)


def _started(p: Progress, name: str) -> Frame:
    """A frame that begins: its name says where it belongs."""
    if name == ROOT:
        return p.root()
    visit, _, index = name.split(".")
    parent = p.visits[visit]
    parent.started = max(parent.started, int(index) + 1)
    return p.frame_for(parent, int(index))


def _scheduled(p: Progress, e: ev.TaskScheduled, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    visit.status, visit.attempt, visit.arguments = "scheduled", e.attempt, load(e.arguments, contents)
    visit.deadline_ts, visit.heartbeat_ms, visit.token = e.deadline_ts, e.heartbeat_ms, e.token
    visit.beat_ts, visit.settled = ts, None


def _settled(p: Progress, e: ev.TaskSettled, ts: int, contents: Mapping[str, bytes]) -> None:
    answer = load(e.output, contents), e.error, e.cause
    if e.visit in p.visits:
        p.visits[e.visit].settled = Settled(*answer)
    else:
        p.remote.settle(e.visit, answer)


def _beat(p: Progress, e: ev.TaskBeat, ts: int, contents: Mapping[str, bytes]) -> None:
    if e.visit in p.visits:
        p.visits[e.visit].beat_ts = ts
    else:
        p.remote.beat(e.visit, ts)


def _waits(p: Progress, e: ev.WaitStarted, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    visit.status, visit.wake_ts = "waiting", e.until_ts


def _branches(p: Progress, e: ev.BranchesStarted, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    visit.status, visit.attempt, visit.inputs = "branching", e.attempt, load(e.inputs, contents)
    visit.limit, visit.tolerated, visit.started = e.limit, e.tolerated, 0
    visit.items = load(e.items, contents)
    visit.outputs, visit.failures = {}, {}


def _retried(p: Progress, e: ev.StateRetried, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    _abort(p, visit, ts)
    visit.status, visit.attempt, visit.wake_ts = "retrying", e.attempt, e.wake_ts
    visit.retries = {**visit.retries, e.retrier: visit.retries.get(e.retrier, 0) + 1}
    visit.error, visit.cause, visit.settled = e.error, e.cause, None


def _exited(p: Progress, e: ev.StateExited, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    _abort(p, visit, ts)
    visit.status, visit.ended_ts = "caught" if e.error else "succeeded", ts
    visit.error, visit.cause = e.error, e.cause
    output = visit.output = load(e.output, contents)
    frame = p.frames[visit.frame]
    assigned = load(e.assigned, contents)
    if assigned:
        frame.own = {**frame.own, **assigned}
    _free(visit)
    if e.next:
        frame.next, frame.handed = e.next, output
    elif frame.frame == ROOT:
        p.ended = Ended(output)
    else:
        p.visits[frame.parent].outputs[frame.index] = output
        _end(p, frame)


def _failed(p: Progress, e: ev.StateFailed, ts: int, contents: Mapping[str, bytes]) -> None:
    visit = p.visits[e.visit]
    _abort(p, visit, ts)
    visit.status, visit.ended_ts, visit.error, visit.cause = "failed", ts, e.error, e.cause
    _free(visit)
    frame = p.frames[visit.frame]
    if frame.frame == ROOT:
        p.ended = Ended(None, e.error, e.cause)
    else:
        p.visits[frame.parent].failures[frame.index] = (e.error, e.cause)
        _end(p, frame)


def _abort(p: Progress, visit: Visit, ts: int) -> None:
    """What a visit had started ends with it."""
    if visit.status != "branching":
        return
    for frame in list(p.below(visit.visit)):
        left = p.visits.get(frame.visit)
        if left is not None and left.open:
            left.status, left.ended_ts = "aborted", ts
        _end(p, frame)


def _end(p: Progress, frame: Frame) -> None:
    del p.frames[frame.frame]
    there = p.inside[frame.parent]
    del there[frame.frame]
    if not there:
        del p.inside[frame.parent]


def _free(visit: Visit) -> None:
    """A visit that ended keeps what a reader wants to see, not what its frames were given and gave."""
    visit.inputs, visit.items, visit.outputs, visit.failures = [], None, {}, {}


_APPLY: Mapping[type, Callable[[Progress, Any, int, Mapping[str, bytes]], None]] = {
    ev.StateEntered: _entered,
    ev.TaskScheduled: _scheduled,
    ev.TaskSettled: _settled,
    ev.TaskBeat: _beat,
    ev.WaitStarted: _waits,
    ev.BranchesStarted: _branches,
    ev.StateRetried: _retried,
    ev.StateExited: _exited,
    ev.StateFailed: _failed,
}

EVENTS = (*_APPLY, *REMOTE)
"""The events of a workflow's states."""
