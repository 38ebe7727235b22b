"""`column_hash_match`: does a column hold the same values as another table's, as a known hash says, or as last time?"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, to_builtins

from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.checks.data import Data, agreed, pick
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome, judged, passed
from remit_packs.validation.checks.parameters import ColumnName, Decimals, Filters, OwnTable
from remit_packs.validation.engines.base import Wanted


class ColumnHashMatch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With `source_table` the target's column must hash to what the source's does.

    Without, to `expected_hash`; without that too, to what the last PASSED run of this version of the rule found, and
    the first run records that.
    """

    column: ColumnName
    hash_function: HashFunction = "md5"
    source_table: OwnTable = ""
    target_table: OwnTable = ""
    expected_hash: Annotated[str, Meta(pattern="^([0-9a-f]{32}|[0-9a-f]{64})?$")] = ""
    decimals: Decimals | None = None
    filters: Filters = []


@validation_type("column_hash_match")
async def column_hash_match(parameters: ColumnHashMatch, data: Data) -> Outcome:
    """The colhash/1 digest of a column against another table's, a given one, or the last PASSED run's.

    The digest does not depend on the order of rows or on the engine, counts duplicates and tells NULL from every text.
    """
    if parameters.source_table and parameters.expected_hash:
        raise CheckError(
            "`source_table` and `expected_hash` exclude each other", help="leave one of them out"
        )
    if parameters.source_table:
        return await _against_table(parameters, data)
    return await _against_hash(parameters, data)


async def _against_table(parameters: ColumnHashMatch, data: Data) -> Outcome:
    # By two digests, not by `columns_equal`: the run log says what each side hashes to (V6), in whichever engine it is.
    name, tables = parameters.column, [parameters.source_table, data.named(parameters.target_table)]
    columns = await data.all_columns(tables)
    source, target = (pick(c, name, t) for c, t in zip(columns, tables, strict=True))
    how = agreed(name, source, target, parameters.decimals)
    sides = [
        (tables[0], [Wanted(name, how.source, how.common)]),
        (tables[1], [Wanted(name, how.target, how.common)]),
    ]
    expected, actual = await data.digests(sides, parameters.hash_function, parameters.filters)
    found = {
        **_details(parameters, data, actual, how.common),
        "source_table": tables[0],
        "expected_hash": _hash(expected, name),
        "expected_count": expected["rows"],
        "expected_nulls": expected["columns"][0]["nulls"],
    }
    return judged(
        found["expected_hash"] == found["actual_hash"],
        f"column `{name}` hashes alike on both sides",
        f"column `{name}` differs: {_told(found)}",
        **found,
    )


async def _against_hash(parameters: ColumnHashMatch, data: Data) -> Outcome:
    name, table = parameters.column, data.named(parameters.target_table)
    column = await data.column(name, table)
    how = agreed(name, column, column, parameters.decimals)
    (actual,) = await data.digests(
        [(table, [Wanted(name, how.source, how.common)])], parameters.hash_function, parameters.filters
    )
    found = _details(parameters, data, actual, how.common)
    if parameters.expected_hash:
        return _compared(name, parameters.expected_hash, "the expected hash", found)
    before = await data.baseline()
    if before is None:
        note = "the first run of this version: its hash is what the next runs are compared with"
        return passed(f"column `{name}` was hashed for the first time", **found, note=note)
    return _compared(name, str(before.details.get("actual_hash", "")), f"run `{before.run_id}`", found)


def _compared(name: str, expected: str, whose: str, found: dict[str, Any]) -> Outcome:
    return judged(
        expected == found["actual_hash"],
        f"column `{name}` hashes to {whose}",
        f"column `{name}` no longer hashes to {whose}",
        **found,
        expected_hash=expected,
        compared_with=whose,
    )


def _details(parameters: ColumnHashMatch, data: Data, actual: Any, common: Kind) -> dict[str, Any]:
    return {
        "target_table": data.named(parameters.target_table),
        "column": parameters.column,
        "hash_function": parameters.hash_function,
        "type": f"{common.family}({common.digits})",
        "actual_hash": _hash(actual, parameters.column),
        "actual_count": actual["rows"],
        "actual_nulls": actual["columns"][0]["nulls"],
        "filters": to_builtins(data.resolved(parameters.filters)),
    }


def _hash(answer: Any, column: str) -> str:
    """The digest of the one column. Raises CheckError E593 when a value did not fit its type."""
    found = answer["columns"][0]
    if not found["hash"]:
        raise CheckError(f"column `{column}` cannot be hashed: {found.get('note', '')}", code="E593")
    return str(found["hash"])


def _told(found: dict[str, Any]) -> str:
    """What of the counts tells the two apart at first sight."""
    if found["expected_count"] != found["actual_count"]:
        return f"{found['expected_count']:,} rows against {found['actual_count']:,}"
    if found["expected_nulls"] != found["actual_nulls"]:
        return f"{found['expected_nulls']:,} nulls against {found['actual_nulls']:,}"
    return "as many rows and nulls, but other values"
