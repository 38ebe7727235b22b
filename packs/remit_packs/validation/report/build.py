"""Reports made of what the agents answered, and of the rows that their tools kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from remit_packs.validation.checks.differing import rows_of
from remit_packs.validation.report.value import DifferingRow, Line, Report

Kept = Mapping[str, bytes]
"""Artifacts by their digest, as far as they could be read."""

NOTHING: Kept = MappingProxyType({})
_PASSWORD = re.compile(r"(://[^/?#:@\s]*):[^/?#@\s]+@")


def of_validation(
    payload: dict[str, Any], *, title: str, made_at: int, kept: Kept = NOTHING, shown: int = 20, **about: Any
) -> Report:
    """The answer of `validate`. `about` goes to the report: agent_run, duration_ms, triggered_by."""
    lines = tuple(of_run(run, kept, shown) for run in payload.get("runs", ()))
    if not lines and payload["status"] == "ERROR":
        told = {name: payload.get(name, "") for name in ("code", "help")}
        lines = (Line("", title, "validate", "ERROR", payload["reason"], details=told),)
    notes = tuple(f"not run: {s['config_id']}: {s['reason']}" for s in payload.get("skipped", ()))
    told = payload.get("notifications") or {}
    notes += tuple(
        f"told {sent['notifier']} by {sent['channel']}: {sent['subject']}" for sent in told.get("sent", ())
    )
    notes += tuple(f"not told {one.get('notifier', '')}: {one['problem']}" for one in told.get("failed", ()))
    return Report(title, payload["status"], payload["reason"], made_at, lines, notes=notes, **about)


def of_run(run: dict[str, Any], kept: Kept = NOTHING, shown: int = 20) -> Line:
    """One run of the run log, or of the answer of `validate`."""
    details = dict(run["details"])
    return Line(
        run["table_id"],
        run["config_id"],
        run["validation_type"],
        run["status"],
        run.get("reason") or str(details.get("reason", "")),
        run["version"],
        run["run_id"],
        run.get("duration_ms", 0),
        details,
        _rows(run.get("artifacts", ()), kept, shown),
    )


def of_diff(
    payload: dict[str, Any], *, made_at: int, kept: Kept = NOTHING, shown: int = 20, **about: Any
) -> Report:
    """The answer of `diff_tables`."""
    source, target = readable(payload["source"]), readable(payload["target"])
    details = {**payload.get("details", {}), "code": payload.get("code", ""), "help": payload.get("help", "")}
    if payload.get("key"):
        details = {"key": ", ".join(payload["key"]), **details}
    line = Line(
        f"{source} → {target}",
        "row diff",
        "row_diff",
        payload["status"],
        payload["reason"],
        details=details,
        rows=_rows(payload.get("artifacts", ()), kept, shown),
    )
    return Report(f"{source} → {target}", payload["status"], payload["reason"], made_at, (line,), **about)


def readable(location: str) -> str:
    """A location without its password, whether that stands there or is named."""
    return _PASSWORD.sub(r"\1@", location)


def _rows(digests: Any, kept: Kept, shown: int) -> tuple[DifferingRow, ...]:
    for digest in digests:
        if digest in kept:
            rows = rows_of(kept[digest], shown)
            if rows:
                return rows
    return ()
