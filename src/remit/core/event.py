"""What happened in a run: tiny frozen values in the past tense, one journal entry each.

An `Event` is stored as JSON bytes; its hash covers exactly those bytes and the hash before it (`codec.link`).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from remit.core.agent import AgentSpec
from remit.core.approval import Approval, Vote
from remit.core.budget import Budget, Reservation, Usage
from remit.core.definition import DefinitionUsed
from remit.core.payload import NOTHING, Payload
from remit.core.policy import Decision
from remit.core.provenance import Label, Labels
from remit.core.task import Artifact, Handoff, Problem, Task

StepKind = Literal["model", "tool", "delegate", "gate"]


class Older(Struct, frozen=True):
    """The first `messages` of the history that a run begins with, the last of them `upto`: what is to be summed up."""

    messages: int
    upto: str


class RunCreated(Struct, frozen=True, tag=True, omit_defaults=True):
    """The first event. `parent_run` and `parent_step` are empty for a run started from outside.

    `envelope` names the tenant's envelope that the budget was reserved from, if there is one. `definitions` are the
    versions from the registry that the run goes by to its end, whatever is edited meanwhile. `workflow` is the document
    of a run that is one. `forked_from` is `RUN#VISIT` for a run that took over what another had done before that.
    `older` is the part of the history that is too long to go on with.
    `execution` is the ARN of the execution of Step Functions that moves the workflow; empty where Remit does. `labels` are
    those of all that it begins with, `given` those of the task alone where they differ: a person may go on with a session
    that has read untrusted content. `vouched` are the parts of a handed task that somebody trusted had said before it.
    `within` is the workflow that the run was started for, if it is none itself.
    """

    task: Task
    agent: AgentSpec
    agent_digest: str
    profile: str
    profile_digest: str
    budget: Budget
    parent_run: str = ""
    parent_step: str = ""
    root_run: str = ""
    depth: int = 0
    handoff: Handoff | None = None
    labels: Labels = Labels()
    history: Payload = NOTHING
    envelope: str = ""
    definitions: tuple[DefinitionUsed, ...] = ()
    workflow: Payload = NOTHING
    forked_from: str = ""
    execution: str = ""
    older: Older | None = None
    given: Labels | None = None
    vouched: tuple[str, ...] = ()
    within: str = ""

    @property
    def workflow_name(self) -> str:
        """The workflow that the run is, or works for; empty for a run of neither kind."""
        return self.agent.name if self.agent.kind == "workflow" else self.within


class RunClaimed(Struct, frozen=True, tag=True, omit_defaults=True):
    """A worker took the lease; every later event up to the next claim is its.

    `deaths`: how many holders before it, one after the other, ended without a word and without having come further.
    """

    worker: str
    epoch: int
    deaths: int = 0


class ModelAsked(Struct, frozen=True, tag=True, omit_defaults=True):
    """The intent of a model call. The request is not repeated: it is the messages so far, by `messages` count."""

    step: str
    model: str
    messages: int
    attempt: int = 1
    reserved: Reservation = Reservation()
    request: Payload = NOTHING


class ModelAnswered(Struct, frozen=True, tag=True, omit_defaults=True):
    """A model's message. `usage` and its cost are settled; `latency_ms` of the whole call with retries."""

    step: str
    model: str
    message: Payload
    stop_reason: str
    usage: Usage
    latency_ms: float = 0.0
    tries: int = 1
    incidents: tuple[str, ...] = ()


class ModelFailed(Struct, frozen=True, tag=True, omit_defaults=True):
    """A model call failed for good. What it may have cost is charged as `usage`."""

    step: str
    model: str
    problem: Problem
    usage: Usage = Usage()
    tries: int = 1
    incidents: tuple[str, ...] = ()


class OutputRejected(Struct, frozen=True, tag=True):
    """The final answer did not fit the output schema and was sent back with `reason`."""

    reason: str
    repair: int


class MessageAdded(Struct, frozen=True, tag=True):
    """A message came in from outside the loop: a person's follow-up or an answer to a question."""

    message: Payload
    label: Label


class ToolDecided(Struct, frozen=True, tag=True, omit_defaults=True):
    """Policy answered about one exact call. `arguments` is absent when they are the model's, unchanged."""

    step: str
    call_id: str
    tool: str
    arguments_digest: str
    decision: Decision
    kind: StepKind = "tool"
    arguments: Payload | None = None
    approval_id: str = ""


class ToolRefused(Struct, frozen=True, tag=True, omit_defaults=True):
    """The call was settled without any effect: bad input, denied, rejected, over budget, or breaker open."""

    step: str
    call_id: str
    tool: str
    problem: Problem
    kind: StepKind = "tool"


class ApprovalRequested(Struct, frozen=True, tag=True):
    """A person must decide before this step goes on."""

    approval: Approval


class ApprovalVoted(Struct, frozen=True, tag=True):
    """A person decided. The approval is settled when its quorum is reached."""

    approval_id: str
    vote: Vote


class ApprovalExpired(Struct, frozen=True, tag=True):
    """Nobody decided in time, which means reject."""

    approval_id: str


class ApprovalWithdrawn(Struct, frozen=True, tag=True):
    """Nobody needs the decision any more: the branch of the workflow that wanted it was stopped."""

    approval_id: str


class QuestionAnswered(Struct, frozen=True, tag=True):
    """The requester answered what an approver wanted to know; a decision is still wanted."""

    approval_id: str
    answer: str
    answered_by: str


class EffectIntended(Struct, frozen=True, tag=True, omit_defaults=True):
    """The step is about to run its tool under `key`. Durable before the effect."""

    step: str
    key: str
    attempt: int = 1
    reserved: Reservation = Reservation()


class EffectDone(Struct, frozen=True, tag=True, omit_defaults=True):
    """The tool answered. `output` is after post-check, redaction and size cap."""

    step: str
    output: Payload
    label: Label
    latency_ms: float = 0.0
    tries: int = 1
    usage: Usage = Usage(tool_calls=1)
    artifacts: tuple[Artifact, ...] = ()
    found_by: Literal["call", "reconcile", "person"] = "call"


class EffectFailed(Struct, frozen=True, tag=True, omit_defaults=True):
    """The tool said that its effect did not happen. Its words are labelled like an answer of it; in old journals they are not."""

    step: str
    problem: Problem
    latency_ms: float = 0.0
    tries: int = 1
    usage: Usage = Usage(tool_calls=1)
    label: Label | None = None


class EffectInDoubt(Struct, frozen=True, tag=True):
    """It is not known whether the effect happened. It is not repeated; a person is asked."""

    step: str
    key: str
    why: str


class EffectReopened(Struct, frozen=True, tag=True):
    """A person (or `reconcile`) found that the effect in doubt did not happen: it may be done once more."""

    step: str
    by: str


class ChildStarted(Struct, frozen=True, tag=True):
    """A child run was created for this step, with a slice of the budget held back."""

    step: str
    child_run: str
    handoff: Handoff
    slice: Budget


class ChildEnded(Struct, frozen=True, tag=True, omit_defaults=True):
    """The child run ended. Its usage is charged and the rest of its slice returned. `vouched`: see `ChildDone`."""

    step: str
    child_run: str
    result: Payload
    usage: Usage
    labels: Labels
    vouched: tuple[str, ...] = ()


class MemoryWritten(Struct, frozen=True, tag=True):
    """Working memory of the run: `key` now holds `value`."""

    key: str
    value: Payload
    label: Label


class HistorySummed(Struct, frozen=True, tag=True):
    """The older part of the history, its first `messages`, is now `text`; without a text it is left out.

    `method`: `model`, or `excerpts` where no language model made it; `left_out` where the model failed.
    """

    messages: int
    text: Payload
    method: Literal["model", "excerpts", "left_out"]


class CancelRequested(Struct, frozen=True, tag=True):
    """Somebody asked to cancel; the run ends at the next step, and so do its children."""

    by: str
    reason: str


class RunParked(Struct, frozen=True, tag=True):
    """The run waits without a thread for each of `waiting_on` (`approval:ID`, `child:RUN`, `timer:MS`)."""

    waiting_on: tuple[str, ...]


class RunFinished(Struct, frozen=True, tag=True, omit_defaults=True):
    """The run ended; its result without the decision log, which is a fold of the events before."""

    status: Literal["success", "failure"]
    payload: Payload = NOTHING
    problem: Problem | None = None


# A workflow: every transition of its states. A visit is one entering of a state, `s0`, `s1`, ...; a frame is one run of a
# machine: the document's own (the empty string), or a branch of a Parallel or an iteration of a Map (`VISIT.ATTEMPT.INDEX`).


class StateEntered(Struct, frozen=True, tag=True, omit_defaults=True):
    """A frame entered a state with this raw input. The first one of a frame starts it.

    `at_ts`, here and below: when it happened, where that was told later.
    """

    visit: str
    frame: str
    state: str
    input: Payload
    at_ts: int = 0


class TaskScheduled(Struct, frozen=True, tag=True, omit_defaults=True):
    """A Task's arguments were evaluated; its call is step `VISIT.ATTEMPT`. `token`: what an answer from outside must show."""

    visit: str
    attempt: int
    arguments: Payload
    deadline_ts: int | None = None
    heartbeat_ms: int | None = None
    token: str = ""


class TaskSettled(Struct, frozen=True, tag=True, omit_defaults=True):
    """Somebody outside answered for a Task: with an output, or with an error."""

    visit: str
    attempt: int
    output: Payload = NOTHING
    error: str = ""
    cause: str = ""
    labels: Labels = Labels()


class TaskBeat(Struct, frozen=True, tag=True):
    """Whoever works on a Task outside said that they still do."""

    visit: str
    attempt: int


class WaitStarted(Struct, frozen=True, tag=True):
    """A Wait waits until `until_ts`, Unix milliseconds."""

    visit: str
    until_ts: int


class BranchesStarted(Struct, frozen=True, tag=True, omit_defaults=True):
    """A Parallel or Map starts its frames: `inputs` is the list of theirs, at most `limit` at once (0: all).

    `tolerated` is how many may fail; -1: none may, and the first failure is the state's own. `items` are a Map's items and
    their keys where its iterations are given something made of them.
    """

    visit: str
    attempt: int
    inputs: Payload
    limit: int = 0
    tolerated: int = -1
    items: Payload = NOTHING


class StateRetried(Struct, frozen=True, tag=True, omit_defaults=True):
    """A state failed and is done again at `wake_ts`; `retrier` is the place of the rule that says so."""

    visit: str
    attempt: int
    retrier: int
    error: str
    cause: str
    wake_ts: int


class StateExited(Struct, frozen=True, tag=True, omit_defaults=True):
    """A state is done and its frame goes on to `next`, or ends. `error` is the one that a Catcher took."""

    visit: str
    output: Payload
    next: str = ""
    assigned: Payload = NOTHING
    error: str = ""
    cause: str = ""
    at_ts: int = 0


class StateFailed(Struct, frozen=True, tag=True, omit_defaults=True):
    """A state failed for good, and its frame with it."""

    visit: str
    error: str
    cause: str = ""
    at_ts: int = 0


# A workflow that Step Functions moves: its states as its history tells them, and the calls that it makes of Remit.


class ExecutionStarted(Struct, frozen=True, tag=True):
    """Step Functions has the execution that moves the workflow."""

    execution: str


class HistoryRead(Struct, frozen=True, tag=True):
    """The history of the execution was read up to event `last`; `reading` is what is needed to read on."""

    last: int
    reading: Payload


class TaskCalled(Struct, frozen=True, tag=True, omit_defaults=True):
    """Step Functions called for a Task, which is step `step` of the run; the same step again for a call that was repeated."""

    call: str
    step: str
    state: str
    entered_ts: int
    input: Payload
    retry: int = 0
    token: str = ""


class TaskReplied(Struct, frozen=True, tag=True, omit_defaults=True):
    """Step Functions was told how the call ended, with an error or without. `lost`: it did not wait for that any more."""

    call: str
    error: str = ""
    lost: bool = False


Data = (
    RunCreated
    | RunClaimed
    | ModelAsked
    | ModelAnswered
    | ModelFailed
    | OutputRejected
    | MessageAdded
    | ToolDecided
    | ToolRefused
    | ApprovalRequested
    | ApprovalVoted
    | ApprovalExpired
    | ApprovalWithdrawn
    | QuestionAnswered
    | EffectIntended
    | EffectDone
    | EffectFailed
    | EffectInDoubt
    | EffectReopened
    | ChildStarted
    | ChildEnded
    | MemoryWritten
    | HistorySummed
    | CancelRequested
    | RunParked
    | RunFinished
    | StateEntered
    | TaskScheduled
    | TaskSettled
    | TaskBeat
    | WaitStarted
    | BranchesStarted
    | StateRetried
    | StateExited
    | StateFailed
    | ExecutionStarted
    | HistoryRead
    | TaskCalled
    | TaskReplied
)


class Event(Struct, frozen=True):
    """One entry of a journal: `seq` from 0 without gaps, `ts` Unix milliseconds, `epoch` of the lease it was written under."""

    seq: int
    ts: int
    epoch: int
    data: Data
