"""Charts as Vega-Lite specifications, in which nothing that a caller gave is ever a name, an expression or a URL.

Columns are called `x`, `y`, `series` and `value` in here, whatever they are called outside: in Vega-Lite the name of a field is a path,
and its text parts are expressions. What a caller gave is data and titles only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["line", "bar", "scatter", "histogram", "heat map", "box", "pie", "area"]

MOST_SERIES = 20
NUMERIC: dict[Kind, tuple[str, ...]] = {
    "line": ("y",),
    "bar": ("y",),
    "scatter": ("x", "y"),
    "histogram": ("x",),
    "heat map": ("value",),
    "box": ("y",),
    "pie": ("y",),
    "area": ("y",),
}
"""What must be a number."""

COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f", "#b8a500"]
"""Okabe and Ito's, which people tell apart however they see colours; yellow darkened to be seen on white, black made grey."""

_DATE = re.compile(r"\d{4}-\d{2}(-\d{2})?([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_WIDTH, _HEIGHT = 640, 380
_ROOM_CHARS = 80
"""Characters of a label's size that fit side by side in the width."""

_FONT = "system-ui, 'Liberation Sans', Arial, sans-serif"
_RESERVED = ("image", "title")
"""Keys of a tooltip that its renderer takes for a picture's address and a heading."""


class Columns(NamedTuple):
    """The names of what is drawn, empty where there is none."""

    x: str
    y: str
    series: str
    value: str


def spec(kind: Kind, rows: Sequence[dict[str, Any]], columns: Columns, title: str) -> dict[str, Any]:
    """A chart of rows whose keys are `x`, `y`, `series`, `value`."""
    kinds = {role: _type(kind, role, rows) for role in Columns._fields}
    mark, encoding = _drawing(kind, columns, kinds)
    if "x" in encoding and encoding["x"]["type"] in ("nominal", "ordinal"):
        encoding["x"]["axis"] = {"labelAngle": _angle(rows)}
    if "y" in encoding and all(isinstance(row.get("y"), int) for row in rows):
        encoding["y"]["axis"] = {"tickMinStep": 1}  # of things that are counted there is no half
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": title or f"{kind} of {columns.y or columns.x}",
        **({"title": {"text": title, "anchor": "start"}} if title else {}),
        "data": {"values": list(rows)},
        "width": _HEIGHT if kind == "pie" else _WIDTH,
        "height": _HEIGHT,
        "mark": mark,
        "encoding": encoding,
        "config": _CONFIG,
    }


def _angle(rows: Sequence[dict[str, Any]]) -> int:
    """Words below an axis stand level where there is room for them."""
    words = {str(row["x"]) for row in rows}
    return 0 if len(words) * max(map(len, words)) <= _ROOM_CHARS else -40


def _drawing(kind: Kind, columns: Columns, kinds: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The mark, and what of it says what."""
    match kind:
        case "histogram":
            x = {"field": "x", "type": "quantitative", "bin": {"maxbins": 30}, "title": columns.x}
            y = {"aggregate": "count", "type": "quantitative", "title": "count"}
            return {"type": "bar", "tooltip": True}, {"x": x, "y": y, **_colour(columns), "tooltip": [x, y]}
        case "heat map":
            colour = (
                {"field": "value", "type": "quantitative", "aggregate": "mean", "title": columns.value}
                if columns.value
                else {"aggregate": "count", "type": "quantitative", "title": "count"}
            )
            x, y = _axis("x", columns.x, _band(kinds["x"])), _axis("y", columns.y, _band(kinds["y"]))
            scaled = {**colour, "scale": {"scheme": "viridis"}}
            return {"type": "rect"}, {"x": x, "y": y, "color": scaled, "tooltip": _hints(x, y, colour)}
        case "box":
            x, y = _axis("x", columns.x, "nominal"), _axis("y", columns.y, "quantitative", zero=False)
            return {"type": "boxplot", "extent": 1.5, "size": 36}, {
                "x": x,
                "y": y,
                "color": {"value": COLOURS[0]},
            }
        case "pie":
            share = {
                "field": "y",
                "type": "quantitative",
                "aggregate": "sum",
                "title": columns.y,
                "stack": True,
            }
            slices = _axis("x", columns.x, "nominal")
            coloured = {**slices, "scale": {"range": COLOURS}}
            encoding = {
                "theta": share,
                "color": coloured,
                "tooltip": _hints(slices, {**share, "stack": None}),
            }
            return {"type": "arc", "stroke": "white"}, encoding
        case "scatter":
            x, y = (
                _axis("x", columns.x, "quantitative", zero=False),
                _axis("y", columns.y, "quantitative", zero=False),
            )
            mark = {"type": "point", "filled": True, "size": 60, "opacity": 0.75}
        case "bar":
            x = _axis("x", columns.x, _band(kinds["x"]))
            y = {**_axis("y", columns.y, "quantitative", zero=True), "aggregate": "sum"}
            mark = {"type": "bar"}
        case "area":
            x, y = _axis("x", columns.x, kinds["x"]), _axis("y", columns.y, "quantitative", zero=True)
            mark = {"type": "area", "opacity": 0.8, "line": True}
        case "line":
            x, y = _axis("x", columns.x, kinds["x"]), _axis("y", columns.y, "quantitative", zero=False)
            mark = {"type": "line", "point": {"size": 30}, "strokeWidth": 2}
    hints = _hints(
        x, y, *([{"field": "series", "type": "nominal", "title": columns.series}] if columns.series else [])
    )
    return mark, {"x": x, "y": y, **_colour(columns), "tooltip": hints}


def _axis(field: str, title: str, kind: str, *, zero: bool | None = None) -> dict[str, Any]:
    """A column along an axis; order of words is that of the rows. Bars and areas begin at zero, or their size would lie."""
    axis: dict[str, Any] = {"field": field, "type": kind, "title": title}
    if kind in ("nominal", "ordinal"):
        axis["sort"] = None
    if zero is not None:
        axis["scale"] = {"zero": zero}
    return axis


def _colour(columns: Columns) -> dict[str, Any]:
    """A colour for each series, or one for all."""
    if not columns.series:
        return {"color": {"value": COLOURS[0]}}
    series = {"field": "series", "type": "nominal", "title": columns.series, "sort": None}
    return {"color": {**series, "scale": {"range": COLOURS}}}


def _hints(*shown: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said of the thing under the pointer."""
    return [
        {**{k: v for k, v in field.items() if k in _HINT}, "title": _hint_title(str(field["title"]))}
        for field in shown
    ]


_HINT = ("field", "type", "aggregate", "title")


def _hint_title(title: str) -> str:
    return f"{title}:" if title.strip().lower() in _RESERVED else title


def _band(kind: str) -> str:
    """A column that is cut into bands: a number or a date is one thing among others there."""
    return "ordinal" if kind in ("quantitative", "temporal") else kind


def _type(kind: Kind, role: str, rows: Sequence[dict[str, Any]]) -> str:
    """What kind of values a column has: numbers, dates or words."""
    values = [row[role] for row in rows if row.get(role) is not None]
    if values and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return "quantitative"
    if values and all(isinstance(v, str) and _DATE.fullmatch(v) for v in values):
        return "temporal"
    return "nominal"


_CONFIG: dict[str, Any] = {
    "font": _FONT,
    "background": "white",
    "view": {"stroke": None},
    "padding": 16,
    "range": {"category": COLOURS},
    "title": {"fontSize": 17, "fontWeight": 600, "offset": 14, "limit": _WIDTH},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titlePadding": 10,
        "labelLimit": 160,
        "titleLimit": _WIDTH,
        "gridColor": "#e5e5e5",
        "labelOverlap": True,
    },
    "axisX": {"grid": False},
    "legend": {"labelFontSize": 12, "titleFontSize": 13, "labelLimit": 200, "symbolLimit": MOST_SERIES},
}
