"""The runs below a run, and what each agent's part of the cost is."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any

from msgspec import Struct

from remit.core.budget import ZERO
from remit.engine.stepping import Stepping
from remit.ports.store import Store

MOST_SHARED = 500
"""Runs of one family whose cost is told apart."""


class FamilyRun(Struct, frozen=True):
    """A run that another one handed part of its task to. `cost_usd` includes what is below it; `step` is the parent's."""

    run_id: str
    parent_run: str
    step: str
    agent: str
    objective: str
    status: str
    cost_usd: Decimal
    started_ts: int | None
    ended_ts: int | None
    max_cost_usd: Decimal | None = None


class AgentShare(Struct, frozen=True):
    """What the runs of one agent cost by themselves, without what is below them."""

    agent: str
    runs: int
    cost_usd: Decimal


class FamilyPage(Struct, frozen=True):
    """The runs directly below a run, in the order of their steps; `cursor` of the next page, or null at the end.

    `shares` come with the first page: those of the run and of all that is below it at any depth, of at most 500 runs,
    `shared_runs` of them; `shares_complete` says whether these are all.
    """

    items: list[FamilyRun]
    cursor: str | None = None
    shares: tuple[AgentShare, ...] = ()
    shared_runs: int = 0
    shares_complete: bool = True


class Families:
    """The families of the runs of all tenants. Reads only, and only by key and index."""

    def __init__(self, store: Store, stepping: Stepping) -> None:
        self._store = store
        self._stepping = stepping

    async def show(
        self, run_id: str, tenant_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> FamilyPage:
        """The runs directly below a run. Raises NotFoundError."""
        head = await self._stepping.head(run_id, tenant_id)
        items, following = await self._below(run_id, limit, cursor)
        if cursor is not None:
            return FamilyPage(items, following)
        shares, counted, complete = await self._shares(run_id, head.agent)
        return FamilyPage(items, following, shares, counted, complete)

    async def _below(
        self, run_id: str, limit: int, cursor: str | None = None
    ) -> tuple[list[FamilyRun], str | None]:
        page = await self._store.query("agent_handoff", "by_run", (run_id,), limit=limit, cursor=cursor)
        return [await self._run(item) for item in page.items], page.cursor

    async def _run(self, handoff: dict[str, Any]) -> FamilyRun:
        row = await self._store.get("agent_run", (handoff["child_run"],)) or {}
        most = handoff["constraints"]["budget"]["max_cost_usd"]
        return FamilyRun(
            run_id=handoff["child_run"],
            parent_run=handoff["run_id"],
            step=handoff["handoff_id"].rpartition("/")[2],
            agent=handoff["to_agent"],
            objective=handoff["objective"][:200],
            status=row.get("status", "running"),
            cost_usd=Decimal(row.get("cost", "0")),
            started_ts=row.get("start_ts"),
            ended_ts=row.get("end_ts"),
            max_cost_usd=None if most is None else Decimal(most),
        )

    async def _shares(self, run_id: str, agent: str) -> tuple[tuple[AgentShare, ...], int, bool]:
        row = await self._store.get("agent_run", (run_id,)) or {}
        waiting = deque([(run_id, agent, Decimal(row.get("cost", "0")))])
        runs: dict[str, int] = {}
        costs: dict[str, Decimal] = {}
        counted = 0
        while waiting and counted < MOST_SHARED:
            parent, name, cost = waiting.popleft()
            children, more = await self._below(parent, MOST_SHARED)
            own = cost - sum((c.cost_usd for c in children if c.ended_ts is not None), ZERO)
            runs[name] = runs.get(name, 0) + 1
            costs[name] = costs.get(name, ZERO) + max(own, ZERO)
            counted += 1
            waiting.extend((c.run_id, c.agent, c.cost_usd) for c in children)
            if more is not None:
                break
        shares = [AgentShare(name, runs[name], costs[name]) for name in runs]
        shares.sort(key=lambda share: (-share.cost_usd, share.agent))
        return tuple(shares), counted, not waiting
