"""Tenant envelopes: one shared row a tenant, reserved from when a run is created, given back when it ends.

Money is held in whole nano-dollars so that stores can add and compare it in one conditional write.
"""

from __future__ import annotations

from decimal import Decimal

from remit.core.budget import NANO, Budget
from remit.core.errors import BudgetError
from remit.core.run import Run
from remit.engine.kit import Kit
from remit.ports.store import Add, Collection, Put, Write

ENVELOPE = "envelope"
UNLIMITED = 2**62
COLLECTION = Collection(ENVELOPE, ("tenant_id",))


def nano(money: Decimal) -> int:
    """Whole nano-dollars, rounded up: a reservation is never smaller than what it is for."""
    return -int(-money // NANO)


async def set_limit(
    kit: Kit, tenant_id: str, *, max_cost_usd: Decimal | None, max_tokens: int | None = None
) -> None:
    """Give a tenant an envelope, or replace it (what runs hold now is not counted against the new one)."""
    item = {
        "tenant_id": tenant_id,
        "nano_usd_left": UNLIMITED if max_cost_usd is None else nano(max_cost_usd),
        "tokens_left": UNLIMITED if max_tokens is None else max_tokens,
        "counts_tokens": int(max_tokens is not None),
        "generation": kit.clock.new_id("env"),
    }
    await kit.store.transact([Put(ENVELOPE, item)])


async def take(kit: Kit, tenant_id: str, budget: Budget) -> tuple[str, list[Write]]:
    """The envelope's generation and the write that reserves a root run's whole budget; empty if there is no envelope."""
    row = await kit.store.get(ENVELOPE, (tenant_id,))
    if row is None:
        return "", []
    if budget.max_cost_usd is None:
        raise _unbounded(tenant_id, "max_cost_usd")
    if budget.max_tokens is None and row["counts_tokens"]:
        raise _unbounded(tenant_id, "max_tokens")
    hold = {"nano_usd_left": -nano(budget.max_cost_usd)}
    if budget.max_tokens is not None:
        hold["tokens_left"] = -budget.max_tokens
    return str(row["generation"]), [Add(ENVELOPE, (tenant_id,), hold, dict.fromkeys(hold, 0))]


def _unbounded(tenant_id: str, limit: str) -> BudgetError:
    return BudgetError(
        f"tenant `{tenant_id}` has an envelope and the run has no `{limit}`",
        code="E505",
        help=f"set `{limit}` in the policy profile or the task's constraints",
    )


async def give_back(kit: Kit, run: Run) -> list[Write]:
    """The write that returns what a root run did not spend; nothing if the envelope was replaced since."""
    tenant_id, budget = run.task.tenant_id, run.budget
    if not run.start.envelope or budget.max_cost_usd is None:
        return []
    row = await kit.store.get(ENVELOPE, (tenant_id,))
    if row is None or row["generation"] != run.start.envelope:
        return []
    rest = {"nano_usd_left": nano(budget.max_cost_usd) - nano(run.usage.cost_usd)}
    if budget.max_tokens is not None:
        rest["tokens_left"] = budget.max_tokens - run.usage.tokens
    return [Add(ENVELOPE, (tenant_id,), rest)]
