"""What a check may ask about its tables. Every question is a governed, journaled call of a tool."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct, convert, to_builtins
from msgspec.structs import replace

from remit.sdk import RunContext, ValidationRun
from remit_packs.validation.agreement import Agreement, agree
from remit_packs.validation.canonical import HashFunction
from remit_packs.validation.checks.outcome import CheckError
from remit_packs.validation.engines.base import Column, Filter, Measure, Wanted

_DAY = re.compile(r"\$\{today(?:-(\d{1,4}))?\}")


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """What the agent of a validation type is given. `table` is the rule's table; `slot` (Unix milliseconds) the time it runs for."""

    table: str = ""
    parameters: dict[str, Any] = {}
    config_id: str = ""
    version: int = 0
    slot: int = 0


class Data:
    """The tables of one check. `table` is the rule's own: a registered table_id, or a location."""

    def __init__(self, context: RunContext, given: Given) -> None:
        self._context = context
        self._given = given
        self.table = given.table

    def named(self, table: str) -> str:
        """`table`, or the rule's own where that is empty. Raises CheckError when there is neither."""
        chosen = table or self.table
        if not chosen:
            raise CheckError(
                "no table is named", code="E591", help="give `table`, or a table in the parameters"
            )
        return chosen

    def now(self) -> int:
        """When the check was started, Unix milliseconds: the same on every replay."""
        return self._context.now()

    def today(self) -> dt.date:
        """The day (UTC) for which the check runs: of its slot, also when that is caught up with later."""
        return dt.datetime.fromtimestamp((self._given.slot or self.now()) / 1000, dt.UTC).date()

    def resolved(self, filters: Sequence[Filter]) -> list[Filter]:
        """The filters with `${today}` and `${today-N}` filled in."""
        return [replace(f, value=self._filled(f.value)) for f in filters]

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(v) for v in value]
        found = _DAY.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        return (self.today() - dt.timedelta(days=int(found[1] or 0))).isoformat()

    # reading

    async def columns(self, table: str = "") -> list[Column]:
        """The columns of a table, in order."""
        return (await self.all_columns([table]))[0]

    async def all_columns(self, tables: Sequence[str]) -> list[list[Column]]:
        """The columns of several tables, asked for at once."""
        answers = await self._each("describe_source", [{"source": self.named(t)} for t in tables])
        return [convert(answer["columns"], list[Column]) for answer in answers]

    async def column(self, name: str, table: str = "") -> Column:
        """One column. Raises CheckError E592 when the table has no such column."""
        return pick(await self.columns(table), name, self.named(table))

    async def count(self, table: str = "", filters: Sequence[Filter] = ()) -> int:
        """The number of rows."""
        return (await self.counts([table], filters))[0]

    async def counts(self, tables: Sequence[str], filters: Sequence[Filter] = ()) -> list[int]:
        """The number of rows of several tables, asked for at once."""
        where = to_builtins(self.resolved(filters))
        answers = await self._each(
            "count_rows", [{"source": self.named(t), "filters": where} for t in tables]
        )
        return [int(answer) for answer in answers]

    async def measure(
        self, measures: Sequence[Measure], table: str = "", filters: Sequence[Filter] = ()
    ) -> list[Any]:
        """Aggregates in order, in one pass over the table."""
        return (await self.measures([(table, measures, filters)]))[0]

    async def measures(
        self, asked: Sequence[tuple[str, Sequence[Measure], Sequence[Filter]]]
    ) -> list[list[Any]]:
        """Aggregates of several tables (table, measures, filters), asked for at once."""
        arguments = [
            {
                "source": self.named(table),
                "measures": to_builtins(list(measures)),
                "filters": to_builtins(self.resolved(filters)),
            }
            for table, measures, filters in asked
        ]
        return await self._each("measure", arguments)

    async def digests(
        self,
        sides: Sequence[tuple[str, Sequence[Wanted]]],
        hash_function: HashFunction = "md5",
        filters: Sequence[Filter] = (),
    ) -> list[Any]:
        """What `hash_columns` answers for several tables (table, columns): colhash/1 of each column and of the rows."""
        arguments = [
            {
                "source": self.named(table),
                "columns": to_builtins(list(columns)),
                "hash_function": hash_function,
                "filters": to_builtins(self.resolved(filters)),
            }
            for table, columns in sides
        ]
        return await self._each("hash_columns", arguments)

    async def query(self, sql: str, table: str = "") -> Any:
        """What `run_query` answers to a SELECT in the dialect of the table's engine."""
        return await self._context.call("run_query", source=self.named(table), sql=sql)

    async def diff(self, source: str, target: str, **options: Any) -> dict[str, Any]:
        """What `diff_rows` answers: counts, changed columns, digests of kept rows. Options: key, columns, ignore, ..."""
        filters = to_builtins(self.resolved(options.pop("filters", ())))
        answer = await self._context.call(
            "diff_rows", source=self.named(source), target=self.named(target), filters=filters, **options
        )
        return dict(answer)

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call another tool that the check declared."""
        return await self._context.call(tool, **arguments)

    async def baseline(self) -> ValidationRun | None:
        """The last PASSED run of this very version of the rule, None when there is none (or no rule)."""
        given = self._given
        if not given.config_id:
            return None
        found = await self._context.call("last_passed", config_id=given.config_id, version=given.version)
        return convert(found, ValidationRun | None)

    async def _each(self, tool: str, arguments: list[dict[str, Any]]) -> list[Any]:
        return await self._context.call_many([(tool, given) for given in arguments])


def pick(columns: Sequence[Column], name: str, table: str) -> Column:
    """The column of that name. Raises CheckError E592 that names those there are."""
    for column in columns:
        if column.name == name:
            return column
    known = ", ".join(f"`{c.name}`" for c in columns[:30])
    raise CheckError(f"`{table}` has no column `{name}`", code="E592", help=f"it has {known or 'no columns'}")


def agreed(column: str, source: Column, target: Column, decimals: int | None = None) -> Agreement:
    """How two columns are compared. Raises CheckError E593 when they cannot be."""
    found = agree(source.kind, target.kind, decimals)
    if isinstance(found, str):
        raise CheckError(
            f"column `{column}` cannot be compared: {found}",
            code="E593",
            help="bring both to one type, or leave the column out",
        )
    return found


def number(value: Any, what: str) -> Decimal | None:
    """An aggregate as an exact number; None for NULL. Raises CheckError E593 for anything else."""
    if value is None:
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise CheckError(f"{what} is `{str(value)[:40]}`, which is no number", code="E593") from None


def plain_number(value: Decimal | None) -> int | float | str | None:
    """A number for details: an int where it is whole, a float where that is exact, else its digits."""
    if value is None or not value.is_finite():
        return None if value is None else str(value)
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value.normalize())
