"""Remit's own events: a run that ended, and an approval that was asked for, in the transaction that makes them so (F3).

They are published only where somebody may want them: a subscription of the tenant, or a run that waits. Who that is is
remembered for a second, so that an event in the second after the first such rule was written may not be published.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from remit.core.approval import Approval
from remit.core.cloudevent import CloudEvent
from remit.core.codec import digest_of, encode
from remit.core.errors import InputError
from remit.core.rule import hops_of
from remit.core.run import Finished, Run
from remit.engine.bus.publishing import Publisher
from remit.engine.bus.records import AGENTS, WAIT, said_of
from remit.engine.bus.subscriptions import Matching, Subscriptions
from remit.ports.clock import Clock
from remit.ports.store import Records, Write

log = logging.getLogger("remit.bus")

SUCCEEDED, FAILED = "remit.run.succeeded", "remit.run.failed"
REQUESTED = "remit.approval.requested"

TYPES = (SUCCEEDED, FAILED, REQUESTED)

REMEMBERED_MS = 1000
MOST_PAYLOAD = 65_536
"""Bytes of a result that an event carries itself; of a larger one it says where it is."""

MOST_REMEMBERED = 4096


class Seen(NamedTuple):
    """Who wants the events of a tenant's runs, as it was seen at `ts`."""

    ts: int
    matching: Matching
    wanted: frozenset[str]


class Announcer:
    """Writes the events of runs, to ride in the runs' own transactions. `look` first, then ask: nothing waits in between."""

    def __init__(
        self, store: Records, clock: Clock, subscriptions: Subscriptions, publisher: Publisher
    ) -> None:
        self._store = store
        self._clock = clock
        self._subscriptions = subscriptions
        self._publisher = publisher
        self._seen: dict[str, Seen] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def look(self, tenant_id: str) -> None:
        """See who wants events of a tenant's runs, unless that was seen within the last second. Raises StoreError."""
        now = self._clock.now()
        seen = self._seen.get(tenant_id)
        if seen is not None and 0 <= now - seen.ts < REMEMBERED_MS:
            return
        looking = self._looking.get(tenant_id)
        if looking is None:  # one looks for all: a thousand calls of a run may come here at once
            looking = self._looking[tenant_id] = asyncio.create_task(self._see(tenant_id, now))
            looking.add_done_callback(lambda _: self._looking.pop(tenant_id, None))
        await asyncio.shield(looking)

    async def _see(self, tenant_id: str, now: int) -> None:
        try:
            matching = await self._subscriptions.of(tenant_id)
        except InputError as error:  # a subscription that this program cannot read is no reason to stop runs
            log.error("events of the runs of tenant %s are not published: %s", tenant_id, error)
            matching = Matching([])
        waited = [type_ for type_ in TYPES if await self._is_waited_for(tenant_id, type_)]
        wanted = frozenset(type_ for type_ in TYPES if type_ in waited or matching.might_want(type_))
        if len(self._seen) >= MOST_REMEMBERED:
            self._seen.clear()
        self._seen[tenant_id] = Seen(now, matching, wanted)

    def finished(self, run: Run, finished: Finished, payload: Any) -> list[Write]:
        """The event that a run ended, if anybody wants it. `payload` is its result, already clean."""
        type_ = SUCCEEDED if finished.status == "success" else FAILED
        if not self._is_wanted(run, type_):
            return []
        small = len(encode(payload)) <= MOST_PAYLOAD
        problem = finished.problem
        data = {
            "run_id": run.run_id,
            "agent": run.agent.name,
            "status": finished.status,
            "result_payload": payload if small else None,
            "result_ref": "" if small else f"run:{run.run_id}",
            "problem": {"code": problem.code, "message": problem.message} if problem else None,
            "parent_run": run.start.parent_run,
            "task_id": run.task.task_id,
            "session_id": run.task.session_id,
        }
        return self._writes(run, [(f"{run.run_id}/ended", type_, data)])

    def requested(self, run: Run, approvals: Sequence[Approval]) -> list[Write]:
        """The events that people are asked, if anybody wants them."""
        if not approvals or not self._is_wanted(run, REQUESTED):
            return []
        return self._writes(run, [(a.approval_id, REQUESTED, _asked(run, a)) for a in approvals])

    def _writes(self, run: Run, said: Sequence[tuple[str, str, dict[str, Any]]]) -> list[Write]:
        actor = run.task.actor_context
        events = [
            CloudEvent(
                id=id_,
                source=AGENTS + run.agent.name,
                type=type_,
                data=data,
                subject=run.run_id,
                partitionkey=run.start.root_run or run.run_id,
                traceparent=traceparent(run.task.trace_id, run.run_id),
                hops=hops_of(actor.via),
                extensions=said_of(run.run_id, actor.origin, run.labels),
            )
            for id_, type_, data in said
        ]
        tenant_id = run.task.tenant_id
        try:
            return self._publisher.riding(tenant_id, self._seen[tenant_id].matching, events)
        except InputError as error:  # nor is an agent whose name no event can carry
            log.error("an event of run %s is not published: %s", run.run_id, error)
            return []

    def _is_wanted(self, run: Run, type_: str) -> bool:
        seen = self._seen.get(run.task.tenant_id)
        return seen is not None and type_ in seen.wanted

    async def _is_waited_for(self, tenant_id: str, type_: str) -> bool:
        return bool((await self._store.query(WAIT, "", (tenant_id, type_), limit=1)).items)


def _asked(run: Run, approval: Approval) -> dict[str, Any]:
    return {
        "approval_id": approval.approval_id,
        "run_id": run.run_id,
        "agent": run.agent.name,
        "tool": approval.tool,
        "risk_level": approval.risk_level,
        "approver_roles": list(approval.approver_roles),
        "explanation": approval.explanation,
        "expires_ts": approval.expires_ts,
    }


def traceparent(trace_id: str, span: str) -> str:
    """The W3C trace context of something that a run does; empty when the run has no trace of 32 hex digits."""
    if len(trace_id) != 32 or not set(trace_id) <= set("0123456789abcdef"):
        return ""
    return f"00-{trace_id}-{digest_of(span).removeprefix('sha256:')[:16]}-01"
