"""What the scorecard adds to the validation pack: a tool that writes the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remit import Score, tool


@tool(risk="L1", effect="keyed", outward=False)
def write_report(tables: list[Score], owners: list[Score], unscored: list[str], days: int) -> dict[str, Any]:
    """Write the scores as a table into `scorecard.md`; written twice it is the same file."""
    rows = [*sorted(tables, key=lambda s: (s.pass_rate or 0, s.subject)), *owners]
    lines = [
        f"# Data quality of the last {days} days",
        "",
        "| | runs | passed | pass rate | failing |",
        "|---|---:|---:|---:|---|",
        *(
            f"| {s.kind} {s.subject} | {s.runs} | {s.passed} | {_percent(s.pass_rate)} | {', '.join(s.failing)} |"
            for s in rows
        ),
        *(f"\nNot scored: {why}" for why in unscored),
    ]
    path = Path("scorecard.md")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"file": str(path), "rows": len(rows)}


def _percent(rate: float | None) -> str:
    return "not checked" if rate is None else f"{rate:.0f} %"
