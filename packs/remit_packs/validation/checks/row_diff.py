"""`row_diff`: which rows differ, exactly?"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field, to_builtins

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.differing import differences, told
from remit_packs.validation.checks.outcome import Outcome, judged
from remit_packs.validation.checks.parameters import ColumnName, Columns, Count, Decimals, Pair


class RowDiff(Pair, frozen=True, kw_only=True):
    """Rows are matched by `key`, which must be unique on both sides. `columns` empty means all but `ignore`."""

    key: Columns
    columns: list[ColumnName] = field(default_factory=list)
    ignore: list[ColumnName] = field(default_factory=list)
    decimals: Decimals | None = None
    max_differences: Count = 0
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000


@validation_type("row_diff")
async def row_diff(parameters: RowDiff, data: Data) -> Outcome:
    """Every row is in both tables with the same values; the keys of those that are not are kept as an artifact."""
    options: dict[str, Any] = {
        "key": parameters.key,
        "columns": parameters.columns,
        "ignore": parameters.ignore,
        "limit": parameters.limit,
        "decimals": parameters.decimals,
        "filters": parameters.filters,
    }
    source, target = data.named(parameters.source_table), data.named(parameters.target_table)
    found = await data.diff(source, target, **options)
    total, details, artifacts = differences(found)
    return judged(
        total <= parameters.max_differences,
        f"{details['actual_count']:,} rows agree" if not total else f"{told(details)}, which is allowed",
        told(details),
        artifacts=artifacts,
        source_table=source,
        target_table=target,
        key=parameters.key,
        **details,
        max_differences=parameters.max_differences,
        filters=to_builtins(data.resolved(parameters.filters)),
    )
