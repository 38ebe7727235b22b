"""What a reader of a run sees: folds of its journal made for people and programs outside."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.approval import Approval
from remit.core.budget import Budget, Usage
from remit.core.definition import DefinitionUsed
from remit.core.provenance import Labels
from remit.core.task import Result, Task

RunStatus = Literal["running", "waiting", "success", "failure"]


class StepView(Struct, frozen=True):
    """One step: `state` is decided, awaiting, intended, done, failed, refused, in_doubt or child. Times in milliseconds."""

    step: str
    kind: str
    name: str
    state: str
    verdict: str = ""
    policies: tuple[str, ...] = ()
    arguments: Any = None
    output: Any = None
    problem: str = ""
    child_run: str = ""
    approval_id: str = ""
    started_ts: int = 0
    latency_ms: float = 0.0


class StateView(Struct, frozen=True):
    """One entering of a workflow's state. `pointer` is its place in the document (RFC 6901), `frame` the branch or iteration.

    `status` is entered, scheduled, waiting, branching, retrying, succeeded, caught, failed or aborted.
    """

    visit: str
    frame: str
    state: str
    pointer: str
    status: str
    entered_ts: int
    ended_ts: int | None = None
    attempts: int = 1
    error: str = ""
    cause: str = ""


class RunView(Struct, frozen=True):
    """A run at one moment. Of a very long one only the newest steps and states: `left_out` says how many older ones are not in it."""

    run_id: str
    tenant_id: str
    agent: str
    status: RunStatus
    task: Task
    result: Result
    seq: int
    created_ts: int
    ended_ts: int | None
    budget: Budget
    usage: Usage
    labels: Labels
    waiting_on: tuple[str, ...] = ()
    steps: tuple[StepView, ...] = ()
    approvals: tuple[Approval, ...] = ()
    children: tuple[str, ...] = ()
    parent_run: str = ""
    definitions: tuple[DefinitionUsed, ...] = ()
    states: tuple[StateView, ...] = ()
    forked_from: str = ""
    execution: str = ""
    left_out: int = 0


class EventView(Struct, frozen=True):
    """One journal event for a reader: payloads filled in. `hash` is the chain hash as hex, `type` the event's name."""

    seq: int
    ts: int
    epoch: int
    type: str
    data: dict[str, Any]
    hash: str
