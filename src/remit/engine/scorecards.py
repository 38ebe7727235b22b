"""Scorecards (V11): how well tables and owners keep what was promised, folded from the run log."""

from __future__ import annotations

from msgspec import Struct

from remit.core.errors import InputError, NotFoundError
from remit.core.scorecard import DAY_MS, score
from remit.core.validation import Score, Table, ValidationRun
from remit.engine.tables import Tables
from remit.engine.validation_runs import ValidationRuns
from remit.engine.validations import Validations
from remit.ports.clock import Clock

DAYS = 30
MOST_DAYS = 366


class Scorecard(Struct, frozen=True):
    """Scores over the last `days` days until `until` (Unix milliseconds): tables by id, then owners by name."""

    days: int
    until: int
    tables: list[Score]
    owners: list[Score]


class Scorecards:
    """Makes scorecards of a tenant's active tables."""

    def __init__(self, tables: Tables, validations: Validations, runs: ValidationRuns, clock: Clock) -> None:
        self._tables = tables
        self._validations = validations
        self._runs = runs
        self._clock = clock

    async def table(self, tenant_id: str, table_id: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of one table, active or not. Raises NotFoundError, InputError."""
        return await self._of(tenant_id, [await self._tables.get(tenant_id, table_id)], days, owners=False)

    async def owner(self, tenant_id: str, owner: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of an owner and of each of the owner's tables. Raises NotFoundError, InputError."""
        tables = await self._tables.all(tenant_id, owner=owner)
        if not tables:
            raise NotFoundError(
                f"`{owner[:100]}` owns no active table", help="`remit tables list` shows who owns what"
            )
        return await self._of(tenant_id, tables, days)

    async def all(self, tenant_id: str, *, days: int = DAYS) -> Scorecard:
        """The scorecard of every active table and of every owner. Raises InputError."""
        return await self._of(tenant_id, await self._tables.all(tenant_id), days)

    async def _of(self, tenant_id: str, tables: list[Table], days: int, *, owners: bool = True) -> Scorecard:
        if not 1 <= days <= MOST_DAYS:
            raise InputError(
                f"a scorecard is over 1 to {MOST_DAYS} days, not {days}", code="E541", help="e.g. 30"
            )
        now = self._clock.now()
        since = now - days * DAY_MS
        scores: list[Score] = []
        by_owner: dict[str, tuple[list[ValidationRun], set[str]]] = {}
        for table in tables:
            runs = [r async for r in self._runs.each(tenant_id, table_id=table.table_id, since=since)]
            rules = await self._validations.active(tenant_id, table_id=table.table_id)
            active = {rule.config_id for rule in rules if rule.enabled}
            scores.append(score(table.table_id, "table", runs, active=active))
            if table.owner and owners:
                owned = by_owner.setdefault(table.owner, ([], set()))
                owned[0].extend(runs)
                owned[1].update(active)
        lines = [score(o, "owner", runs, active=rules) for o, (runs, rules) in sorted(by_owner.items())]
        return Scorecard(days, now, scores, lines)
