"""What a report shows, however it is written down."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from remit_packs.validation.checks.outcome import Status


class DifferingRow(Struct, frozen=True):
    """A row that is not the same on both sides. `change` is `missing` (in the target), `extra` or `changed`.

    `columns` holds the texts of both sides of those columns that differ; None is NULL.
    """

    key: dict[str, str | None]
    change: str
    columns: dict[str, tuple[str | None, str | None]] = {}


class Line(Struct, frozen=True):
    """One check. `name` is the rule's id, or what an ad-hoc check is called."""

    table: str
    name: str
    kind: str
    status: Status
    reason: str
    version: int = 0
    run_id: str = ""
    duration_ms: int = 0
    details: dict[str, Any] = {}
    rows: tuple[DifferingRow, ...] = ()


class Report(Struct, frozen=True):
    """A run: its checks, and where to look closer. `made_at` is Unix milliseconds."""

    title: str
    status: Status
    reason: str
    made_at: int
    lines: tuple[Line, ...]
    agent_run: str = ""
    triggered_by: str = ""
    duration_ms: int = 0
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many checks came to what."""
        found = Counter(line.status for line in self.lines)
        return {status: found[status] for status in ("PASSED", "FAILED", "ERROR")}


SHOWN_APART = ("reason", "code", "help", "filters", "note")
"""Details that a report tells in words."""


def facts(details: dict[str, Any]) -> list[tuple[str, str]]:
    """The details as names and short texts, in their order."""
    return [
        (name.replace("_", " "), _told(name, value))
        for name, value in details.items()
        if name not in SHOWN_APART and value not in ([], {}, "")
    ]


def _told(name: str, value: Any) -> str:
    if name == "changed_columns":
        return ", ".join(f"{column}: {text(rows)}" for column, rows in value)
    return text(value)


def conditions(details: dict[str, Any]) -> str:
    """The filters in words; empty for none."""
    return " and ".join(
        f"{f.get('column')} {str(f.get('op', '=')).replace('_', ' ')}"
        + ("" if f.get("op") in ("is_null", "not_null") else f" {text(f.get('value'))}")
        for f in details.get("filters") or ()
    )


def text(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {text(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(text(v) for v in value)
    return str(value)
