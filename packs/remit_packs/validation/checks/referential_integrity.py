"""`referential_integrity`: does every key of a table exist in another one, wherever that lives?"""

from __future__ import annotations

from msgspec import Struct, to_builtins

from remit_packs.validation.checks.data import Data, agreed, pick
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.finding import find_orphans
from remit_packs.validation.checks.outcome import CheckError, Outcome, judged, percent, plural
from remit_packs.validation.checks.parameters import Columns, Filters, OwnTable, Percent, TableRef
from remit_packs.validation.engines.base import Wanted


class ReferentialIntegrity(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`columns` of the table refer to `reference_columns` (of the same names unless given) of `reference_table`."""

    columns: Columns
    reference_table: TableRef
    reference_columns: list[str] = []
    table: OwnTable = ""
    filters: Filters = []
    max_percent: Percent = 0.0


@validation_type("referential_integrity", tools=[find_orphans])
async def referential_integrity(parameters: ReferentialIntegrity, data: Data) -> Outcome:
    """Every key exists in the reference table; a key with a NULL in it refers to nothing. The keys that do not are kept."""
    names, others = parameters.columns, parameters.reference_columns or parameters.columns
    if len(names) != len(others):
        raise CheckError(f"{len(names)} columns cannot refer to {len(others)}")
    table, reference = data.named(parameters.table), parameters.reference_table
    left, right = await data.all_columns([table, reference])
    pairs = [
        agreed(name, pick(left, name, table), pick(right, other, reference))
        for name, other in zip(names, others, strict=True)
    ]
    mine = [Wanted(n, p.source, p.common) for n, p in zip(names, pairs, strict=True)]
    theirs = [Wanted(o, p.target, p.common) for o, p in zip(others, pairs, strict=True)]
    filters = to_builtins(data.resolved(parameters.filters))
    rows = await data.count(table, parameters.filters)
    found = await data.call(
        "find_orphans",
        source=table,
        columns=to_builtins(mine),
        reference=reference,
        reference_columns=to_builtins(theirs),
        filters=filters,
    )
    bad, shown = found["rows"], ", ".join(f"`{n}`" for n in names)
    return judged(
        100 * bad <= parameters.max_percent * rows,
        f"every {shown} exists in `{reference}`"
        if not bad
        else f"{bad:,} of {rows:,} rows refer to nothing, which is allowed",
        f"{shown} of {plural(bad, 'row')} is not in `{reference}`: {plural(found['keys'], 'different key')}",
        artifacts=[found["artifact"]] if found["artifact"] else [],
        table=table,
        columns=names,
        reference_table=reference,
        actual_count=rows,
        offending_count=bad,
        offending_keys=found["keys"],
        offending_pct=percent(bad, rows),
        max_percent=parameters.max_percent,
        filters=filters,
    )
