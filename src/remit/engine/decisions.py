"""The decision log: what policy said of the calls that runs made, newest first.

It is the effect ledger: a call that is let through has its row there anyway, and the few that were refused, or had to wait for a
person, get one that says so and why. So it costs no record more where nothing is held up.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.core.codec import plain
from remit.core.policy import Decision, Verdict
from remit.core.records import PolicyRefusal
from remit.core.run import Run
from remit.engine.ledger_rows import CALL
from remit.ports.store import Page, Put, Records

MOST_LOOKED = 2000
"""Records that one page looks through at most, where a filter leaves most of them out."""

PORTION = 200


class Decided(Struct, frozen=True):
    """One decision. `outcome` is what came of the call so far: done, failed, intended, in_doubt; empty for one not let through.

    `at` is Unix milliseconds. `policies` are the `@id`s that decided; those of calls made by older versions are not known.
    """

    run_id: str
    step: str
    at: int
    agent: str
    resource: str
    kind: str
    verdict: Verdict
    policies: tuple[str, ...] = ()
    reason: str = ""
    outcome: str = ""
    approval_id: str = ""
    policy_version: str = ""


class DecisionLog(Struct, frozen=True):
    """A page of decisions, newest first. It may be short, or empty, and still have a `cursor`: go on with it.

    `looked_at` records were read for it; at most `MOST_LOOKED` are for one page.
    """

    items: list[Decided]
    cursor: str | None
    looked_at: int


class DecisionFilter(Struct, frozen=True):
    """Which decisions; empty and None leave a field open. Times are Unix milliseconds, both ends inclusive."""

    verdict: str = ""
    tool: str = ""
    agent: str = ""
    since: int | None = None
    until: int | None = None

    def has(self, decided: Decided) -> bool:
        """Whether this one is wanted."""
        return (
            self.verdict in ("", decided.verdict)
            and self.tool in ("", decided.resource)
            and self.agent in ("", decided.agent)
        )


def refusal(
    run: Run, step: str, kind: str, resource: str, decision: Decision, now: int, approval_id: str = ""
) -> Put:
    """The record of a decision that does not let a call through. Asked again, after an approval say, it is another one."""
    row = PolicyRefusal(
        call_id=f"{run.run_id}/{step}/{decision.verdict}-{len(run.decisions)}",
        run_id=run.run_id,
        tenant_id=run.task.tenant_id,
        tool_id=resource,
        input_hash="",
        policy_decision=decision.verdict,
        execution_status="held" if approval_id else "refused",
        output_ref="",
        latency_ms=0.0,
        started_ts=now,
        agent_id=run.agent.name,
        policies=decision.policies,
        approval_id=approval_id,
        refused=decision.verdict,
        step=step,
        kind=kind,
        reason=decision.reason[:2000],
        policy_version=decision.policy_version,
    )
    return Put(CALL, plain(row))


class Decisions:
    """The decision logs of all tenants; every question names its tenant."""

    def __init__(self, store: Records) -> None:
        self._store = store

    async def list(
        self,
        tenant_id: str,
        wanted: DecisionFilter = DecisionFilter(),
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> DecisionLog:
        """A page of the log. Raises InputError for a cursor that is none."""
        found: list[Decided] = []
        looked = 0
        while True:
            page = await self._portion(tenant_id, wanted, PORTION, cursor)
            for number, item in enumerate(page.items, 1):
                decided = _decided(item)
                if wanted.has(decided):
                    found.append(decided)
                if len(found) == limit and number < len(page.items):
                    # The same portion, cut off here: so the next page begins with what follows.
                    page = await self._portion(tenant_id, wanted, number, cursor)
                    break
            looked += len(page.items)
            cursor = page.cursor
            if cursor is None or len(found) >= limit or looked >= MOST_LOOKED:
                return DecisionLog(found, cursor, looked)

    async def _portion(self, tenant_id: str, wanted: DecisionFilter, limit: int, cursor: str | None) -> Page:
        refused = wanted.verdict in ("deny", "needs_approval")
        return await self._store.query(
            CALL,
            "by_refusal" if refused else "by_tenant",
            (tenant_id, wanted.verdict) if refused else (tenant_id,),
            lower=wanted.since,
            upper=wanted.until,
            descending=True,
            limit=limit,
            cursor=cursor,
        )


def _decided(item: dict[str, Any]) -> Decided:
    refused = item.get("refused", "")
    return Decided(
        run_id=item["run_id"],
        step=item["step"] if refused else item["call_id"].removeprefix(f"{item['run_id']}/"),
        at=item["started_ts"],
        agent=item.get("agent_id", ""),
        resource=item["tool_id"],
        kind=item.get("kind", "tool"),
        verdict=refused or "allow",
        policies=tuple(item.get("policies", ())),
        reason=item.get("reason", ""),
        outcome="" if refused else item["execution_status"],
        approval_id=item.get("approval_id", ""),
        policy_version=item.get("policy_version", ""),
    )
