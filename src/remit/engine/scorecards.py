"""Scorecards (V11): how well tables and owners keep what was promised, from the run log's daily counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import InputError, NotFoundError
from remit.core.scorecard import DAY_MS, Tallies, scored
from remit.core.validation import Score, Table
from remit.engine.tables import Tables
from remit.engine.validation_days import ValidationDays
from remit.engine.validations import Validations
from remit.ports.clock import Clock

DAYS = 30
MOST_DAYS = 366

AT_ONCE = 8
"""Tables that are looked at side by side."""

MOST_TABLES = 2000
"""Tables that are looked through for owners."""

PAGE = 200


class Scorecard(Struct, frozen=True):
    """Scores over the last `days` days until `until` (Unix milliseconds): tables by id, then owners by name.

    Where it has a `cursor` there are more tables; an owner's line then stands in the list of owners alone.
    """

    days: int
    until: int
    tables: list[Score]
    owners: list[Score]
    cursor: str | None = None


class ScorePage(Struct, frozen=True):
    """A page of scores over the last `days` days until `until` (Unix milliseconds).

    `complete` is false where there are more tables than are looked through for owners: some owner may be missing.
    """

    days: int
    until: int
    items: list[Score]
    cursor: str | None = None
    complete: bool = True


class _Scored(NamedTuple):
    """A table, what came of its rules day by day, and which of them hold."""

    table: Table
    days: Tallies
    active: frozenset[str]

    @property
    def score(self) -> Score:
        line = scored(self.table.table_id, "table", [self.days], active=self.active)
        return replace(line, owner=self.table.owner)


class Scorecards:
    """Makes scorecards of a tenant's active tables."""

    def __init__(
        self, tables: Tables, validations: Validations, counts: ValidationDays, clock: Clock
    ) -> None:
        self._tables = tables
        self._validations = validations
        self._counts = counts
        self._clock = clock

    async def table(self, tenant_id: str, table_id: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of one table, active or not. Raises NotFoundError, InputError."""
        found, until = await self._of(tenant_id, [await self._tables.get(tenant_id, table_id)], days)
        return Scorecard(days, until, [one.score for one in found], [])

    async def owner(self, tenant_id: str, owner: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of an owner and of each of the owner's tables. Raises NotFoundError, InputError."""
        tables = await self._tables.all(tenant_id, owner=owner)
        if not tables:
            raise NotFoundError(
                f"`{owner[:100]}` owns no active table", help="`remit tables list` shows who owns what"
            )
        return await self._whole(tenant_id, tables, days)

    async def all(self, tenant_id: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of every active table and of every owner. Raises InputError."""
        return await self._whole(tenant_id, await self._tables.all(tenant_id), days)

    async def page(
        self, tenant_id: str, *, days: int = DAYS, limit: int = 50, cursor: str | None = None
    ) -> Scorecard:
        """The scorecard of some tables by id, and of every owner where these are all there are. Raises InputError."""
        page = await self._tables.list(tenant_id, limit=limit, cursor=cursor)
        tables = [table for table in page.items if table.active]
        if cursor is None and page.cursor is None:
            return await self._whole(tenant_id, tables, days)
        found, until = await self._of(tenant_id, tables, days)
        return Scorecard(days, until, [one.score for one in found], [], page.cursor)

    async def tables(
        self,
        tenant_id: str,
        *,
        owner: str = "",
        prefix: str = "",
        days: int = DAYS,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ScorePage:
        """The scores of active tables by id, of one owner or all. Inactive ones take up room on a page. Raises InputError."""
        page = await self._tables.list(tenant_id, owner=owner, prefix=prefix, limit=limit, cursor=cursor)
        found, until = await self._of(tenant_id, [table for table in page.items if table.active], days)
        return ScorePage(days, until, [one.score for one in found], page.cursor)

    async def owners(
        self, tenant_id: str, *, days: int = DAYS, limit: int = 50, cursor: str | None = None
    ) -> ScorePage:
        """The scores of owners by name, found among the first tables. `cursor` is the owner before. Raises InputError."""
        by_owner, complete = await self._owned(tenant_id)
        names = sorted(name for name in by_owner if name > (cursor or ""))
        chosen = names[:limit]
        found, until = await self._of(tenant_id, [t for name in chosen for t in by_owner[name]], days)
        return ScorePage(days, until, _owners(found), chosen[-1] if len(names) > limit else None, complete)

    async def _owned(self, tenant_id: str) -> tuple[dict[str, list[Table]], bool]:
        """Active tables by owner, and whether these are all tables."""
        found: dict[str, list[Table]] = {}
        looked, cursor = 0, None
        while looked < MOST_TABLES:
            page = await self._tables.list(tenant_id, limit=PAGE, cursor=cursor)
            for table in page.items:
                if table.active and table.owner:
                    found.setdefault(table.owner, []).append(table)
            looked, cursor = looked + len(page.items), page.cursor
            if cursor is None:
                return found, True
        return found, False

    async def _whole(self, tenant_id: str, tables: Iterable[Table], days: int) -> Scorecard:
        found, until = await self._of(tenant_id, tables, days)
        return Scorecard(days, until, [one.score for one in found], _owners(found))

    async def _of(self, tenant_id: str, tables: Iterable[Table], days: int) -> tuple[list[_Scored], int]:
        """What came of each table's rules, and until when that is."""
        if not 1 <= days <= MOST_DAYS:
            raise InputError(
                f"a scorecard is over 1 to {MOST_DAYS} days, not {days}", code="E541", help="e.g. 30"
            )
        until = self._clock.now()
        room = asyncio.Semaphore(AT_ONCE)

        async def one(table: Table) -> _Scored:
            async with room:
                counts = await self._counts.since(tenant_id, table.table_id, until - days * DAY_MS)
                rules = await self._validations.active(tenant_id, table_id=table.table_id)
                active = frozenset(rule.config_id for rule in rules if rule.enabled)
                return _Scored(table, counts, active)

        return await asyncio.gather(*map(one, tables)), until


def _owners(found: Iterable[_Scored]) -> list[Score]:
    """The lines of those who own the tables, by name."""
    by_owner: dict[str, list[_Scored]] = {}
    for one in found:
        if one.table.owner:
            by_owner.setdefault(one.table.owner, []).append(one)
    return [
        scored(
            owner,
            "owner",
            [one.days for one in mine],
            active=frozenset().union(*(one.active for one in mine)),
        )
        for owner, mine in sorted(by_owner.items())
    ]
