"""What a call of Step Functions asks of the gateway, and what its outcome is worth there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remit.core.run import Run
from remit.core.states import failures
from remit.core.states.failures import StateFailure
from remit.core.states.history import places
from remit.core.states.progress import Pointer, Progress
from remit.core.states.remote import Called
from remit.core.states.resources import Resource, parse
from remit.engine.workflows import calls
from remit.engine.workflows.names import INVOKE, INVOKE_TOOL
from remit.ports.agents import Catalogue

OURS = frozenset({"agent", "tool", "gate", "workflow", "lambda"})
"""Kinds of resource that Remit's functions answer for; a Lambda function where it is an agent or a tool here."""


class Answer(Struct, frozen=True):
    """The outcome of a call: an output, or an error with its cause."""

    output: Any = None
    error: str = ""
    cause: str = ""


class Calls:
    """The calls of one run."""

    def __init__(self, run: Run, progress: Progress, catalogue: Catalogue) -> None:
        self._run = run
        self._progress = progress
        self._catalogue = catalogue
        self._places = dict(places(progress.document))

    def resource(self, called: Called) -> Resource:
        """What the state of a call names. Raises StateFailure for a state that is not there, or that calls somebody else."""
        found = parse(str(self._state(called).get("Resource", "")))
        if found is None or not (found.kind in OURS or found.name == INVOKE):
            raise StateFailure(failures.RUNTIME, f"state `{called.state}` calls nothing of Remit")
        return found

    def request(self, called: Called) -> calls.Call:
        """The request to the gateway. Raises StateFailure for arguments that cannot be a call."""
        about = str(
            self._state(called).get("Comment") or f"state {called.state} of workflow {self._run.agent.name}"
        )
        resource = self.resource(called)
        made = calls.call_of(resource, called.input, called.step, about, self._run.agent, self._catalogue)
        if made.ask.name == INVOKE_TOOL:
            raise StateFailure(failures.RUNTIME, f"state `{called.state}` calls nothing of Remit")
        return made

    def answer(self, called: Called) -> Answer | None:
        """How the call ended; None while that is open."""
        try:
            if called.settled is not None:
                return Answer(*called.settled)
            request = self.request(called)
            step = self._run.steps.get(called.step)
            if step is None or not step.settled:
                return None
            output = calls.answer(request, step)
            return None if self.resource(called).mode == "token" else Answer(output)
        except StateFailure as failure:
            return Answer(error=failure.error, cause=failure.cause)

    def is_answered_outside(self, called: Called) -> bool:
        """Whether somebody outside answers once the call was made, who was given its token."""
        try:
            return bool(called.token) and self.resource(called).mode == "token"
        except StateFailure:
            return False

    def beside(self, called: Called) -> int:
        """How many calls come at about the same time, this one and those in other branches included, that have no step yet.

        Step Functions makes them one by one: without this the first would be given half of the budget, and the next a quarter.
        """
        if called.state not in self._places:
            return 1
        around = self._branchings(self._places[called.state])
        width = max((self._width(at) for at in around), default=1)
        begun = [
            c
            for c in self._progress.remote.open()
            if c.step in self._run.steps
            and around
            and self._places.get(c.state, ())[: len(around[0])] == around[0]
        ]
        return max(width - len(begun), 1)

    def _branchings(self, pointer: Pointer) -> list[Pointer]:
        """The Parallels and Maps around a state, the outermost first."""
        return [pointer[: place + 2] for place, part in enumerate(pointer) if part == "States"]

    def _width(self, pointer: Pointer) -> int:
        """How many branches or iterations a state has."""
        state = self._progress.machine(pointer)
        if state["Type"] == "Parallel":
            return len(state["Branches"])
        visits = [v for v in self._progress.visits.values() if v.pointer == pointer and v.open]
        items = len(visits[-1].inputs) if visits else 1
        most = state.get("MaxConcurrency", 0)
        return min(items, most) if isinstance(most, int) and most else items

    def is_last(self, called: Called) -> bool:
        """Whether the workflow ends with the state of a call."""
        return self._places.get(called.state) == () and bool(self._state(called).get("End"))

    def left(self, called: Called) -> bool:
        """Whether its state has come to an end without it: its time ran out, or a branch beside it failed."""
        same = [v for v in self._progress.visits.values() if v.state == called.state]
        entered = [v for v in same if v.entered_ts == called.entered_ts]
        return bool(entered) and not any(v.open for v in entered)

    def _state(self, called: Called) -> Mapping[str, Any]:
        if called.state not in self._places:
            raise StateFailure(failures.RUNTIME, f"the workflow has no state `{called.state}`")
        machine = self._progress.machine(self._places[called.state])
        state: Mapping[str, Any] = machine["States"][called.state]
        return state
