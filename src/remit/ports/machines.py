"""State machines outside: where the workflows of a deployment run when Step Functions moves them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from remit.core.states.history import Moment

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]


class Execution(Struct, frozen=True):
    """How an execution stands. `output` is of one that succeeded; `error` and `cause` of one that did not."""

    arn: str
    status: ExecutionStatus
    input: Any
    output: Any = None
    error: str = ""
    cause: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens in it."""
        return self.status not in ("RUNNING", "PENDING_REDRIVE")


class Machines(Protocol):
    """The state machines of one deployment. Every method may raise StoreError: ask again; ConfigError E698: it is not allowed."""

    async def execution_for(self, workflow: str, document: Mapping[str, Any], run_id: str) -> str:
        """The ARN that the execution for a run has or will have; the empty string where no machine has just this document."""

    def workflow_of(self, execution: str) -> str:
        """The workflow, by the name it has on AWS, that an execution is of; the empty string for a machine of somebody else."""

    async def outermost(self, execution: str) -> str:
        """The execution itself; for one that is an item of a distributed Map, the one that the Map stands in."""

    async def start(self, execution: str, input: Any) -> None:
        """Start the execution of this ARN. Harmless when it was started before. Raises InputError E697 for too large an input, and where it began with another one."""

    async def describe(self, execution: str) -> Execution | None:
        """How it stands; None for one that is not there."""

    async def history(self, execution: str, after: int) -> list[Moment]:
        """Its events with an id above `after`, in order and without gaps; the latest may be missing."""

    async def stop(self, execution: str, error: str, cause: str) -> None:
        """End it. Harmless for one that has ended or never began."""

    async def succeed(self, token: str, output: Any) -> bool:
        """Answer a call. False when nobody waits for that any more."""

    async def beat(self, token: str) -> None:
        """Say that somebody still works on a call. Harmless when nobody waits for it any more."""

    async def fail(self, token: str, error: str, cause: str) -> bool:
        """Answer a call with an error that Retry and Catch match. False when nobody waits for that any more."""
