"""Tenant envelopes: one shared row a tenant, reserved from when a run is created, given back when it ends.

Money is held in whole nano-dollars so that stores can add and compare it in one conditional write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from remit.core.budget import NANO, Budget
from remit.core.errors import BudgetError, ConditionError
from remit.core.run import Run
from remit.engine.kit import Kit
from remit.engine.shared_state import EXPIRING, STATE, YES
from remit.ports.store import Add, Collection, Put, Records, Write

ENVELOPE = "envelope"
UNLIMITED = 2**62
COLLECTION = Collection(ENVELOPE, ("tenant_id",))

NEAR = Decimal("0.8")
"""The share of a limit that may be used and held before it is said to be near."""

HELD, USED = "nano_usd_held", "nano_usd_used"
"""Of an envelope that was set since they are kept: what live runs hold of it, and what ended ones have used."""


WATCH = Decimal("0.7")
"""The share of a limit from which on a budget is watched."""

WATCHED, WATCHED_MS = "budget-alerts", 40 * 86_400_000
"""Where the budgets that are watched stand beside the shared state, and for how long after a run of theirs has ended."""

REFUSED = "refused"
"""Whether a task was refused which asked for more than is left by what ended runs have used: 0 until then."""


class Envelope(Struct, frozen=True):
    """A tenant's envelope as it stands. Money in US dollars; None: no limit, or not known of one set by an older version.

    `reserved` is what live runs hold, `used` what ended ones have used since it was set. `near_limit`: at least 80 per cent of
    the money or of the tokens are reserved or used.
    """

    tenant_id: str
    limit_usd: Decimal | None
    reserved_usd: Decimal | None
    used_usd: Decimal | None
    left_usd: Decimal | None
    limit_tokens: int | None
    reserved_tokens: int | None
    used_tokens: int | None
    left_tokens: int | None
    near_limit: bool


Shown = list[Envelope]


def shown(row: Mapping[str, Any]) -> Envelope:
    """An envelope's record for a reader."""
    money = {name: row.get(f"nano_usd_{name}") for name in _AMOUNTS}
    tokens = {name: row.get(f"tokens_{name}") for name in _AMOUNTS}
    if row["nano_usd_left"] >= UNLIMITED // 2:
        money["left"] = None
    if not row["counts_tokens"]:
        tokens["left"] = None
    limit, held, used, left = (None if m is None else max(0, m) * NANO for m in money.values())
    counts = {name: None if amount is None else max(0, amount) for name, amount in tokens.items()}
    return Envelope(
        row["tenant_id"],
        limit,
        held,
        used,
        left,
        counts["limit"],
        counts["held"],
        counts["used"],
        counts["left"],
        _near(money) or _near(tokens),
    )


_AMOUNTS = ("limit", "held", "used", "left")


def _near(amounts: Mapping[str, int | None]) -> bool:
    limit, left = amounts["limit"], amounts["left"]
    return limit is not None and left is not None and limit - left >= NEAR * limit


class Envelopes:
    """The envelopes of all tenants, to look at."""

    def __init__(self, store: Records) -> None:
        self._store = store

    async def get(self, tenant_id: str) -> Envelope | None:
        """A tenant's, or None."""
        row = await self._store.get(ENVELOPE, (tenant_id,))
        return None if row is None else shown(row)

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> tuple[Shown, str | None]:
        """A page of those of all tenants, by name, and the cursor of the next: for who runs the deployment alone."""
        page = await self._store.query(ENVELOPE, "", (), limit=limit, cursor=cursor)
        return [shown(row) for row in page.items], page.cursor


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
        **dict.fromkeys((HELD, USED, "tokens_held", "tokens_used", REFUSED), 0),
    }
    if max_cost_usd is not None:
        item["nano_usd_limit"] = nano(max_cost_usd)
    if max_tokens is not None:
        item["tokens_limit"] = max_tokens
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
    kept = {name.replace("_left", "_held"): -amount for name, amount in hold.items()} if HELD in row else {}
    return str(row["generation"]), [Add(ENVELOPE, (tenant_id,), {**hold, **kept}, dict.fromkeys(hold, 0))]


async def note_refused(kit: Kit, tenant_id: str, budget: Budget) -> None:
    """Remember, the first time, that a task was refused which there is too little for even when no other run holds any.

    That another one remembers it at the same time does no harm.
    """
    row = await kit.store.get(ENVELOPE, (tenant_id,))
    if row is None or row.get(REFUSED) != 0:
        return
    wanted = {"nano_usd": nano(budget.max_cost_usd or Decimal(0)), "tokens": budget.max_tokens or 0}
    if any(row[f"{unit}_left"] + row[f"{unit}_held"] < amount for unit, amount in wanted.items()):
        with contextlib.suppress(ConditionError):  # the envelope is gone
            await kit.store.transact([Add(ENVELOPE, (tenant_id,), {REFUSED: 1}), watched(kit, tenant_id)])


def watched(kit: Kit, tenant_id: str) -> Put:
    """The record by which whoever tells of budgets finds this one, without looking through all of them."""
    item = {
        "place": WATCHED,
        "key": tenant_id,
        "scope": WATCHED,
        "version": 1,
        EXPIRING: YES,
        "expires_ts": kit.clock.now() + WATCHED_MS,
    }
    return Put(STATE, item)


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
    if HELD in row:
        rest |= {
            HELD: -nano(budget.max_cost_usd),
            USED: nano(run.usage.cost_usd),
            "tokens_used": run.usage.tokens,
        }
        rest["tokens_held"] = -(budget.max_tokens or 0)
    given: Write = Add(ENVELOPE, (tenant_id,), rest)
    return [given, watched(kit, tenant_id)] if _to_watch(row, run) else [given]


def _to_watch(row: Mapping[str, Any], run: Run) -> bool:
    """Whether a budget may soon be said to be near its limit. Early, since runs that end together do not see each other."""
    used = {"nano_usd": nano(run.usage.cost_usd), "tokens": run.usage.tokens}
    return any(
        f"{unit}_limit" in row and row[f"{unit}_used"] + more >= WATCH * row[f"{unit}_limit"]
        for unit, more in used.items()
        if f"{unit}_used" in row
    )
