"""`uniqueness`: does each combination of values stand in one row only?"""

from __future__ import annotations

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import Outcome
from remit_packs.validation.checks.parameters import Columns, Percent, Rows
from remit_packs.validation.checks.rows import needed, nothing, offending
from remit_packs.validation.engines.base import Filter, Measure


class Uniqueness(Rows, frozen=True, kw_only=True):
    """`columns` together are a key. A row with NULL in one of them breaks it, unless `allow_nulls`."""

    columns: Columns
    allow_nulls: bool = False
    max_percent: Percent = 0.0


@validation_type("uniqueness")
async def uniqueness(parameters: Uniqueness, data: Data) -> Outcome:
    """No combination of the columns' values stands in two rows, and none holds a NULL."""
    names = parameters.columns
    await needed(data, parameters.table, names)
    whole = [*parameters.filters, *(Filter(name, "not_null") for name in names)]
    (rows,), (filled, distinct) = await data.measures(
        [
            (parameters.table, [Measure("count")], parameters.filters),
            (parameters.table, [Measure("count"), Measure("distinct", columns=names)], whole),
        ]
    )
    if not rows:
        return nothing(parameters, data)
    repeated, nulls = filled - distinct, max(rows - filled, 0)  # rows may come between the two questions
    bad = repeated + (0 if parameters.allow_nulls else nulls)
    shown = ", ".join(f"`{n}`" for n in names)
    ways = [
        *([f"a repeated value of {shown}"] if repeated else []),
        *([f"NULL in {shown}"] if nulls and not parameters.allow_nulls else []),
    ]
    return offending(
        parameters,
        data,
        rows=rows,
        bad=bad,
        allowed_percent=parameters.max_percent,
        what=" or ".join(ways),
        columns=names,
        distinct_count=distinct,
        repeated_count=repeated,
        null_count=nulls,
    )
