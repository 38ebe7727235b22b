"""`null_rate`: how many values of a column are missing?"""

from __future__ import annotations

from msgspec import to_builtins

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import Outcome, judged, percent
from remit_packs.validation.checks.parameters import ColumnName, Percent, Rows
from remit_packs.validation.checks.rows import needed, nothing
from remit_packs.validation.engines.base import Measure


class NullRate(Rows, frozen=True, kw_only=True):
    """At most `max_percent` of the rows may have NULL in `column`."""

    column: ColumnName
    max_percent: Percent = 0.0


@validation_type("null_rate")
async def null_rate(parameters: NullRate, data: Data) -> Outcome:
    """The share of NULLs in a column, at most `max_percent`."""
    name = parameters.column
    await needed(data, parameters.table, [name])
    measures = [Measure("count"), Measure("nulls", column=name)]
    rows, nulls = await data.measure(measures, parameters.table, parameters.filters)
    if not rows:
        return nothing(parameters, data)
    rate = percent(nulls, rows)
    return judged(
        100 * nulls <= parameters.max_percent * rows,
        f"{rate:.4g} % of `{name}` is NULL",
        f"{nulls:,} of {rows:,} rows have no `{name}`: {rate:.4g} %, at most {parameters.max_percent:g} % may",
        table=data.named(parameters.table),
        column=name,
        actual_count=rows,
        offending_count=nulls,
        null_pct=rate,
        max_percent=parameters.max_percent,
        filters=to_builtins(data.resolved(parameters.filters)),
    )
