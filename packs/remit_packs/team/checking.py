"""What needs no judgement: quotes are in their sources or they are not, and a program makes a table or it does not."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

from msgspec import Struct

from remit.sdk import CodeAgent, Memory, RunContext, ToolError, agent
from remit_packs.tools.code import run_python
from remit_packs.tools.documents import read_document
from remit_packs.tools.web import fetch_page

MOST_ROWS = 30
MARK = "table of the team:"

_CITATION = re.compile(r"doc:(?P<id>.+?)#(?P<start>\d+)-(?P<end>\d+)\Z")


class Table(Struct, frozen=True):
    """What the program calculated: a label and numbers for each row."""

    columns: list[str]
    rows: list[list[Any]]


class Checked(Struct, frozen=True):
    """What checking found. Without `problems` every quote is in its source, and the table can be drawn."""

    problems: list[str]
    table: Table | None = None


async def _check(input: dict[str, Any], memory: Memory, context: RunContext) -> Checked:
    """Looks up every quote in its source, and runs the program on the findings."""
    findings = input["findings"]
    problems = [problem async for problem in _unfounded(context, findings)]
    table, failed = await _calculated(context, input["code"], findings)
    return Checked(problems + failed, table)


async def _unfounded(context: RunContext, findings: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Which quotes are not in the sources that they name."""
    sources = dict.fromkeys(finding["source"] for finding in findings)
    texts = {source: await _text(context, source) for source in sources}
    for finding in findings:
        text = texts[finding["source"]]
        if isinstance(text, ToolError):
            yield f"source `{finding['source']}` cannot be read: {text.message}"
        elif _plain(finding["quote"]) not in _plain(text):
            yield f"the quote “{finding['quote'][:80]}” is not in `{finding['source']}`"


async def _text(context: RunContext, source: str) -> str | ToolError:
    """A source's text: all parts of a page, or a passage of a document."""
    try:
        passage = _CITATION.match(source)
        if passage:
            part: dict[str, Any] = await context.call(
                "read_document",
                document_id=passage["id"],
                start=int(passage["start"]),
                end=int(passage["end"]),
            )
            return str(part["text"])
        text, start = "", 0
        while True:  # a page comes in parts
            part = await context.call("fetch_page", url=source.partition("#")[0], start=start)
            text, start = text + str(part["text"]), part["end"]
            if not part["more"]:
                return text
    except ToolError as error:
        return error


async def _calculated(
    context: RunContext, code: str, findings: list[dict[str, Any]]
) -> tuple[Table | None, list[str]]:
    """The table that the program makes of the findings, and what is wrong with it."""
    try:
        ran = await context.call("run_python", code=program(code, findings))
    except ToolError as error:
        return None, [f"the program was not run: {error.message}"]
    if ran["ending"] != "ok":
        said = (ran["stderr"].strip().splitlines() or [f"it ended: {ran['ending']}"])[-1]
        return None, [f"the program failed: {said[:300]}"]
    line = next((line for line in ran["stdout"].splitlines() if line.startswith(MARK)), "")
    try:
        table = json.loads(line.removeprefix(MARK))
    except ValueError:
        return None, ["the program sets no `table` of plain values"]
    wrong = list(_wrong_with(table))
    return (None if wrong else Table(table["columns"], table["rows"])), wrong


def program(code: str, findings: list[dict[str, Any]]) -> str:
    """The program with its findings before it and its table told after it."""
    handed = json.dumps(json.dumps(findings))
    return f"import json\nfindings = json.loads({handed})\n{code}\nprint({MARK!r} + json.dumps(table))\n"


def _wrong_with(table: Any) -> Iterable[str]:
    if not isinstance(table, dict) or not all(
        isinstance(table.get(key), list) for key in ("columns", "rows")
    ):
        yield "`table` is no dict with `columns` and `rows`"
        return
    columns, rows = table["columns"], table["rows"]
    if len(columns) < 2 or not all(isinstance(name, str) and name for name in columns):
        yield "`columns` are not names of a label and at least one number"
    if not 0 < len(rows) <= MOST_ROWS:
        yield f"`rows` are {len(rows)}; there must be 1 to {MOST_ROWS}"
    for row in rows[:MOST_ROWS]:
        if not isinstance(row, list) or len(row) != len(columns):
            yield "a row has not a value for each column"
            return
        if not all(type(value) in (int, float) and math.isfinite(value) for value in row[1:]):
            yield f"row `{str(row[0])[:40]}` holds something that is no number"
            return


def _plain(text: str) -> str:
    """A text as it is compared: without differences of white space, case and typographic quotes."""
    straight = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0xA0: " "})
    return " ".join(straight.split()).casefold()


checker: CodeAgent = agent(
    _check,
    name="checker",
    description="Looks up every quote in its source, and runs the program on the findings.",
    tools=[run_python, fetch_page, read_document],
    output=Checked,
)
