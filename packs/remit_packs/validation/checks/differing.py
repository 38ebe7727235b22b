"""What `diff_rows` answers and keeps, as a check and a report need it."""

from __future__ import annotations

import json
from typing import Any

from remit_packs.validation.checks.outcome import CheckError, percent
from remit_packs.validation.report.value import DifferingRow


def differences(answer: dict[str, Any]) -> tuple[int, dict[str, Any], list[str]]:
    """The number of rows that differ, the details of the run log, and the digests of what was kept.

    Raises CheckError E604 when rows cannot be told apart by the key: they were not compared, so nothing is decided.
    """
    total = answer["missing"] + answer["extra"] + answer["changed"]
    details = {
        "expected_count": answer["source_rows"],
        "actual_count": answer["target_rows"],
        "missing": answer["missing"],
        "extra": answer["extra"],
        "changed": answer["changed"],
        "changed_columns": [[one["column"], one["rows"]] for one in answer["changed_columns"]],
        "diff_pct": percent(total, answer["source_rows"]) if answer["source_rows"] else None,
    }
    if not answer["decided"]:
        raise _undecided(answer, details)
    return total, details, list(answer["artifacts"])


def _undecided(answer: dict[str, Any], details: dict[str, Any]) -> CheckError:
    """Which rows could not be compared, and why."""
    reasons = []
    for side in ("source", "target"):
        doubled, nulls = answer[f"{side}_duplicates"], answer[f"{side}_null_keys"]
        details |= {f"{side}_duplicate_keys": doubled["keys"], f"{side}_null_keys": nulls}
        reasons += (
            [f"{doubled['keys']:,} keys stand in {doubled['rows']:,} rows of the {side}"]
            if doubled["keys"]
            else []
        )
        reasons += [f"{nulls:,} rows of the {side} have NULL in the key"] if nulls else []
    key = ", ".join(f"`{name}`" for name in answer["key"])
    return CheckError(
        f"{key} does not tell rows apart: {'; '.join(reasons)}",
        code="E604",
        help="name more columns in the key, or check `uniqueness` first; examples are kept as an artifact",
        details=details,
        artifacts=list(answer["artifacts"]),
    )


def told(details: dict[str, Any]) -> str:
    """The difference in words."""
    columns = ", ".join(f"`{name}`" for name, _ in details["changed_columns"][:8])
    parts = [
        *([f"{details['missing']:,} missing in the target"] if details["missing"] else []),
        *([f"{details['extra']:,} only there"] if details["extra"] else []),
        *([f"{details['changed']:,} changed ({columns})"] if details["changed"] else []),
    ]
    return "rows differ: " + ", ".join(parts)


def rows_of(data: bytes, shown: int) -> tuple[DifferingRow, ...]:
    """The first rows of a kept `differences.jsonl`; none of bytes that are something else."""
    if not data.startswith(b"{"):
        return ()
    rows = [json.loads(line) for line in data.split(b"\n", shown)[:shown] if line.strip()]
    return tuple(_row(row) for row in rows if "change" in row)


def _row(value: dict[str, Any]) -> DifferingRow:
    columns = {name: (was, now) for name, (was, now) in value.get("columns", {}).items()}
    return DifferingRow(value["key"], value["change"], columns)
