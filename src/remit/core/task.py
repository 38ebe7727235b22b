"""What goes in and what comes out (P1, P2, P13)."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.budget import Budget, Usage

ResultStatus = Literal["success", "failure", "needs_approval", "needs_info"]


class Actor(Struct, frozen=True):
    """Who initiated a task: a person, a key or a schedule. Roles come from the credential, never from the body.

    `behind` is who set it off without being who it acts for: whoever published the event that a rule took up.
    """

    actor_id: str = "local"
    roles: tuple[str, ...] = ()
    via: str = "sdk"
    behind: str = ""

    @property
    def origin(self) -> str:
        """Who set it all off."""
        return self.behind or self.actor_id


class Constraints(Struct, frozen=True):
    """What the initiator asks for: a budget, a deadline (Unix milliseconds) and the highest risk it accepts."""

    budget: Budget = Budget()
    deadline_ts: int | None = None
    max_risk: str | None = None


class Task(Struct, frozen=True):
    """A request to an agent (P1). `task_id` makes submitting it twice harmless within a tenant."""

    task_id: str
    agent: str
    objective: str = ""
    input: Any = None
    tenant_id: str = "local"
    actor_context: Actor = Actor()
    constraints: Constraints = Constraints()
    policy_profile: str = "default"
    session_id: str = ""
    trace_id: str = ""
    output_schema: dict[str, Any] | None = None


class Handoff(Struct, frozen=True):
    """The envelope of every transfer between agents (P13). `context_ref` names the parent's run and step."""

    handoff_id: str
    from_agent: str
    to_agent: str
    objective: str
    context_ref: str
    constraints: Constraints
    expected_output_schema: dict[str, Any] | None
    trace_id: str


class Artifact(Struct, frozen=True):
    """Something a run made, kept by content digest (`sha256:...`); `step` says which call made it."""

    name: str
    digest: str
    media_type: str
    size: int
    step: str = ""


class Problem(Struct, frozen=True):
    """Why a run did not succeed: a stable code, one sentence, and what to do next."""

    code: str
    message: str
    help: str = ""


class DecisionEntry(Struct, frozen=True):
    """One line of a result's decision log: what was decided about which call, by which policies or person."""

    step: str
    action: str
    verdict: str
    by: tuple[str, ...] = ()
    reason: str = ""


class Result(Struct, frozen=True):
    """The outcome of a task (P2)."""

    run_id: str
    task_id: str
    status: ResultStatus
    result_payload: Any = None
    artifacts: tuple[Artifact, ...] = ()
    decision_log: tuple[DecisionEntry, ...] = ()
    cost_usage: Usage = Usage()
    trace_id: str = ""
    problem: Problem | None = None
    waiting_on: tuple[str, ...] = ()
