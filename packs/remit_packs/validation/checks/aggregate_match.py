"""`aggregate_match`: does an aggregate of one table equal that of another?"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, to_builtins

from remit_packs.validation.checks.data import Data, number, pick, plain_number
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome, judged, percent
from remit_packs.validation.checks.parameters import Pair, Percent
from remit_packs.validation.engines.base import Column, Measure

Aggregate = Literal["count", "nulls", "distinct", "sum", "avg", "min", "max", "max_length"]


class AggregateMatch(Pair, frozen=True, kw_only=True):
    """The target's aggregate is the source's, or apart by at most `tolerance`, or by `tolerance_percent` of the source's."""

    aggregate: Aggregate
    column: str = ""
    target_column: str = ""
    tolerance: Annotated[float, Meta(ge=0)] = 0.0
    tolerance_percent: Percent = 0.0


@validation_type("aggregate_match")
async def aggregate_match(parameters: AggregateMatch, data: Data) -> Outcome:
    """The sum, average, smallest, largest ... value of a column is the same in two tables, within a tolerance. Exact numbers."""
    source, target = data.named(parameters.source_table), data.named(parameters.target_table)
    names = [parameters.column, parameters.target_column or parameters.column]
    numeric = True
    if parameters.aggregate != "count":
        if not parameters.column:
            raise CheckError(f"`{parameters.aggregate}` needs a `column`")
        columns = await data.all_columns([source, target])
        picked = [pick(c, n, t) for c, n, t in zip(columns, names, (source, target), strict=True)]
        numeric = parameters.aggregate not in ("min", "max") or all(_is_number(column) for column in picked)
    asked = [
        (table, [_measure(parameters.aggregate, name)], parameters.filters)
        for table, name in zip((source, target), names, strict=True)
    ]
    (expected,), (actual,) = await data.measures(asked)
    what = f"{parameters.aggregate}({parameters.column})" if parameters.column else parameters.aggregate
    holds, details = _compared(parameters, expected, actual, numeric)
    return judged(
        holds,
        f"{what} is {_shown(details['actual'])} on both sides"
        if details["diff"] in (0, None)
        else f"{what} agrees within the tolerance",
        f"{what} is {_shown(details['expected'])} in the source and {_shown(details['actual'])} in the target",
        source_table=source,
        target_table=target,
        aggregate=parameters.aggregate,
        column=parameters.column,
        **details,
        tolerance=parameters.tolerance,
        tolerance_percent=parameters.tolerance_percent,
        filters=to_builtins(data.resolved(parameters.filters)),
    )


def _measure(name: Aggregate, column: str) -> Measure:
    if name == "count":
        return Measure("count")
    return Measure("distinct", columns=[column]) if name == "distinct" else Measure(name, column=column)


def _is_number(column: Column) -> bool:
    return column.kind.family in ("number", "float")


def _compared(
    parameters: AggregateMatch, expected: Any, actual: Any, numeric: bool
) -> tuple[bool, dict[str, Any]]:
    """Whether the two agree, and the numbers. NULL (of no rows) agrees with NULL only; dates and text must be equal."""
    if not numeric and (expected is not None or actual is not None):
        found = {"expected": expected, "actual": actual, "diff": None, "diff_pct": None}
        return None not in (expected, actual) and str(expected) == str(actual), found
    left, right = number(expected, "the source's value"), number(actual, "the target's value")
    shown = {"expected": plain_number(left), "actual": plain_number(right)}
    if left is None or right is None or not (left.is_finite() and right.is_finite()):
        same = left == right if left is not None and right is not None else left is right
        return same, {**shown, "diff": None, "diff_pct": None}
    diff = abs(left - right)
    allowed = max(
        Decimal(str(parameters.tolerance)), Decimal(str(parameters.tolerance_percent)) * abs(left) / 100
    )
    apart = percent(diff, abs(left)) if left or not diff else None
    return diff <= allowed, {**shown, "diff": plain_number(diff), "diff_pct": apart}


def _shown(value: Any) -> str:
    return "NULL" if value is None else str(value)
