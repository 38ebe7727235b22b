"""A report as JUnit XML, which every CI shows: a suite for each table, a case for each rule."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from remit_packs.validation.report.value import Line, Report, facts

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """FAILED is a failure and ERROR an error; the evidence is the text of either."""
    tables = list(dict.fromkeys(line.table for line in report.lines))
    root = ElementTree.Element("testsuites", _counted(report.lines, name=report.title))
    for table in tables:
        lines = tuple(line for line in report.lines if line.table == table)
        suite = ElementTree.SubElement(root, "testsuite", _counted(lines, name=table))
        for line in lines:
            _case(suite, line)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _counted(lines: tuple[Line, ...], *, name: str) -> dict[str, str]:
    return {
        "name": _clean(name),
        "tests": str(len(lines)),
        "failures": str(sum(line.status == "FAILED" for line in lines)),
        "errors": str(sum(line.status == "ERROR" for line in lines)),
        "time": f"{sum(line.duration_ms for line in lines) / 1000:.3f}",
    }


def _case(suite: ElementTree.Element, line: Line) -> None:
    about = {
        "classname": _clean(line.table),
        "name": _clean(line.name),
        "time": f"{line.duration_ms / 1000:.3f}",
    }
    case = ElementTree.SubElement(suite, "testcase", about)
    if line.status == "PASSED":
        return
    tag = "failure" if line.status == "FAILED" else "error"
    said = {"message": _clean(line.reason), "type": _clean(str(line.details.get("code") or line.kind))}
    evidence = ElementTree.SubElement(case, tag, said)
    told = [line.reason, *(f"{name}: {value}" for name, value in facts(line.details))]
    told += [f"{row.change}: {row.key} {row.columns or ''}".rstrip() for row in line.rows]
    evidence.text = _clean("\n".join(told))


def _clean(text: str) -> str:
    """Without characters that XML does not allow."""
    return _FORBIDDEN.sub("�", text)
