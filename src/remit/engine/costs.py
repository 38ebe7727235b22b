"""What runs have cost, by agent, model, workflow, tenant and day: a roll-up that is kept, so that no question reads runs.

A run that ends hands in one entry, in the transaction of its last event: so there is one for each run that ended, and never two,
whoever is killed when. Entries wait in one of `SHARDS` parts, so that runs which end together do not write one record. Whoever
works folds them in: the sums of some entries and the removal of these, in one transaction. Of two who fold the same entries one
is refused, and has changed nothing.

A run's own cost counts for its agent and for its models, so that the lines add up; what its children cost counts with them. A
workflow's line has what it called besides. Costs count when a run ends, by the quarter of an hour in UTC and by the day in UTC: out of
quarters the days of every time zone can be made.

Runs that ended before there was a roll-up (`AgentRun.counted` says so) are filled in from their journals, a tenant at a time.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from remit.core.budget import NANO, ZERO, Usage
from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, RemitError
from remit.core.run import Run
from remit.engine import loading
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Add, Collection, Delete, Put, Store, Write

COST = "cost"
COLLECTION = Collection(COST, ("part", "slot", "name"))

By = Literal["agent", "model", "workflow", "day", "tenant"]

QUARTER_MS, DAY_MS = 15 * 60_000, 24 * 3_600_000
SHARDS = 8
PORTION = 25
"""Entries folded in one transaction at most."""

MOST_ITEMS = 80
"""Items of one transaction at most: DynamoDB takes a hundred."""

KNOWN = 20_000
"""Sums that are remembered to be there, so that they need not be looked up before something is added."""

FILLED_AT_ONCE = 8
LOOKED_AT = 200
"""Runs that one step fills in at most, and those that it looks at where few are to be filled in."""

FILLING_S = 10.0
"""For how long one tick fills in runs of before, in seconds."""

NO_MODEL = "(no model)"
"""The line of what tools have used by themselves."""

log = logging.getLogger("remit.costs")


class Sums(Struct, frozen=True):
    """What some runs have used. Money is in nano-dollars, whole, so that stores can add it."""

    nano_usd: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    runs: int = 0
    failed: int = 0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*(getattr(self, f) + getattr(other, f) for f in self.__struct_fields__))

    @property
    def cost_usd(self) -> Decimal:
        """The money in dollars."""
        return self.nano_usd * NANO if self.nano_usd else ZERO


class Entry(Struct, frozen=True):
    """What one run hands in when it has ended: `own` by model, `below` what its children used."""

    tenant_id: str
    run_id: str
    ended_ts: int
    agent: str
    workflow: bool
    failed: bool
    own: dict[str, Usage]
    below: Usage


Slot = tuple[str, int, str]
"""The key of a sum: its part (what by, how finely, whose), the time where it begins, and the name."""


def entry(run: Run, ended_ts: int, status: str) -> Put:
    """The record by which a run that ends hands in what it cost."""
    made = Entry(
        run.task.tenant_id,
        run.run_id,
        ended_ts,
        run.agent.name,
        run.workflow is not None,
        status != "success",
        run.spent,
        run.below,
    )
    key = {"part": f"pending/{_shard(run.run_id)}", "slot": ended_ts, "name": run.run_id}
    return Put(COST, {**key, **plain(made)})


def part(by: str, grain: Literal["quarter", "day"], tenant_id: str) -> str:
    """The first part of the key of sums; the tenant comes last, so that none can name another's."""
    return f"{by}/{grain}/{tenant_id}"


def sums_of(usage: Usage, *, failed: bool = False) -> Sums:
    """A run's usage as sums."""
    return Sums(
        int((usage.cost_usd / NANO).to_integral_value()),
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.model_calls,
        usage.tool_calls,
        1,
        int(failed),
    )


def shares(made: Entry) -> Iterator[tuple[Slot, Sums]]:
    """What an entry adds to which sums."""
    own = _together(made.own.values())
    total = sums_of(own, failed=made.failed)
    lines = [("total", "total", made.tenant_id, total), ("agent", made.agent, made.tenant_id, total)]
    lines += [
        ("model", name or NO_MODEL, made.tenant_id, sums_of(usage, failed=made.failed))
        for name, usage in made.own.items()
        if name or usage.cost_usd or usage.tokens
    ]
    if made.workflow:
        whole = sums_of(_together([own, made.below]), failed=made.failed)
        lines.append(("workflow", made.agent, made.tenant_id, whole))
    lines.append(("tenant", made.tenant_id, "", total))
    for by, name, tenant_id, sums in lines:
        yield (part(by, "quarter", tenant_id), made.ended_ts // QUARTER_MS * QUARTER_MS, name), sums
        yield (part(by, "day", tenant_id), made.ended_ts // DAY_MS * DAY_MS, name), sums


class Costs:
    """The roll-up of all tenants: folds entries in, and fills in runs of before."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[Slot, None] = OrderedDict()
        self._met: set[str] = set()
        self._first = 0

    # folding

    async def fold(self) -> int:
        """Fold some entries of each part in; how many. Raises StoreError."""
        folded = 0
        self._first = (self._first + 1) % SHARDS
        for number in range(SHARDS):
            folded += await self._fold(f"pending/{(self._first + number) % SHARDS}")
        return folded

    async def waiting(self, most: int = 200) -> int:
        """How many entries wait to be folded in; at most `most` are counted in each part."""
        pages = [self._store.query(COST, "", (f"pending/{n}",), limit=most) for n in range(SHARDS)]
        return sum(len(page.items) for page in await asyncio.gather(*pages))

    async def _fold(self, pending: str) -> int:
        page = await self._store.query(COST, "", (pending,), limit=PORTION)
        sums: dict[Slot, Sums] = {}
        gone: list[Write] = []
        tenants: set[str] = set()
        for item in page.items:
            made = convert(item, Entry)
            more = dict(shares(made))
            if len(gone) + 1 + len(sums.keys() | more.keys()) > MOST_ITEMS and gone:
                break
            for slot, share in more.items():
                sums[slot] = sums.get(slot, Sums()).plus(share)
            key = (item["part"], item["slot"], item["name"])
            gone.append(Delete(COST, key, {"run_id": made.run_id}))
            tenants.add(made.tenant_id)
        if not gone:
            return 0
        try:
            await self._store.transact([*gone, *await self._sums(sums)])
        except ConditionError:
            # Somebody else folds these, or made a sum of that was not there: nothing was written, and they wait on.
            self._forget(sums)
            return 0
        self._remember(sums)
        for tenant_id in tenants:
            await self.meet(tenant_id)
        return len(gone)

    async def _sums(self, sums: dict[Slot, Sums]) -> list[Write]:
        new = [slot for slot in sums if slot not in self._known]
        there = await asyncio.gather(*(self._store.get(COST, slot) for slot in new))
        absent = {slot for slot, found in zip(new, there, strict=True) if found is None}
        return [_put(slot, s) if slot in absent else Add(COST, slot, plain(s)) for slot, s in sums.items()]

    def _remember(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._known[slot] = None
            self._known.move_to_end(slot)
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)

    def _forget(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._known.pop(slot, None)

    # runs of before

    async def meet(self, tenant_id: str) -> None:
        """Have a tenant's runs of before filled in, if nobody has asked for that yet."""
        if tenant_id in self._met:
            return
        self._met.add(tenant_id)
        if await self._store.get(COST, ("filled", 0, tenant_id)) is None:
            try:
                await self._store.transact([Put(COST, _walk(tenant_id, ""), ABSENT)])
            except ConditionError:
                return

    async def recount(self, tenant_id: str) -> None:
        """Look through a tenant's runs once more for any that were not counted, e.g. that a worker of an older version ended."""
        await self._store.transact([Delete(COST, ("filled", 0, tenant_id)), Put(COST, _walk(tenant_id, ""))])
        self._met.add(tenant_id)

    async def filling(self, tenant_id: str) -> bool:
        """Whether a tenant's runs of before are not all filled in yet."""
        return await self._store.get(COST, ("filling", 0, tenant_id)) is not None

    async def fill(self) -> int:
        """Fill in runs of before for a while; always 0, for there is no hurry: the next tick goes on. Raises StoreError."""
        began = self._clock.monotonic()
        while self._clock.monotonic() - began < FILLING_S:
            page = await self._store.query(COST, "", ("filling",), limit=1)
            if not page.items or not await self._fill(page.items[0]):
                return 0
        return 0

    async def fill_for(self, tenant_id: str) -> bool:
        """One step of a tenant's walk. False when there is none, or somebody else took it. Raises StoreError."""
        walk = await self._store.get(COST, ("filling", 0, tenant_id))
        return walk is not None and await self._fill(walk)

    async def _fill(self, walk: dict[str, Any]) -> bool:
        """One step of a walk. False when somebody else took it."""
        tenant_id, cursor = walk["name"], walk["cursor"]
        page = await self._store.query(
            "agent_run", "by_tenant", (tenant_id,), limit=LOOKED_AT, cursor=cursor or None
        )
        if sum(_lacks(row) for row in page.items) > FILLED_AT_ONCE:
            page = await self._store.query(
                "agent_run", "by_tenant", (tenant_id,), limit=FILLED_AT_ONCE, cursor=cursor or None
            )
        writes: list[Write] = []
        for row in page.items:
            if _lacks(row):
                writes += await self._counted(row)
        if page.cursor is None:
            writes += [
                Delete(COST, ("filling", 0, tenant_id), {"cursor": cursor}),
                Put(COST, {"part": "filled", "slot": 0, "name": tenant_id}),
            ]
        else:
            writes.append(Put(COST, _walk(tenant_id, page.cursor), {"cursor": cursor}))
        try:
            await self._store.transact(writes)
        except ConditionError:
            return False
        return True

    async def _counted(self, row: dict[str, Any]) -> list[Write]:
        """The entry of a run of before, and the mark that it is made."""
        try:
            run, _ = await loading.load(self._store, row["run_id"])
        except RemitError as error:
            log.warning("the cost of run %s cannot be read: %s", row["run_id"], error)
            return []
        mark = Put(
            "agent_run", {**row, "counted": True}, {"counted": row.get("counted"), "status": row["status"]}
        )
        return [entry(run, row["end_ts"], row["status"]), mark]


def _lacks(row: dict[str, Any]) -> bool:
    """Whether a run has ended and was not counted."""
    return row["end_ts"] is not None and not row.get("counted")


def _walk(tenant_id: str, cursor: str) -> dict[str, Any]:
    """How far the filling in of a tenant's runs has come."""
    return {"part": "filling", "slot": 0, "name": tenant_id, "cursor": cursor}


def _put(slot: Slot, sums: Sums) -> Put:
    return Put(COST, {"part": slot[0], "slot": slot[1], "name": slot[2], **plain(sums)}, ABSENT)


def _together(usages: Iterable[Usage]) -> Usage:
    whole = Usage()
    for usage in usages:
        whole = whole.plus(usage)
    return whole


def _shard(run_id: str) -> int:
    return zlib.crc32(run_id.encode()) % SHARDS
