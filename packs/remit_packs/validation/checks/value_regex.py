"""`value_regex`: do the values of a column have a form?"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome
from remit_packs.validation.checks.parameters import ColumnName, Percent, Rows
from remit_packs.validation.checks.rows import needed, nothing, offending
from remit_packs.validation.engines.base import Measure


class ValueRegex(Rows, frozen=True, kw_only=True):
    """`pattern` must match whole values. Keep to what every engine understands: classes, groups, `|`, `*`, `+`, `?`, `{m,n}`."""

    column: ColumnName
    pattern: Annotated[str, Meta(min_length=1, max_length=1000)]
    allow_nulls: bool = True
    max_percent: Percent = 0.0


@validation_type("value_regex")
async def value_regex(parameters: ValueRegex, data: Data) -> Outcome:
    """Every value of a text column matches a regular expression, as a whole."""
    name = parameters.column
    try:
        re.compile(parameters.pattern)
    except re.error as error:
        raise CheckError(f"`pattern` is no regular expression: {error}") from error
    (column,) = await needed(data, parameters.table, [name])
    if column.kind.family != "string" and not column.kind.text:
        raise CheckError(
            f"column `{name}` is `{column.kind.name or column.kind.family}`, not text", code="E593"
        )
    rows, nulls, strange = await data.measure(
        [
            Measure("count"),
            Measure("nulls", column=name),
            Measure("not_matching", column=name, pattern=parameters.pattern),
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
        what=f"a `{name}` that does not match",
        column=name,
        pattern=parameters.pattern,
        strange_count=strange,
        null_count=nulls,
    )
