"""A report as one HTML file: nothing is loaded from anywhere, no script, everything escaped, light and dark."""

from __future__ import annotations

import datetime as dt
from html import escape
from typing import Any

from remit_packs.validation.report.style import STYLE
from remit_packs.validation.report.value import DifferingRow, Line, Report, conditions, facts

MOST_CHARS = 200
"""Of a value in a table; the artifact holds it whole."""


def page(report: Report) -> str:
    """The whole document."""
    title = escape(f"{report.status}: {report.title}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{_head(report)}\n{''.join(_card(line) for line in _worst_first(report))}{_notes(report)}"
        f"{_foot(report)}\n</main>\n</body>\n</html>\n"
    )


def _head(report: Report) -> str:
    counts = report.counts()
    words = {"PASSED": "passed", "FAILED": "failed", "ERROR": "could not be decided"}
    tiles = "".join(
        f'<li class="{status.lower()}{"" if count else " none"}"><b>{count:,}</b> {words[status]}</li>'
        for status, count in counts.items()
    )
    summary = f'<ul class="tiles">{tiles}</ul>' if len(report.lines) > 1 else ""
    return (
        f"<header>{_badge(report.status)}<h1>{escape(report.title)}</h1>"
        f'<p class="reason">{escape(report.reason)}</p>{summary}</header>'
    )


def _worst_first(report: Report) -> list[Line]:
    order = {"ERROR": 0, "FAILED": 1, "PASSED": 2}
    return sorted(report.lines, key=lambda line: (order[line.status], line.table, line.name))


def _card(line: Line) -> str:
    about = " · ".join(
        part
        for part in (
            f"<code>{escape(line.table)}</code>" if line.table else "",
            escape(line.kind),
            f"version {line.version}" if line.version else "",
            _took(line.duration_ms),
        )
        if part
    )
    bad = line.status != "PASSED"
    return (
        f'<details class="card {line.status.lower()}"{" open" if bad else ""}>'
        f"<summary>{_badge(line.status)}<h2>{escape(line.name)}</h2>"
        f'<span class="said">{escape(line.reason)}</span></summary>'
        f'<p class="about">{about}</p>{_problem(line)}{_facts(line)}{_rows(line)}</details>\n'
    )


def _problem(line: Line) -> str:
    code, help = str(line.details.get("code") or ""), str(line.details.get("help") or "")
    if not (code or help):
        return ""
    told = f"<code>{escape(code)}</code> " if code else ""
    return f'<p class="help">{told}{escape(help)}</p>'


def _facts(line: Line) -> str:
    found = facts(line.details)
    where, note = conditions(line.details), str(line.details.get("note") or "")
    found += [("only rows where", where)] if where else []
    found += [("note", note)] if note else []
    if not found:
        return ""
    items = "".join(f"<div><dt>{escape(n)}</dt><dd>{_value(v)}</dd></div>" for n, v in found)
    return f"<dl>{items}</dl>"


def _rows(line: Line) -> str:
    if not line.rows:
        return ""
    keys = list(line.rows[0].key)
    head = "".join(f"<th>{escape(k)}</th>" for k in keys)
    body = "".join(_row(row, keys) for row in line.rows)
    return (
        f"<h3>The first {len(line.rows):,} rows that differ</h3>"
        f'<div class="wide"><table><thead><tr><th>row</th>{head}<th>column</th><th>source</th><th>target</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: DifferingRow, keys: list[str]) -> str:
    count = max(len(row.columns), 1)
    span = f' rowspan="{count}"' if count > 1 else ""
    lead = f'<td{span}><span class="change {escape(row.change)}">{escape(row.change)}</span></td>'
    lead += "".join(f"<td{span}>{_value(row.key.get(key))}</td>" for key in keys)
    if not row.columns:
        where = "only in the source" if row.change == "missing" else "only in the target"
        return f'<tr>{lead}<td colspan="3" class="alone">{where}</td></tr>'
    cells = [
        f'<td>{escape(name)}</td><td class="was">{_value(was)}</td><td class="is">{_value(now)}</td>'
        for name, (was, now) in row.columns.items()
    ]
    return "".join(f"<tr>{lead if i == 0 else ''}{cell}</tr>" for i, cell in enumerate(cells))


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    return f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in report.notes)}</ul>'


def _foot(report: Report) -> str:
    when = dt.datetime.fromtimestamp(report.made_at / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [
        when,
        f"triggered by {escape(report.triggered_by)}" if report.triggered_by else "",
        _took(report.duration_ms),
        f"run <code>{escape(report.agent_run)}</code>" if report.agent_run else "",
    ]
    return f"<footer>{' · '.join(part for part in parts if part)}</footer>"


def _badge(status: str) -> str:
    sign = {"PASSED": "✓", "FAILED": "✗", "ERROR": "!"}[status]
    return f'<span class="badge {status.lower()}">{sign} {status}</span>'


def _value(value: Any) -> str:
    if value is None:
        return '<span class="null">NULL</span>'
    text = str(value)
    if text == "":
        return '<span class="null">empty</span>'
    return escape(text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + "…")


def _took(ms: int) -> str:
    if ms <= 0:
        return ""
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
