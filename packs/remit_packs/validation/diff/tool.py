"""The tool `diff_rows`: the exact difference of two tables. Its answer holds counts and names, and its artifacts the rows."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from remit.sdk import Table, ToolContext, ToolError, tool
from remit_packs.validation.agreement import Agreement, agree
from remit_packs.validation.diff.result import Duplicates, RowDiff
from remit_packs.validation.diff.rows import diff
from remit_packs.validation.engines.base import Engine, Filter
from remit_packs.validation.engines.errors import no_column
from remit_packs.validation.sources import open_engine
from remit_packs.validation.tools import resolved

LINES = "application/jsonl"
TABLE = "text/csv"


class Doubled(Struct, frozen=True):
    """How many keys of a side are duplicates, and the rows they stand in."""

    keys: int
    rows: int


class ChangedColumn(Struct, frozen=True):
    """In how many changed rows a column differs. A list of these: as a key, a column's name could look like a secret's."""

    column: str
    rows: int


class RowDiffAnswer(Struct, frozen=True):
    """What `diff_rows` answers; the rows themselves are in the artifacts, of which these are the digests.

    `decided` is false when rows with a NULL or duplicate key could not be compared: then nothing is known to be equal.
    """

    key: list[str]
    columns: list[str]
    source_rows: int
    target_rows: int
    missing: int
    extra: int
    changed: int
    changed_columns: list[ChangedColumn]
    equal: bool
    decided: bool
    source_null_keys: int
    target_null_keys: int
    source_duplicates: Doubled
    target_duplicates: Doubled
    artifacts: list[str]


@tool(timeout_s=4 * 3600, max_output_bytes=1_000_000)
async def diff_rows(
    source: str,
    target: str,
    key: list[str],
    context: ToolContext,
    columns: list[str] = [],  # noqa: B006
    ignore: list[str] = [],  # noqa: B006
    filters: list[Filter] = [],  # noqa: B006
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000,
    decimals: Annotated[int, Meta(ge=0, le=18)] | None = None,
) -> RowDiffAnswer:
    """Exactly which rows of two tables are missing, extra or changed, by key; `columns` empty means all but `ignore`.

    The first `limit` rows by key are kept as artifacts. A column that only one side has is an error unless it is ignored.
    """
    left, right = await resolved(source, context), await resolved(target, context)
    found = await asyncio.to_thread(
        _found, left, right, context, key, columns, ignore, filters, limit, decimals
    )
    return _answer(found, _kept(found, context))


def agreements(
    source: Engine,
    target: Engine,
    key: Sequence[str],
    columns: Sequence[str] = (),
    ignore: Sequence[str] = (),
    decimals: int | None = None,
) -> dict[str, Agreement]:
    """The columns to compare, with the types both sides agree on. Raises SourceError, or ToolError E582 and E583."""
    left, right = ({c.name: c.kind for c in engine.columns()} for engine in (source, target))
    wanted = [*key, *(columns or [n for n in (*left, *right) if n not in ignore])]
    agreed: dict[str, Agreement] = {}
    for name in dict.fromkeys(wanted):
        if (name in left) != (name in right) and not columns and name not in key:
            where = source.source if name in left else target.source
            raise ToolError(
                f"column `{name}` is only in `{where}`",
                code="E582",
                help="name it in `ignore`, or the columns to compare in `columns`",
            )
        for engine, known in ((source, left), (target, right)):
            if name not in known:
                raise no_column(engine.source, name, known)
        common = agree(left[name], right[name], decimals)
        if isinstance(common, str):
            raise ToolError(
                f"column `{name}` cannot be compared: {common}",
                code="E583",
                help="name it in `ignore`, or the columns to compare in `columns`",
            )
        agreed[name] = common
    return agreed


def _found(
    left: Table,
    right: Table,
    context: ToolContext,
    key: list[str],
    columns: list[str],
    ignore: list[str],
    filters: list[Filter],
    limit: int,
    decimals: int | None,
) -> RowDiff:
    with (
        open_engine(left, context.secrets, beside=[right]) as source,
        open_engine(right, context.secrets, beside=[left]) as target,
    ):
        agreed = agreements(source, target, key, columns, ignore, decimals)
        return diff(source, target, key=key, columns=agreed, filters=filters, limit=limit)


def _answer(found: RowDiff, artifacts: list[str]) -> RowDiffAnswer:
    return RowDiffAnswer(
        key=list(found.key),
        columns=list(found.columns),
        source_rows=found.source_rows,
        target_rows=found.target_rows,
        missing=found.missing,
        extra=found.extra,
        changed=found.changed,
        changed_columns=[ChangedColumn(name, rows) for name, rows in found.changed_columns.items()],
        equal=found.equal,
        decided=found.decided,
        source_null_keys=found.source_null_keys,
        target_null_keys=found.target_null_keys,
        source_duplicates=Doubled(found.source_duplicates.keys, found.source_duplicates.rows),
        target_duplicates=Doubled(found.target_duplicates.keys, found.target_duplicates.rows),
        artifacts=artifacts,
    )


def _kept(found: RowDiff, context: ToolContext) -> list[str]:
    """Keep the rows as JSON lines and as CSV, and examples of duplicate keys; none of nothing."""
    digests = []
    if found.differences:
        digests.append(context.keep("differences.jsonl", _lines(_differences(found)), LINES))
        digests.append(context.keep("differences.csv", _csv(found), TABLE))
    doubled = [*_examples(found, "source", found.source_duplicates)]
    doubled += _examples(found, "target", found.target_duplicates)
    if doubled:
        digests.append(context.keep("duplicate_keys.jsonl", _lines(doubled), LINES))
    return digests


def _differences(found: RowDiff) -> Iterable[dict[str, Any]]:
    for row in found.differences:
        key = dict(zip(found.key, row.key, strict=True))
        yield {"key": key, "change": row.kind, **({"columns": row.columns} if row.columns else {})}


def _examples(found: RowDiff, side: str, doubled: Duplicates) -> Iterable[dict[str, Any]]:
    for key, rows in doubled.examples:
        yield {"key": dict(zip(found.key, key, strict=True)), "side": side, "rows": rows}


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(values))


def _csv(found: RowDiff) -> bytes:
    """One line for a row that stands on one side alone, and one for each column that differs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*found.key, "change", "column", "source", "target"])
    for row in found.differences:
        for name, (source, target) in (row.columns or {"": (None, None)}).items():
            writer.writerow([*row.key, row.kind, name, source, target])
    return text.getvalue().encode("utf-8", "surrogatepass")
