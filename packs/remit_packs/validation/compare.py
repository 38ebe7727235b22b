"""The `compare` agent: do two tables hold the same rows? Plain Python, no model; every read goes through the gateway."""

from __future__ import annotations

import json
import shlex
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import CodeAgent, Memory, RunContext, ToolError, agent
from remit_packs.validation.agreement import Agreement, agree
from remit_packs.validation.canonical import HashFunction
from remit_packs.validation.diff.tool import diff_rows
from remit_packs.validation.engines.base import Column, Wanted
from remit_packs.validation.tools import (
    ColumnDigest,
    TableDigests,
    count_rows,
    describe_source,
    hash_columns,
)

Status = Literal["PASSED", "FAILED", "ERROR"]

KEPT = 100
"""How many of the rows that differ are kept."""


class Comparison(Struct, frozen=True, forbid_unknown_fields=True):
    """What to compare. `columns` empty means every column; `decimals` allows floats to be compared rounded."""

    source: str
    target: str
    columns: list[str] = []
    hash_function: HashFunction = "md5"
    threshold_percent: float = 0.0
    key: str = ""
    decimals: int | None = None


class Outcome(Struct, frozen=True):
    """One column: `match` is None when it could not be compared, and `note` says why."""

    column: str
    source_hash: str
    target_hash: str
    match: bool | None
    note: str = ""


class Counts(Struct, frozen=True):
    """record_count_match: the source is the expected side."""

    source_count: int
    target_count: int
    diff: int
    diff_pct: float | None
    threshold_percent: float
    status: Status
    note: str = ""


async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
    """Compare two tables and say PASSED, FAILED or ERROR with the evidence."""
    del memory
    try:
        wanted = understand(input)
    except ValueError as error:
        return {"status": "ERROR", "reason": str(error)}
    try:
        return await _compare(wanted, context)
    except ToolError as error:
        return {"status": "ERROR", "reason": error.message, **_named(wanted)}


compare: CodeAgent = agent(
    act,
    name="compare",
    description="Compares two tables wherever they are: number of rows, and the hash of every column.",
    tools=[count_rows, describe_source, hash_columns, diff_rows],
)


def understand(given: Any) -> Comparison:
    """The input as a Comparison. Two paths in a row are understood too. Raises ValueError with one sentence."""
    if isinstance(given, str):
        given = _from_text(given)
    try:
        wanted = convert(given, Comparison)
    except ValidationError as error:
        raise ValueError(f"the input is not a comparison: {error}") from error
    if not 0 <= wanted.threshold_percent <= 100:
        raise ValueError(f"`threshold_percent` is {wanted.threshold_percent}, which is not between 0 and 100")
    if wanted.decimals is not None and not 0 <= wanted.decimals <= 18:
        raise ValueError(f"`decimals` is {wanted.decimals}, which is not between 0 and 18")
    return wanted


def count_match(source: int, target: int, threshold_percent: float) -> Counts:
    """record_count_match: the difference in per cent of the source, against the threshold."""
    diff = abs(source - target)
    if source == 0:
        status: Status = "PASSED" if target == 0 else "FAILED"
        note = "both sides are empty" if target == 0 else "the source is empty and the target is not"
        return Counts(source, target, diff, 0.0 if target == 0 else None, threshold_percent, status, note)
    passed = 100 * diff <= threshold_percent * source
    return Counts(
        source, target, diff, 100 * diff / source, threshold_percent, "PASSED" if passed else "FAILED"
    )


def _from_text(text: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError(f"the input is not JSON: {error}") from error
    words = shlex.split(text)
    if len(words) != 2:
        raise ValueError('give {"source": TABLE, "target": TABLE}, or the two in a row')
    return {"source": words[0], "target": words[1]}


async def _compare(wanted: Comparison, context: RunContext) -> dict[str, Any]:
    source_count, target_count, source_columns, target_columns = await context.call_many(
        [
            ("count_rows", {"source": wanted.source}),
            ("count_rows", {"source": wanted.target}),
            ("describe_source", {"source": wanted.source}),
            ("describe_source", {"source": wanted.target}),
        ]
    )
    left = {c.name: c for c in convert(source_columns["columns"], list[Column])}
    right = {c.name: c for c in convert(target_columns["columns"], list[Column])}
    names = wanted.columns or list(dict.fromkeys([*left, *right]))
    missing = {
        "missing_in_source": [n for n in names if n not in left],
        "missing_in_target": [n for n in names if n not in right],
    }
    shared = [n for n in names if n in left and n in right]
    agreements = {n: agree(left[n].kind, right[n].kind, wanted.decimals) for n in shared}
    usable = {n: a for n, a in agreements.items() if isinstance(a, Agreement)}
    hashes = await _hashes(wanted, usable, context)
    columns = [_outcome(n, agreements[n], hashes) for n in shared]
    counts = count_match(source_count, target_count, wanted.threshold_percent)
    payload = {
        **_named(wanted),
        "counts": to_builtins(counts),
        "columns": to_builtins(columns),
        "rows_match": _rows_match(hashes) if len(usable) == len(names) else None,
        **missing,
    }
    status, reason = _verdict(payload, counts, columns)
    if status == "FAILED" and wanted.key in usable:
        payload["differences"] = await _differences(wanted, columns, context)
    return {"status": status, "reason": reason, **payload}


async def _hashes(
    wanted: Comparison, usable: dict[str, Agreement], context: RunContext
) -> tuple[TableDigests, TableDigests]:
    if not usable:
        return TableDigests(0, []), TableDigests(0, [])
    source, target = _wanted(usable)
    algorithm = wanted.hash_function
    answers = await context.call_many(
        [
            (
                "hash_columns",
                {"source": wanted.source, "columns": to_builtins(source), "hash_function": algorithm},
            ),
            (
                "hash_columns",
                {"source": wanted.target, "columns": to_builtins(target), "hash_function": algorithm},
            ),
        ]
    )
    return convert(answers[0], TableDigests), convert(answers[1], TableDigests)


def _wanted(usable: dict[str, Agreement]) -> tuple[list[Wanted], list[Wanted]]:
    source = [Wanted(name, a.source, a.common) for name, a in usable.items()]
    return source, [Wanted(name, a.target, a.common) for name, a in usable.items()]


async def _differences(wanted: Comparison, columns: list[Outcome], context: RunContext) -> Any:
    """How many rows differ and in what; the first of them are kept. Columns without a digest are left out, as unreadable."""
    readable = [c.column for c in columns if c.match is not None]
    if wanted.key not in readable:
        return None
    arguments: dict[str, Any] = {"key": [wanted.key], "columns": readable, "limit": KEPT}
    if wanted.decimals is not None:
        arguments["decimals"] = wanted.decimals
    named = {"source": wanted.source, "target": wanted.target}
    (answer,) = await context.call_many([("diff_rows", named | arguments)])
    return answer


def _outcome(name: str, agreement: Agreement | str, hashes: tuple[TableDigests, TableDigests]) -> Outcome:
    if isinstance(agreement, str):
        return Outcome(name, "", "", None, agreement)
    source, target = (_digest(side, name) for side in hashes)
    if source.note or target.note:
        return Outcome(name, source.hash, target.hash, None, source.note or target.note)
    return Outcome(name, source.hash, target.hash, source.hash == target.hash)


def _digest(side: TableDigests, name: str) -> ColumnDigest:
    return next(c for c in side.columns if c.name == name)


def _rows_match(hashes: tuple[TableDigests, TableDigests]) -> bool | None:
    source, target = hashes
    return source.row_hash == target.row_hash if source.row_hash and target.row_hash else None


def _verdict(payload: dict[str, Any], counts: Counts, columns: list[Outcome]) -> tuple[Status, str]:
    """FAILED when something is known to differ; ERROR when something could not be compared; else PASSED."""
    reasons = []
    if counts.status == "FAILED":
        reasons.append(f"the source has {counts.source_count} rows and the target {counts.target_count}")
    missing = {side: payload[f"missing_in_{side}"] for side in ("source", "target")}
    reasons += [f"missing in {side}: {', '.join(names)}" for side, names in missing.items() if names]
    differing = [c.column for c in columns if c.match is False]
    if differing:
        reasons.append(f"columns differ: {', '.join(differing)}")
    elif payload["rows_match"] is False and counts.diff == 0:
        reasons.append("every column has the same values, but they are combined differently in rows")
    if reasons:
        return "FAILED", "; ".join(reasons)
    unknown = [c.column for c in columns if c.match is None]
    if unknown:
        return "ERROR", f"could not be compared: {', '.join(unknown)}"
    if not columns:
        return "ERROR", "there is no column to compare"
    return "PASSED", f"{counts.target_count} rows and {len(columns)} columns agree"


def _named(wanted: Comparison) -> dict[str, Any]:
    return {"source": wanted.source, "target": wanted.target, "hash_function": wanted.hash_function}
