"""The steps of a run as short rows, folded from its events without their contents. Pure.

A row is small however much its step read and wrote, and a fold may begin in the middle of a journal: so a page of the
steps of a very long run is made of the events of that page alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from remit.core import event as ev
from remit.core.budget import ZERO, Usage
from remit.core.codec import digest
from remit.core.payload import Payload, load
from remit.core.provenance import Label, Labels, join, merge
from remit.core.task import Artifact

Importance = Literal["low", "normal", "high"]
Row = Callable[..., None]

ENDED = frozenset({"done", "failed", "refused", "succeeded", "caught", "aborted"})
"""The states that nothing follows: of a step's, and of a workflow's states."""

BAD = frozenset({"failed", "refused", "in_doubt"})

GAP_MS = 1_000
"""From how many milliseconds on a time in which nothing was at work counts as idle."""

MOST_GAPS = 5_000


class StepRow(Struct):
    """One step in a line: a call of a model, a tool, another agent or a gate, or the entering of a workflow's state.

    `seq` is the event that it begins with, `end_seq` the one that settles it. `lane` is the agent at work: of a delegation
    the one that was asked. `parent` is the step or visit that it belongs to. Between `started_ts` and `begun_ts` it waited
    to be let do its work. `input_digest` and `output_digest` are of what went in and came out, where they were asked for.
    """

    seq: int
    step: str
    kind: str
    name: str
    lane: str
    state: str
    started_ts: int
    begun_ts: int | None = None
    end_seq: int | None = None
    ended_ts: int | None = None
    parent: str = ""
    cost_usd: Decimal = ZERO
    tokens: int = 0
    attempts: int = 1
    verdict: str = ""
    policies: tuple[str, ...] = ()
    reason: str = ""
    child_run: str = ""
    approval_id: str = ""
    problem: str = ""
    importance: Importance = "normal"
    input_digest: str = ""
    output_digest: str = ""

    @property
    def bad(self) -> bool:
        """Whether it went wrong, or may have."""
        return self.state in BAD


class Fan(Struct):
    """An open Parallel or Map: what its branches or items were given, and how many of them are done or have failed."""

    inputs: Payload
    done: int = 0


class Gap(Struct, frozen=True):
    """A time in which nothing was at work. `why`: approval, timer, signal, or idle."""

    from_ts: int
    to_ts: int
    why: str


class StepFold:
    """The rows of a stretch of a journal. Events of steps that began before it are passed over.

    `contents` are those that `wanted` named of the events; `digests` says whether rows tell what went in and out by digest.
    """

    def __init__(self, agent: str, *, after: int = -1, digests: bool = False) -> None:
        self.agent = agent
        self.seq = after
        self.rows: list[StepRow] = []
        self.open: dict[str, StepRow] = {}
        self.usage = Usage()
        self.labels = Labels()
        self.gaps: list[Gap] = []
        self.artifacts: list[Artifact] = []
        self.started_ts = 0
        self.last_ts = 0
        self.finished: ev.RunFinished | None = None
        self.frames: dict[str, str] = {}
        self.fans: dict[str, Fan] = {}
        self.answered: dict[str, str] = {}
        self.working = 0
        self._whole = after < 0
        self.digests = digests
        self._why = ""
        self._known: dict[Any, Any] = {}

    def read(self, label: Label | None) -> None:
        """The run has read something of this label."""
        if label is not None:
            self.labels = join(self.labels, label)

    def apply(self, event: ev.Event, contents: Mapping[str, bytes] = {}) -> None:
        """Take in the next event."""
        self._pass_time(event.ts)
        self.seq = event.seq
        reader = _APPLY.get(type(event.data))
        if reader is not None:
            reader(self, event, event.data, contents)

    def one(self, value: Any) -> Any:
        """The one object that stands for equal values: rows of one run say the same things again and again."""
        return self._known.setdefault(value, value)

    def begin(
        self, event: ev.Event, step: str, kind: str, name: str, state: str, *, again: bool
    ) -> StepRow | None:
        """The row of a step: the one that is open, or a new one. None for a step that began before the stretch."""
        row = self.open.get(step)
        if row is None:
            if again and not self._whole:
                return None
            row = StepRow(
                event.seq, step, self.one(kind), self.one(name), self.one(self.agent), state, event.ts,
                parent=_turn(step),
            )  # fmt: skip
            self.rows.append(row)
            self.open[step] = row
        row.state = state
        return row

    def digest_of(self, payload: Payload | None) -> str:
        """What stands for a value, where rows are to tell."""
        if not self.digests or payload is None:
            return ""
        return payload.ref or digest(bytes(payload.inline))

    def settle(self, event: ev.Event, step: str, state: str, usage: Usage = Usage()) -> StepRow | None:
        """The row of a step whose outcome is known now, or None."""
        self.usage = self.usage.plus(usage)
        row = self.open.pop(step, None)
        if row is None:
            return None
        self._idle(row)
        if row.kind == "state":
            self.fans.pop(step, None)
            self.answered.pop(step, None)
        elif row.parent in self.open:
            self.answered[row.parent] = step
        row.state, row.end_seq, row.ended_ts = state, event.seq, event.ts
        row.cost_usd += usage.cost_usd
        row.tokens += usage.tokens
        row.importance = _importance(row)
        return row

    def end_frame(self, visit: str) -> None:
        """A branch or item is done, or has failed for good: `visit` was its last state."""
        fan = self.fans.get(self.frames.get(visit, "").partition(".")[0])
        if fan is not None:
            fan.done += 1

    def abort(self, visit: str, event: ev.Event) -> None:
        """What a state had started ends with it, if it had branches."""
        row = self.open.get(visit)
        if row is None or row.state != "branching":
            return
        for name in [r.step for r in self.open.values() if r.kind == "state" and self._below(r, visit)]:
            self.settle(event, name, "aborted")

    def _below(self, row: StepRow, visit: str) -> bool:
        above: StepRow | None = row
        while above is not None and above.parent:
            if above.parent == visit:
                return True
            above = self.open.get(above.parent)
        return False

    def work(self, row: StepRow, ts: int) -> None:
        """The step is at work from now on."""
        if row.begun_ts is None:
            self.working += 1
        row.begun_ts = ts if row.begun_ts is None else row.begun_ts

    def _idle(self, row: StepRow) -> None:
        if row.begun_ts is not None and row.kind != "state":
            self.working -= 1

    def park(self, waiting_on: tuple[str, ...]) -> None:
        """The run waits."""
        kinds = {w.partition(":")[0] for w in waiting_on}
        first = next((k for k in ("approval", "timer", "signal") if k in kinds), "idle")
        self._why = first

    def _pass_time(self, ts: int) -> None:
        if self.seq < 0 or not self.last_ts:
            self.started_ts = ts
        elif ts - self.last_ts >= GAP_MS and self.working == 0 and len(self.gaps) < MOST_GAPS:
            self.gaps.append(Gap(self.last_ts, ts, self._why or "idle"))
        self.last_ts = max(ts, self.last_ts)
        self._why = ""


def _turn(step: str) -> str:
    """The question to a model, or the visit of a state, that a call belongs to; agents in code number theirs otherwise."""
    whole, dot, _ = step.partition(".")
    return whole if dot and whole[:1] in ("m", "s") else ""


def _importance(row: StepRow) -> Importance:
    if row.bad or row.child_run or row.kind == "gate" or row.verdict == "needs_approval" or row.problem:
        return "high"
    if row.kind == "state" and row.ended_ts == row.started_ts:
        return "low"
    return "normal"


# One function per event: how it changes the rows.


def _created(fold: StepFold, event: ev.Event, e: ev.RunCreated, contents: Mapping[str, bytes]) -> None:
    fold.agent, fold.labels = e.agent.name, e.labels


def _model_asked(fold: StepFold, event: ev.Event, e: ev.ModelAsked, contents: Mapping[str, bytes]) -> None:
    row = fold.begin(event, e.step, "model", e.model, "intended", again=e.attempt > 1)
    if row is not None:
        row.attempts = e.attempt
        row.input_digest = fold.digest_of(e.request)
        fold.work(row, event.ts)


def _model_answered(
    fold: StepFold, event: ev.Event, e: ev.ModelAnswered, contents: Mapping[str, bytes]
) -> None:
    row = fold.settle(event, e.step, "done", e.usage)
    if row is not None:
        row.output_digest = fold.digest_of(e.message)
        row.attempts = max(row.attempts, e.tries)


def _model_failed(fold: StepFold, event: ev.Event, e: ev.ModelFailed, contents: Mapping[str, bytes]) -> None:
    _told(fold.settle(event, e.step, "failed", e.usage), e.problem)


def _tool_decided(fold: StepFold, event: ev.Event, e: ev.ToolDecided, contents: Mapping[str, bytes]) -> None:
    row = fold.begin(event, e.step, e.kind, e.tool, "decided", again=bool(e.approval_id))
    if row is None:
        return
    said = e.decision
    if not (e.approval_id and row.verdict):  # what policy said first is why a person was asked
        row.verdict, row.policies, row.reason = said.verdict, fold.one(said.policies), fold.one(said.reason)
    row.approval_id = e.approval_id or row.approval_id
    row.input_digest = e.arguments_digest if fold.digests else ""


def _tool_refused(fold: StepFold, event: ev.Event, e: ev.ToolRefused, contents: Mapping[str, bytes]) -> None:
    # A call that policy was not even asked about begins and ends here; one of an earlier stretch only ends.
    if e.step not in fold.open:
        fold.begin(event, e.step, e.kind, e.tool, "refused", again=False)
    _told(fold.settle(event, e.step, "refused"), e.problem)


def _approval_requested(
    fold: StepFold, event: ev.Event, e: ev.ApprovalRequested, contents: Mapping[str, bytes]
) -> None:
    row = fold.open.get(e.approval.step)
    if row is not None:
        row.approval_id = e.approval.approval_id
        if e.approval.reason != "in_doubt":
            row.state = "awaiting"


def _intended(fold: StepFold, event: ev.Event, e: ev.EffectIntended, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.step)
    if row is not None:
        row.state, row.attempts = "intended", e.attempt
        fold.work(row, event.ts)


def _done(fold: StepFold, event: ev.Event, e: ev.EffectDone, contents: Mapping[str, bytes]) -> None:
    fold.read(e.label)
    fold.artifacts.extend(e.artifacts)
    row = fold.settle(event, e.step, "done", e.usage)
    if row is not None:
        row.output_digest = fold.digest_of(e.output)
        row.attempts = max(row.attempts, e.tries)


def _effect_failed(
    fold: StepFold, event: ev.Event, e: ev.EffectFailed, contents: Mapping[str, bytes]
) -> None:
    fold.read(e.label)
    _told(fold.settle(event, e.step, "failed", e.usage), e.problem)


def _in_doubt(fold: StepFold, event: ev.Event, e: ev.EffectInDoubt, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.step)
    if row is not None:
        row.state, row.problem = "in_doubt", e.why
        row.importance = "high"


def _reopened(fold: StepFold, event: ev.Event, e: ev.EffectReopened, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.step)
    if row is not None:
        row.state, row.problem = "decided", ""


def _child_started(
    fold: StepFold, event: ev.Event, e: ev.ChildStarted, contents: Mapping[str, bytes]
) -> None:
    row = fold.open.get(e.step)
    if row is not None:
        row.state, row.child_run, row.lane = "child", e.child_run, fold.one(e.handoff.to_agent)
        fold.work(row, event.ts)


def _child_ended(fold: StepFold, event: ev.Event, e: ev.ChildEnded, contents: Mapping[str, bytes]) -> None:
    fold.labels = merge(fold.labels, e.labels)
    problem = _child_problem(e.result, contents)
    row = fold.settle(
        event, e.step, "failed" if problem else "done", replace(e.usage, children=1, wall_s=0.0)
    )
    if row is not None:
        row.problem = problem
        row.output_digest = fold.digest_of(e.result)
        row.importance = "high"


def _entered(fold: StepFold, event: ev.Event, e: ev.StateEntered, contents: Mapping[str, bytes]) -> None:
    row = fold.begin(event, e.visit, "state", e.state, "entered", again=False)
    if row is not None:
        row.parent = e.frame.partition(".")[0]
        if e.frame:
            fold.frames[e.visit] = fold.one(e.frame)
        row.started_ts = row.begun_ts = e.at_ts or event.ts
        row.input_digest = fold.digest_of(e.input)


def _scheduled(fold: StepFold, event: ev.Event, e: ev.TaskScheduled, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.visit)
    if row is not None:
        row.state, row.attempts = "scheduled", e.attempt + 1


def _waits(fold: StepFold, event: ev.Event, e: ev.WaitStarted, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.visit)
    if row is not None:
        row.state = "waiting"


def _branches(fold: StepFold, event: ev.Event, e: ev.BranchesStarted, contents: Mapping[str, bytes]) -> None:
    row = fold.open.get(e.visit)
    if row is not None:
        row.state, row.attempts = "branching", e.attempt + 1
        fold.fans[e.visit] = Fan(e.inputs)


def _retried(fold: StepFold, event: ev.Event, e: ev.StateRetried, contents: Mapping[str, bytes]) -> None:
    fold.abort(e.visit, event)
    row = fold.open.get(e.visit)
    if row is not None:
        row.state, row.attempts, row.problem = "retrying", e.attempt + 1, _error(e.error, e.cause)


def _exited(fold: StepFold, event: ev.Event, e: ev.StateExited, contents: Mapping[str, bytes]) -> None:
    fold.abort(e.visit, event)
    if not e.next:
        fold.end_frame(e.visit)
    row = fold.settle(event, e.visit, "caught" if e.error else "succeeded")
    if row is not None:
        row.ended_ts, row.problem = e.at_ts or event.ts, _error(e.error, e.cause)
        row.output_digest = fold.digest_of(e.output)
        row.importance = _importance(row)


def _state_failed(fold: StepFold, event: ev.Event, e: ev.StateFailed, contents: Mapping[str, bytes]) -> None:
    fold.abort(e.visit, event)
    fold.end_frame(e.visit)
    row = fold.settle(event, e.visit, "failed")
    if row is not None:
        row.ended_ts, row.problem = e.at_ts or event.ts, _error(e.error, e.cause)


def _said(
    fold: StepFold, event: ev.Event, e: ev.MessageAdded | ev.MemoryWritten, contents: Mapping[str, bytes]
) -> None:
    fold.read(e.label)


def _answered(fold: StepFold, event: ev.Event, e: ev.TaskSettled, contents: Mapping[str, bytes]) -> None:
    fold.labels = merge(fold.labels, e.labels)


def _parked(fold: StepFold, event: ev.Event, e: ev.RunParked, contents: Mapping[str, bytes]) -> None:
    fold.park(e.waiting_on)


def _finished(fold: StepFold, event: ev.Event, e: ev.RunFinished, contents: Mapping[str, bytes]) -> None:
    fold.finished = e
    fold.usage = replace(fold.usage, wall_s=max(0, event.ts - fold.started_ts) / 1000)


def _told(row: StepRow | None, problem: Any) -> None:
    if row is not None:
        row.problem = f"[{problem.code}] {problem.message}"
        row.importance = "high"


def _error(error: str, cause: str) -> str:
    return f"{error}: {cause}" if error and cause else error


class _Outcome(Struct):
    """As much of a child's result as its parent's row says."""

    status: str = ""
    problem: dict[str, Any] | None = None


def _child_problem(result: Payload, contents: Mapping[str, bytes]) -> str:
    """Why a child did not succeed, or the empty string; so too where its result was not loaded."""
    if result.ref and result.ref not in contents:
        return ""
    try:
        told = msgspec.convert(load(result, contents), _Outcome)
    except msgspec.ValidationError:
        return ""
    if told.status != "failure":
        return ""
    problem = told.problem or {}
    return f"[{problem.get('code', 'E700')}] {problem.get('message', 'the child run failed')}"


def wanted(data: ev.Data) -> str:
    """The digest of the content that the row of an event needs, or the empty string: what a child answered."""
    return data.result.ref if isinstance(data, ev.ChildEnded) else ""


_APPLY: Mapping[type, Row] = {
    ev.RunCreated: _created,
    ev.ModelAsked: _model_asked,
    ev.ModelAnswered: _model_answered,
    ev.ModelFailed: _model_failed,
    ev.ToolDecided: _tool_decided,
    ev.ToolRefused: _tool_refused,
    ev.ApprovalRequested: _approval_requested,
    ev.EffectIntended: _intended,
    ev.EffectDone: _done,
    ev.EffectFailed: _effect_failed,
    ev.EffectInDoubt: _in_doubt,
    ev.EffectReopened: _reopened,
    ev.ChildStarted: _child_started,
    ev.ChildEnded: _child_ended,
    ev.StateEntered: _entered,
    ev.TaskScheduled: _scheduled,
    ev.WaitStarted: _waits,
    ev.BranchesStarted: _branches,
    ev.StateRetried: _retried,
    ev.StateExited: _exited,
    ev.StateFailed: _state_failed,
    ev.MessageAdded: _said,
    ev.MemoryWritten: _said,
    ev.TaskSettled: _answered,
    ev.RunParked: _parked,
    ev.RunFinished: _finished,
}
