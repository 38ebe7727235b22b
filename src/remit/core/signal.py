"""What the world sends to a run; each becomes an event when the run's worker takes it in."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.core.approval import Vote
from remit.core.budget import Usage
from remit.core.provenance import Labels


class VoteCast(Struct, frozen=True, tag=True):
    """A person decided about an approval."""

    approval_id: str
    vote: Vote


class AnswerGiven(Struct, frozen=True, tag=True):
    """The requester answered an approver's question."""

    approval_id: str
    answer: str
    by: str


class CancelAsked(Struct, frozen=True, tag=True):
    """Cancel the run and its children."""

    by: str
    reason: str


class ChildDone(Struct, frozen=True, tag=True, omit_defaults=True):
    """A child run ended; sent in the same transaction as its last event.

    `vouched` are the parts of its result that somebody trusted had said, where it has read untrusted content.
    """

    step: str
    child_run: str
    result: Any
    usage: Usage
    labels: Labels
    vouched: tuple[str, ...] = ()


class TaskAnswered(Struct, frozen=True, tag=True, omit_defaults=True):
    """Somebody outside answered for a workflow's Task: a callback, an activity's worker, or an event that it waited for.

    `attempt` -1 means whichever is under way. `labels` are those of an event; what a caller of the API answers is as
    trusted as the input of a task that it submits.
    """

    visit: str
    attempt: int = -1
    output: Any = None
    error: str = ""
    cause: str = ""
    labels: Labels = Labels()


class TaskAlive(Struct, frozen=True, tag=True):
    """Whoever works on a Task outside still does."""

    visit: str
    attempt: int


class TaskAsked(Struct, frozen=True, tag=True, omit_defaults=True):
    """Step Functions calls for a Task of the run's workflow.

    `call` names this very call, `entered_ts` is when its state was entered, `retry` how often it has been called before.
    Without a `token` whoever asked waits for the answer itself.
    """

    call: str
    state: str
    entered_ts: int
    retry: int = 0
    token: str = ""
    input: Any = None


class Nudged(Struct, frozen=True, tag=True):
    """Somebody asked the run to look again; it changes nothing by itself."""

    by: str


SignalBody = VoteCast | AnswerGiven | CancelAsked | ChildDone | TaskAnswered | TaskAlive | TaskAsked | Nudged
