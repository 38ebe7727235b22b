"""`value_range`: do the values of a column lie between two bounds?"""

from __future__ import annotations

from typing import Any

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome
from remit_packs.validation.checks.parameters import ColumnName, Percent, Rows
from remit_packs.validation.checks.rows import needed, nothing, offending
from remit_packs.validation.engines.base import Measure

_ORDERED = ("number", "float", "date", "timestamp", "string")


class ValueRange(Rows, frozen=True, kw_only=True):
    """Bounds are included; dates and timestamps are written as text (`2026-01-31`). NULL breaks it unless `allow_nulls`."""

    column: ColumnName
    min: int | float | str | None = None
    max: int | float | str | None = None
    allow_nulls: bool = True
    max_percent: Percent = 0.0


@validation_type("value_range")
async def value_range(parameters: ValueRange, data: Data) -> Outcome:
    """Every value of a column lies between `min` and `max`, both included. NaN and infinity lie in no range."""
    name, low, high = parameters.column, parameters.min, parameters.max
    if low is None and high is None:
        raise CheckError("a range needs `min`, `max` or both")
    (column,) = await needed(data, parameters.table, [name])
    if column.kind.family not in _ORDERED:
        raise CheckError(
            f"column `{name}` is `{column.kind.name or column.kind.family}`, which has no order", code="E593"
        )
    asked = [Measure("count"), Measure("nulls", column=name)]
    asked += [Measure("below", column=name, value=low)] if low is not None else []
    asked += [Measure("above", column=name, value=high)] if high is not None else []
    asked += [Measure("not_finite", column=name)] if column.kind.family == "float" else []
    ends = [Measure("min", column=name), Measure("max", column=name)]
    answers = await data.measure([*asked, *ends], parameters.table, parameters.filters)
    found = dict(zip([m.name for m in [*asked, *ends]], answers, strict=True))
    if not found["count"]:
        return nothing(parameters, data)
    return _verdict(parameters, data, found)


def _verdict(parameters: ValueRange, data: Data, found: dict[str, Any]) -> Outcome:
    parts = {
        f"below {parameters.min}": found.get("below", 0),
        f"above {parameters.max}": found.get("above", 0),
        "not finite": found.get("not_finite", 0),
        "NULL": 0 if parameters.allow_nulls else found["nulls"],
    }
    ways = [f"{count:,} {way}" for way, count in parts.items() if count]
    return offending(
        parameters,
        data,
        rows=found["count"],
        bad=sum(parts.values()),
        allowed_percent=parameters.max_percent,
        what=f"`{parameters.column}` out of range ({', '.join(ways)})",
        column=parameters.column,
        min=parameters.min,
        max=parameters.max,
        below_count=parts[f"below {parameters.min}"],
        above_count=parts[f"above {parameters.max}"],
        null_count=found["nulls"],
    )
