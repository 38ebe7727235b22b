"""Timelines of runs: everything there is to see of a run's steps at once, made for a bounded time a request."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from remit.core.steps import StepRow
from remit.core.timeline import Overview
from remit.engine.stepping import Stepping, Whole
from remit.ports.clock import Clock
from remit.ports.store import RunHead

FOR_S = 0.7
"""Seconds for which one request reads on in a journal."""

DEEPEST = 8
"""Runs, one within the other, in which the cause of a failure is looked for."""


class Place(Struct, frozen=True):
    """A step of a run of the family that a failure came through."""

    run_id: str
    agent: str
    seq: int
    step: str
    kind: str
    name: str
    problem: str


class RunTimeline(Struct, frozen=True):
    """All steps of a run as far as its journal has been read: up to event `seq` of `head_seq`.

    `complete` is false while there is more to read (ask again), and for good where `left_out` says that the run has more
    steps than are kept in view; pages of `steps` show those too. `path` leads from the step that ended a failed run, else
    from the first that went wrong, through the runs of the agents it was asked of down to where it happened.
    """

    run_id: str
    seq: int
    head_seq: int
    complete: bool
    left_out: bool
    ended: bool
    overview: Overview
    path: tuple[Place, ...] = ()


class Timelines:
    """The timelines of the runs of all tenants."""

    def __init__(self, stepping: Stepping, clock: Clock) -> None:
        self._stepping = stepping
        self._clock = clock

    async def show(
        self, run_id: str, tenant_id: str, *, buckets: int = 120, for_s: float = FOR_S
    ) -> RunTimeline:
        """The timeline of a run. Raises NotFoundError."""
        head, whole = await self._stepping.whole(run_id, tenant_id, for_s=for_s)
        made = await self._overview(head, whole, buckets)
        fold = whole.fold
        failed = fold.finished is not None and fold.finished.status == "failure"
        cause = made.cause if failed else made.first_bad
        return RunTimeline(
            run_id=run_id,
            seq=fold.seq,
            head_seq=max(head.seq, fold.seq),
            complete=fold.seq >= head.seq,
            left_out=whole.full,
            ended=fold.finished is not None,
            overview=made,
            path=await self._path(run_id, tenant_id, fold.agent, cause),
        )

    async def _overview(self, head: RunHead, whole: Whole, buckets: int) -> Overview:
        """In a thread, for 100,000 rows take a while; the lock keeps the fold as it is meanwhile."""
        async with whole.lock:
            fold = whole.fold
            running = fold.finished is None and fold.working > 0 and fold.seq >= head.seq
            ended = max(self._clock.now(), fold.last_ts) if running else fold.last_ts
            return await asyncio.to_thread(
                whole.sketch.overview, fold.rows, fold.gaps, fold.usage, fold.started_ts, ended, buckets
            )

    async def _path(
        self, run_id: str, tenant_id: str, agent: str, cause: StepRow | None
    ) -> tuple[Place, ...]:
        path: list[Place] = []
        while cause is not None and len(path) < DEEPEST:
            path.append(Place(run_id, agent, cause.seq, cause.step, cause.kind, cause.name, cause.problem))
            if not cause.child_run:
                break
            run_id, agent = cause.child_run, cause.lane
            head, whole = await self._stepping.whole(run_id, tenant_id, for_s=FOR_S / 4)
            cause = (await self._overview(head, whole, 1)).cause
        return tuple(path)
