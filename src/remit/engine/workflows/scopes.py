"""What an expression of a state sees: its input, the context object, variables, time and chance."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from remit.core.run import Run
from remit.core.states import dataflow
from remit.core.states.dataflow import Env, Scope
from remit.core.states.progress import ROOT, Frame, Progress, Visit
from remit.core.times import rfc3339
from remit.ports.clock import Clock


class Scopes:
    """Makes the scope of each state of one run."""

    def __init__(self, run: Run, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock
        self._env = Env(clock.now, clock.random, self._new_id)
        self._about = _about(run, progress.input)

    def of(self, frame: Frame, visit: Visit, state: Mapping[str, Any], token: str = "") -> Scope:
        """What the expressions of a state see; `token` is its task token, if it has one."""
        jsonata = dataflow.speaks_jsonata(self._progress.document, state)
        return Scope(visit.input, self._context(frame, visit, token), frame.variables, jsonata, self._env)

    def _context(self, frame: Frame, visit: Visit, token: str) -> dict[str, Any]:
        """The context object (AWS developer guide, "Accessing execution data from the Context object")."""
        made: dict[str, Any] = {
            **self._about,
            "State": {
                "EnteredTime": rfc3339(visit.entered_ts),
                "Name": visit.state,
                "RetryCount": visit.attempt,
            },
        }
        if token:
            made["Task"] = {"Token": token}
        item = self._map_item(frame)
        if item is not None:
            made["Map"] = {"Item": item}
        return made

    def _map_item(self, frame: Frame) -> dict[str, Any] | None:
        """The item of the innermost Map that a frame is an iteration of, or stands in."""
        while frame.frame != ROOT:
            visit = self._progress.visits[frame.parent]
            if self._progress.state_of(visit)["Type"] == "Map":
                value, key, source = visit.inputs[frame.index], None, "STATE_DATA"
                if visit.items is not None:
                    value, key, source = visit.items[frame.index]
                item = {"Index": frame.index, "Value": value, "Source": source}
                return item if key is None else {**item, "Key": key}
            frame = self._progress.frames[visit.frame]
        return None

    def _new_id(self) -> str:
        """A UUID of version 4, by the clock's chance."""
        bits = int(self._clock.random() * 2**53) << 75 | int(self._clock.random() * 2**53) << 22
        return str(uuid.UUID(int=(bits | int(self._clock.random() * 2**22)) % 2**128, version=4))


def _about(run: Run, given: Any) -> dict[str, Any]:
    """What the context object says of the run: the same in every state."""
    name = run.agent.name
    execution = {
        "Id": run.run_id,
        "Input": given,
        "Name": run.task.task_id,
        "RoleArn": "",
        "StartTime": rfc3339(run.created_ts),
        "RedriveCount": 0,
    }
    return {"Execution": execution, "StateMachine": {"Id": name, "Name": name}}
