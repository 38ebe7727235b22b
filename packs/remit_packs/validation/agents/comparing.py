"""`diff_tables`: exactly which rows of two tables differ. Needs no registered table and no rule."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import CodeAgent, InputError, Memory, RunContext, ToolError, agent
from remit_packs.validation.agreement import Agreement, agree
from remit_packs.validation.checks.data import Data, Given, pick
from remit_packs.validation.checks.deciding import READS
from remit_packs.validation.checks.differing import differences, told
from remit_packs.validation.checks.outcome import CheckError
from remit_packs.validation.engines.base import Column, Filter, Measure

KEYS_TRIED = 6


class Compare(Struct, frozen=True, forbid_unknown_fields=True):
    """Two tables, by location or table_id. Without `key` one is looked for; `columns` empty means all but `ignore`."""

    source: str
    target: str
    key: list[str] = []
    columns: list[str] = []
    ignore: list[str] = []
    filters: list[Filter] = []
    decimals: int | None = None
    limit: int = 1000


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Count, match columns, and name the rows that differ."""
    del memory
    try:
        asked = convert(input, Compare)
    except ValidationError as error:
        raise InputError(f"the input is not a comparison: {error}", code="E590") from error
    named = {"source": asked.source, "target": asked.target}
    try:
        return {**named, **await _compared(asked, Data(context, Given()))}
    except ToolError as error:
        why = {"status": "ERROR", "reason": error.message, "code": error.code, "help": error.help}
        known = error if isinstance(error, CheckError) else CheckError(error.message)
        return {**named, **why, "details": known.details, "artifacts": known.artifacts}


async def _compared(asked: Compare, data: Data) -> dict[str, Any]:
    left, right = await data.all_columns([asked.source, asked.target])
    missing, extra = _apart(left, right, asked)
    key = asked.key or await _key(left, right, asked, data)
    for name in key:
        pick(left, name, asked.source)
        pick(right, name, asked.target)
    options: dict[str, Any] = {
        "key": key,
        "columns": [c for c in asked.columns if c not in missing and c not in extra],
        "ignore": [*asked.ignore, *(n for n in (*missing, *extra) if n not in asked.ignore)],
        "limit": asked.limit,
        "decimals": asked.decimals,
        "filters": asked.filters,
    }
    total, details, artifacts = differences(await data.diff(asked.source, asked.target, **options))
    reasons = [
        *([f"missing in the target: {', '.join(missing)}"] if missing else []),
        *([f"missing in the source: {', '.join(extra)}"] if extra else []),
        *([told(details)] if total else []),
    ]
    return {
        "status": "FAILED" if reasons else "PASSED",
        "reason": "; ".join(reasons) or f"{details['actual_count']:,} rows agree",
        "key": key,
        "details": {
            **details,
            "columns_missing_in_target": missing,
            "columns_missing_in_source": extra,
            "filters": to_builtins(data.resolved(asked.filters)),
        },
        "artifacts": artifacts,
    }


def _apart(left: list[Column], right: list[Column], asked: Compare) -> tuple[list[str], list[str]]:
    """Columns of one side only: those that are missing in the target, and in the source."""
    names, others = [c.name for c in left], [c.name for c in right]
    if asked.columns:
        for name in asked.columns:
            if name not in names and name not in others:
                pick(left, name, asked.source)
        return [n for n in asked.columns if n not in others], [n for n in asked.columns if n not in names]
    return (
        [n for n in names if n not in others and n not in asked.ignore],
        [n for n in others if n not in names and n not in asked.ignore],
    )


async def _key(left: list[Column], right: list[Column], asked: Compare, data: Data) -> list[str]:
    """A column that is unique and filled on both sides, by its name a key. Raises CheckError E592 when none is."""
    other = {c.name: c for c in right}
    shared = [
        c.name for c in left if c.name in other and isinstance(agree(c.kind, other[c.name].kind), Agreement)
    ]
    likely = sorted(shared, key=lambda name: (_unlikely(name), shared.index(name)))[:KEYS_TRIED]
    for name in likely:
        measures = [Measure("count"), Measure("nulls", column=name), Measure("distinct", columns=[name])]
        sides = [(asked.source, measures, asked.filters), (asked.target, measures, asked.filters)]
        if all(not nulls and distinct == count for count, nulls, distinct in await data.measures(sides)):
            return [name]
    raise CheckError(
        "no column was found that names each row on both sides",
        code="E592",
        help=f"name the key, e.g. --key {likely[0] if likely else 'id'}; several columns together may be one",
    )


def _unlikely(name: str) -> int:
    """How little a name looks like a key's."""
    low = name.lower()
    if low in ("id", "key", "uuid", "pk"):
        return 0
    return 1 if low.endswith(("_id", "_key", "id", "_no", "_nr", "uuid")) else 2


diff_tables: CodeAgent = agent(
    act,
    name="diff_tables",
    description="Says exactly which rows of two tables differ, in whatever engines they live.",
    tools=READS,
)
