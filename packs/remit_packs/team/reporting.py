"""The report: what was asked, the answer, the table and the sources, as Markdown that is kept with the run."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.sdk import ToolContext, tool
from remit_packs.team.shapes import Finding


class Report(Struct, frozen=True):
    """What the team hands in. `approved` says whether the reviewer agreed; if not, `reasons` and `fixes` say what is open."""

    question: str
    answer: str
    approved: bool
    rounds: int
    sources: list[str]
    table: dict[str, Any] | None
    reasons: list[str]
    fixes: list[str]
    report: str


@tool(trust="untrusted")
def write_report(
    context: ToolContext,
    question: str,
    answer: str,
    findings: list[Finding],
    code: str,
    table: dict[str, Any] | None,
    approved: bool,
    reasons: list[str],
    fixes: list[str],
    rounds: int,
) -> Report:
    """Write the report of the team, `report.md`, and keep it with the run."""
    sources = list(dict.fromkeys(finding.source for finding in findings))
    parts = [
        f"# {question}",
        answer,
        "" if approved else _open(rounds, reasons, fixes),
        _table(table) if table else "",
        "## Findings\n\n"
        + "\n".join(f"- {f.claim} “{f.quote}” [{sources.index(f.source) + 1}]" for f in findings),
        "## Sources\n\n" + "\n".join(f"{number}. {source}" for number, source in enumerate(sources, 1)),
        f"## How the table was calculated\n\n~~~~python\n{code}\n~~~~",
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    context.keep("report.md", text.encode(), "text/markdown")
    return Report(
        question, answer, approved, rounds, sources, table, reasons, [] if approved else fixes, text
    )


def _open(rounds: int, reasons: list[str], fixes: list[str]) -> str:
    """That the reviewer did not agree, and why."""
    lines = [f"**Not approved after {rounds} rounds.**", *reasons, *fixes]
    return "\n".join(f"> {line}" for line in lines)


def _table(table: dict[str, Any]) -> str:
    columns, rows = table["columns"], table["rows"]
    lines = [_row(columns), _row(["---"] * len(columns)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def _row(values: list[Any]) -> str:
    return "| " + " | ".join(str(value).replace("|", "\\|").replace("\n", " ") for value in values) + " |"
