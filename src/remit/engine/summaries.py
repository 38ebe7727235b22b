"""Runs in short: what a reader wants to know of a run at once, from its record and its first and last events alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from remit.core import event as ev
from remit.core.approval import OPEN, Approval
from remit.core.budget import Budget
from remit.core.codec import decode
from remit.core.definition import DefinitionUsed
from remit.core.errors import StoreError
from remit.core.payload import load
from remit.core.task import Problem, Task
from remit.core.view import RunStatus
from remit.engine import loading
from remit.engine.kit import Kit
from remit.engine.stepping import event_of
from remit.ports.store import RunHead

MOST_APPROVALS = 200
"""Approvals of one run that are looked through for open ones."""

Approvals = list[Approval]


class RunSummary(Struct, frozen=True):
    """A run without its steps. `kind` is the agent's; `cost_usd` is up to date when the run waits or has ended.

    `open_approvals` counts those that wait for a person among the newest 200 of the run.
    """

    run_id: str
    tenant_id: str
    agent: str
    kind: Literal["llm", "code", "workflow"]
    status: RunStatus
    task: Task
    seq: int
    created_ts: int
    ended_ts: int | None
    budget: Budget
    cost_usd: Decimal
    payload: Any = None
    problem: Problem | None = None
    waiting_on: tuple[str, ...] = ()
    open_approvals: int = 0
    parent_run: str = ""
    parent_step: str = ""
    root_run: str = ""
    depth: int = 0
    forked_from: str = ""
    execution: str = ""
    definitions: tuple[DefinitionUsed, ...] = ()


class Summaries:
    """The runs of all tenants in short. Reads only."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def show(self, run_id: str, tenant_id: str) -> RunSummary:
        """A run in short. Raises NotFoundError."""
        head = await self._kit.store.head(run_id)
        if head is None or head.tenant_id != tenant_id:
            raise loading.missing(run_id)
        start = (await self._event(head, 0)).data
        if not isinstance(start, ev.RunCreated):
            raise StoreError(f"run `{run_id}` has no first event", code="E804")
        row = await self._kit.store.get("agent_run", (run_id,)) or {}
        finished, payload = await self._finished(head)
        # The head of a run that a timer woke says `waiting` until it parks again; its record knows better.
        waits = finished is None and head.status == "waiting" and row.get("status") != "running"
        asked = await self.approvals(run_id) if waits else []
        return RunSummary(
            run_id=run_id,
            tenant_id=tenant_id,
            agent=start.agent.name,
            kind=start.agent.kind,
            status=finished.status if finished is not None else "waiting" if waits else "running",
            task=start.task,
            seq=head.seq,
            created_ts=head.created_ts,
            ended_ts=row.get("end_ts"),
            budget=start.budget,
            cost_usd=Decimal(row.get("cost", "0")),
            payload=payload,
            problem=None if finished is None else finished.problem,
            waiting_on=tuple(row.get("waiting_on", ())) if waits else (),
            open_approvals=sum(a.status in OPEN for a in asked),
            parent_run=start.parent_run,
            parent_step=start.parent_step,
            root_run=start.root_run,
            depth=start.depth,
            forked_from=start.forked_from,
            execution=start.execution,
            definitions=start.definitions,
        )

    async def approvals(self, run_id: str, *, limit: int = MOST_APPROVALS) -> Approvals:
        """The newest approvals of a run, at most `limit`, oldest first. The caller knows that the run is the tenant's."""
        page = await self._kit.store.query(
            "approval_event", "by_run", (run_id,), descending=True, limit=limit
        )
        return [decode(item["approval"], Approval) for item in reversed(page.items)]

    async def _finished(self, head: RunHead) -> tuple[ev.RunFinished | None, Any]:
        """How the run ended, and with what, if it has."""
        if head.status != "ended":
            return None, None
        data = (await self._event(head, head.seq)).data
        if not isinstance(data, ev.RunFinished):
            return None, None
        ref = data.payload.ref
        return data, load(data.payload, await self._kit.store.contents([ref]) if ref else {})

    async def _event(self, head: RunHead, seq: int) -> ev.Event:
        entries = await self._kit.store.read(head.run_id, after=seq - 1, limit=1)
        if not entries:
            raise StoreError(
                f"event {seq} of run `{head.run_id}` is missing",
                code="E805",
                help=f"run `remit runs verify {head.run_id}`",
            )
        return event_of(head.run_id, entries[0])
