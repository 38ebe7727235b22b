"""`value_set`: does a column hold only values from a list?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import Outcome
from remit_packs.validation.checks.parameters import ColumnName, Percent, Rows
from remit_packs.validation.checks.rows import needed, nothing, offending
from remit_packs.validation.engines.base import Measure


class ValueSet(Rows, frozen=True, kw_only=True):
    """Every value of `column` is one of `values`. NULL breaks it unless `allow_nulls`."""

    column: ColumnName
    values: Annotated[list[str | int | float | bool], Meta(min_length=1, max_length=10_000)]
    allow_nulls: bool = True
    max_percent: Percent = 0.0


@validation_type("value_set")
async def value_set(parameters: ValueSet, data: Data) -> Outcome:
    """Every value of a column is in a list."""
    name = parameters.column
    await needed(data, parameters.table, [name])
    rows, nulls, strange = await data.measure(
        [
            Measure("count"),
            Measure("nulls", column=name),
            Measure("not_in", column=name, values=list(parameters.values)),
        ],
        parameters.table,
        parameters.filters,
    )
    if not rows:
        return nothing(parameters, data)
    return offending(
        parameters,
        data,
        rows=rows,
        bad=strange + (0 if parameters.allow_nulls else nulls),
        allowed_percent=parameters.max_percent,
        what=f"another `{name}` than the {len(parameters.values)} allowed",
        column=name,
        allowed_values=len(parameters.values),
        strange_count=strange,
        null_count=nulls,
    )
