"""Tasks that somebody outside answers: callbacks with a task token, activities and their workers, and awaited events."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec import Struct

from remit.core.codec import encode
from remit.core.errors import ConditionError, InputError, NotFoundError
from remit.core.pattern import problems_of
from remit.core.provenance import Labels
from remit.core.run import Run
from remit.core.signal import TaskAlive, TaskAnswered
from remit.core.states import failures
from remit.core.states.failures import StateFailure
from remit.core.states.progress import Visit
from remit.core.states.resources import Resource, parse
from remit.engine.kit import Kit
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Records, Signal, Write

COLLECTION = Collection(
    "open_task",
    ("token_hash",),
    (
        Index("by_activity", ("tenant_id", "activity", "queued_ts")),
        Index("by_run", ("run_id", "visit")),
    ),
)
"""Tasks that wait for an answer. One that an activity's worker may take has `queued_ts`, until it is taken."""

POLL_S = 0.25


class ActivityTask(Struct, frozen=True):
    """A task that a worker has taken: it answers with the token. `input` is what the state gives it."""

    token: str
    activity: str
    input: Any
    run_id: str
    state: str


def only_outside(resource: Resource) -> bool:
    """Whether nothing is called: the answer comes from outside alone."""
    return resource.kind == "activity" or resource.mode == "event"


def new_token(kit: Kit, resource: Resource) -> str:
    """A token that nobody can guess, for a Task that is answered with one; else the empty string."""
    if resource.mode != "token" and resource.kind != "activity":
        return ""
    return kit.clock.new_id("task") + kit.clock.new_id("").removeprefix("_")


def waiting_name(run: Run, visit: Visit, resource: Resource) -> str:
    """What a run that waits says it waits for."""
    if resource.mode == "event":
        return f"event:{resource.name}"
    return f"activity:{resource.name}" if resource.kind == "activity" else f"callback:{visit.visit}"


def expected(kit: Kit, run: Run, visit: Visit, resource: Resource) -> list[Write]:
    """What lets an answer from outside find this Task. Written with the event that schedules it."""
    if resource.mode == "event":
        pattern = visit.arguments.get("pattern") if isinstance(visit.arguments, dict) else None
        _check_pattern(pattern)
        row = {
            "wait_id": _wait_id(run, visit),
            "tenant_id": run.task.tenant_id,
            "type": resource.name,
            "pattern": pattern,
            "run_id": run.run_id,
            "visit": visit.visit,
            "attempt": visit.attempt,
            "since_ts": kit.clock.now(),
        }
        return [Put("bus_wait", row)]
    if not visit.token:
        return []
    row = {
        "token_hash": token_hash(visit.token),
        "tenant_id": run.task.tenant_id,
        "run_id": run.run_id,
        "visit": visit.visit,
        "attempt": visit.attempt,
        "state": visit.state,
    }
    if resource.kind == "activity":
        queued = {"activity": resource.name, "queued_ts": kit.clock.now(), "token": visit.token}
        row = {**row, **queued, "input": visit.arguments}
    return [Put(COLLECTION.name, row, ABSENT)]


def _check_pattern(pattern: Any) -> None:
    """Raise StateFailure for an event pattern that could not be used: it would be in the way of all who wait."""
    problems = [] if pattern is None else problems_of(pattern)
    if problems:
        raise StateFailure("Remit.InvalidInput", "the event pattern cannot be used: " + "; ".join(problems))


def forgotten(run: Run, visit: Visit) -> list[Write]:
    """What no longer lets an answer find this Task."""
    resource = parse(run.workflow.state_of(visit)["Resource"]) if run.workflow is not None else None
    if resource is not None and resource.mode == "event":
        return [Delete("bus_wait", (run.task.tenant_id, resource.name, _wait_id(run, visit)))]
    return [Delete(COLLECTION.name, (token_hash(visit.token),))] if visit.token else []


def left(run: Run) -> list[Write]:
    """As `forgotten`, for all that a run still waits for when it ends: cancelled, overdue or over its budget."""
    if run.workflow is None:
        return []
    open_ = [v for v in run.workflow.visits.values() if v.open and v.status == "scheduled"]
    far = [call for call in run.workflow.remote.open() if call.token]
    return [
        *(write for visit in open_ for write in forgotten(run, visit)),
        *(Delete(COLLECTION.name, (token_hash(call.token),)) for call in far),
    ]


def token_hash(token: str) -> str:
    """Under what a token is kept: whoever reads the records cannot answer with it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _wait_id(run: Run, visit: Visit) -> str:
    return f"{run.run_id}/{visit.step}"


class Callbacks:
    """Answers to Tasks, and the queue of activities; every question names its tenant."""

    def __init__(self, store: Records, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def succeed(self, token: str, output: Any, tenant_id: str, labels: Labels = Labels()) -> None:
        """The task is done; `labels` are those of the output.

        Raises NotFoundError E642 for a token that nobody waits for, InputError E643 for a large output.
        """
        if len(encode(output)) > failures.PAYLOAD_BYTES:
            raise InputError(
                f"the output of the task is larger than {failures.PAYLOAD_BYTES:,} bytes",
                code="E643",
                help="store it somewhere and answer with where it is",
            )
        row = await self._row(token, tenant_id)
        await self._answer(row, TaskAnswered(row["visit"], row["attempt"], output, labels=labels))

    async def fail(
        self, token: str, error: str, cause: str, tenant_id: str, labels: Labels = Labels()
    ) -> None:
        """The task failed, with an error name that Retry and Catch match; `labels` are those of the cause. Raises NotFoundError E642."""
        row = await self._row(token, tenant_id)
        await self._answer(
            row,
            TaskAnswered(row["visit"], row["attempt"], None, error or failures.TASK_FAILED, cause, labels),
        )

    async def heartbeat(self, token: str, tenant_id: str) -> None:
        """Somebody still works on it. Raises NotFoundError E642: it was given up, so they may stop."""
        row = await self._row(token, tenant_id)
        body = encode(TaskAlive(row["visit"], row["attempt"]))
        await self._store.transact([Signal(row["run_id"], self._clock.new_id("beat"), body)])

    async def _answer(self, row: dict[str, Any], body: TaskAnswered) -> None:
        # The first answer counts: it takes the row away, so the next one finds nobody waiting.
        key = row["token_hash"]
        signal = Signal(row["run_id"], f"task:{key[:32]}", encode(body))
        try:
            await self._store.transact([Delete(COLLECTION.name, (key,), {"run_id": row["run_id"]}), signal])
        except ConditionError as error:
            raise _nobody() from error

    async def _row(self, token: str, tenant_id: str) -> dict[str, Any]:
        row = await self._store.get(COLLECTION.name, (token_hash(token),))
        if row is None or row["tenant_id"] != tenant_id:
            raise _nobody()
        return row

    async def take(
        self, activity: str, tenant_id: str, worker: str = "", *, wait_s: float = 0.0
    ) -> ActivityTask | None:
        """The oldest task of an activity, for this worker alone; None when there is none within `wait_s` seconds."""
        until = self._clock.monotonic() + wait_s
        while True:
            page = await self._store.query(COLLECTION.name, "by_activity", (tenant_id, activity), limit=8)
            for row in page.items:
                taken = {k: v for k, v in row.items() if k not in ("queued_ts", "token", "input")}
                put = Put(COLLECTION.name, {**taken, "worker": worker}, {"queued_ts": row["queued_ts"]})
                try:
                    await self._store.transact([put])
                except ConditionError:
                    continue
                return ActivityTask(row["token"], activity, row["input"], row["run_id"], row["state"])
            if self._clock.monotonic() >= until:
                return None
            await self._clock.sleep(POLL_S)


def _nobody() -> NotFoundError:
    return NotFoundError(
        "nobody waits for an answer with this task token",
        code="E642",
        help="it was answered already, its time ran out, or its workflow was stopped",
    )
