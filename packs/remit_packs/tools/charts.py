"""Drawing charts of tables: a picture, and a page that is looked at in any browser with the network cable out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.sdk import ArgumentsError, Facilities, ToolContext, tool
from remit_packs.tools.chart_files import html, png
from remit_packs.tools.chart_specs import MOST_SERIES, NUMERIC, Columns, Kind, spec
from remit_packs.tools.code import mark_all_read
from remit_packs.tools.facilities import using

MOST_ROWS = 20_000
MOST_BYTES = 5 << 20
MOST_TEXT = 200
"""Characters of a value or a name; a longer one is cut."""

MOST_NUMBER = 1e300
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")

Cell = str | int | float | bool | None
Row = dict[str, Any]

Data = Annotated[
    list[Row] | dict[str, Any] | str,
    Meta(
        description="Rows as objects; or a table as query_database answers it, with `columns` and `rows`; or the name or digest of an "
        "artifact of this run (CSV or JSON)."
    ),
]
Column = Annotated[str, Meta(max_length=200, description="The name of a column.")]
Title = Annotated[str, Meta(max_length=200)]


class Chart(Struct, frozen=True):
    """A chart: the artifacts with its page (`html`) and its picture (`png`), by digest, and what is drawn."""

    kind: Kind
    html: str
    png: str
    rows: int
    x: str
    y: str
    series: str


@tool(risk="L0", effect="read", sensitivity="public", timeout_s=90.0)
async def draw_chart(
    context: ToolContext,
    kind: Kind,
    data: Data,
    x: Column,
    y: Column = "",
    series: Column = "",
    value: Column = "",
    title: Title = "",
) -> Chart:
    """Draw a chart of a table, as an interactive HTML page and a PNG picture.

    line, bar, scatter, area: `y` over `x`, one colour for each value of `series`. histogram: how often `x` is in which range. box:
    the spread of `y` for each `x`. pie: the share of `y` that each `x` has. heat map: `value` (or the number of rows) at `x` and `y`.
    """
    with using(context) as facilities:
        rows = await _rows(context, facilities, data)
    mark_all_read(context, "chart")
    columns = Columns(x, y, series, value)
    made = spec(kind, _checked(kind, rows, columns), columns, title)
    name = _file_name(title or f"{kind} of {y or x}")
    page, picture = await html(made, title or name), await png(made)
    return Chart(
        kind,
        context.keep(f"{name}.html", page.encode(), "text/html"),
        context.keep(f"{name}.png", picture, "image/png"),
        len(rows),
        x,
        y,
        series,
    )


async def _rows(
    context: ToolContext, facilities: Facilities, data: list[Row] | dict[str, Any] | str
) -> list[Row]:
    """The rows, wherever they are. Raises ArgumentsError E985."""
    if not isinstance(data, str):
        return _table(data)
    content = await facilities.artifacts.read(data)
    context.mark(content.label.source, trust=content.label.trust, sensitivity=content.label.sensitivity)
    return _read(content.artifact.name, content.data)


def _table(data: Any) -> list[Row]:
    """Rows as objects, of a list of them or of a table whose rows are objects or lists."""
    names: list[str] = []
    if isinstance(data, dict):
        columns, data = data.get("columns", ()), data.get("rows")
        names = [str(c.get("name") if isinstance(c, dict) else c) for c in columns]
    if not isinstance(data, list):
        raise _no_table("there are no rows")
    for row in data:
        if not isinstance(row, dict) and not (isinstance(row, list) and len(row) == len(names) > 0):
            raise _no_table("a row is neither an object nor a list with a value for each column")
    return [row if isinstance(row, dict) else dict(zip(names, row, strict=True)) for row in data]


def _read(name: str, data: bytes) -> list[Row]:
    """A CSV or JSON file as rows."""
    if len(data) > MOST_BYTES:
        raise _no_table(f"`{name}` is larger than {MOST_BYTES:,} bytes")
    try:
        text = data.decode("utf-8-sig")
        if name.lower().endswith(".csv"):
            return [{k: _number(v) for k, v in row.items() if k} for row in csv.DictReader(io.StringIO(text))]
        found = json.loads(text)
    except (ValueError, csv.Error, RecursionError) as error:
        raise _no_table(f"`{name}` is neither CSV nor JSON") from error
    return _table(found)


def _number(text: str | None) -> Cell:
    """A cell of a CSV file: a number if it reads as one."""
    if not text:
        return None
    return float(text) if _NUMBER.fullmatch(text) else text


def _checked(kind: Kind, rows: Sequence[Row], columns: Columns) -> list[dict[str, Any]]:
    """The cells that are drawn, under the names of what they are drawn as. Raises ArgumentsError E985, E986."""
    if not 0 < len(rows) <= MOST_ROWS:
        raise _no_table(f"there are {len(rows):,} rows; a chart takes 1 to {MOST_ROWS:,}")
    wanted = {role: name for role, name in columns._asdict().items() if name}
    _check_columns(kind, rows, wanted)
    drawn = [{role: _shown(row.get(name)) for role, name in wanted.items()} for row in rows]
    for role in NUMERIC[kind]:
        if role in wanted:
            _check_numbers(drawn, role, wanted[role])
    if len({row.get("series") for row in drawn}) > MOST_SERIES:
        raise ArgumentsError(
            f"`{columns.series}` has more than {MOST_SERIES} values, which no eye tells apart by colour",
            code="E986",
            help="draw the largest ones and sum up the rest",
        )
    return drawn


def _check_columns(kind: Kind, rows: Sequence[Row], wanted: Mapping[str, str]) -> None:
    for role in ("x",) if kind == "histogram" else ("x", "y"):
        if role not in wanted:
            raise ArgumentsError(f"a {kind} needs `{role}`", code="E986", help=f"name a column as `{role}`")
    known = dict.fromkeys(name for row in rows for name in row)
    for name in wanted.values():
        if name not in known:
            listed = ", ".join(f"`{n[:40]}`" for n in list(known)[:20])
            raise ArgumentsError(f"there is no column `{name}`", code="E986", help=f"columns: {listed}")


def _check_numbers(drawn: Sequence[Mapping[str, Any]], role: str, name: str) -> None:
    values = [row[role] for row in drawn if row[role] is not None]
    if not values or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise ArgumentsError(
            f"`{name}` has values that are no numbers",
            code="E986",
            help=f"choose a column of numbers as `{role}`",
        )


def _shown(cell: Any) -> Cell:
    """A cell as it may be drawn: finite, and no longer than anybody reads."""
    if isinstance(cell, float | int) and not isinstance(cell, bool):
        return cell if abs(cell) < MOST_NUMBER else None
    if cell is None or isinstance(cell, bool):
        return cell
    return (cell if isinstance(cell, str) else json.dumps(cell))[:MOST_TEXT]


def _file_name(title: str) -> str:
    """A name for files: letters and digits of the title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "chart"


def _no_table(why: str) -> ArgumentsError:
    return ArgumentsError(why, code="E985", help="give rows as objects with the same columns")
