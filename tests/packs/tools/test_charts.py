"""`draw_chart`: every kind as a picture and as a page, over any table, and safe whatever the table says."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("vl_convert", reason='the extra "remit[charts]" is not installed')

from remit import agent, tool
from remit.sdk import ToolContext
from remit.testing import app_for_tests, task
from remit_packs.tools.chart_specs import COLOURS, Columns, spec
from remit_packs.tools.charts import draw_chart

ROWS = [
    {
        "month": f"2026-{month:02d}-01",
        "region": region,
        "revenue": month * 10 + len(region),
        "orders": month % 5,
    }
    for region in ("Europe", "Asia")
    for month in range(1, 7)
]
EVIL = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
CHROMIUM = shutil.which("chromium")


@tool
def table_file(context: ToolContext, name: str, text: str) -> str:
    """Keeps a table."""
    return context.keep(name, text.encode(), "text/csv")


async def drawn(*calls: dict[str, Any], before: tuple[str, str] | None = None) -> tuple[Any, list[bytes]]:
    """The run's result, and the bytes of its charts: page and picture of each."""

    @agent(tools=[draw_chart, table_file])
    async def artist(input: Any, memory: Any, context: Any) -> Any:
        if before:
            await context.call("table_file", name=before[0], text=before[1])
        return [await context.call("draw_chart", **call) for call in calls]

    async with app_for_tests(artist) as app:
        result = await app.run(task(artist))
        charts = result.result_payload or []
        return result, [await app.blobs.get(chart[kind]) for chart in charts for kind in ("html", "png")]


async def test_every_kind_is_drawn() -> None:
    """A picture of a sensible size and with something on it, and a page that holds the data and its title."""
    kinds = ("line", "bar", "scatter", "histogram", "heat map", "box", "pie", "area")
    columns: dict[str, dict[str, str]] = {
        "scatter": {"x": "orders", "y": "revenue", "series": "region"},
        "histogram": {"x": "revenue"},
        "heat map": {"x": "month", "y": "region", "value": "revenue"},
        "box": {"x": "region", "y": "revenue"},
        "pie": {"x": "region", "y": "revenue"},
    }
    usual = {"x": "month", "y": "revenue", "series": "region"}
    result, files = await drawn(
        *({"kind": kind, "data": ROWS, "title": f"A {kind}", **columns.get(kind, usual)} for kind in kinds)
    )
    assert result.status == "success", result.problem
    for kind, page, picture in zip(kinds, files[::2], files[1::2], strict=True):
        width, height = struct.unpack(">II", picture[16:24])
        assert picture.startswith(b"\x89PNG")
        assert 600 < width < 2400
        assert 600 < height < 1600
        assert len(picture) > 20_000
        assert f"<title>A {kind}</title>".encode() in page
        assert b"http-equiv" in page
        assert not re.search(rb"""<(?:script|link|img)[^>]*(?:src|href)\s*=\s*["']?(?:https?:)?//""", page)
    names = [artifact.name for artifact in result.artifacts]
    assert names[:2] == ["a-line.html", "a-line.png"]


@pytest.mark.parametrize(
    "data",
    [
        {"columns": ["a", "b"], "rows": [["x", 1], ["y", 2]]},
        {
            "columns": [{"name": "a", "type": "text"}, {"name": "b", "type": "int"}],
            "rows": [{"a": "x", "b": 1}],
        },
        "table.csv",
    ],
    ids=["columns and rows", "an answer of a database", "a file of the run"],
)
async def test_any_table_will_do(data: Any) -> None:
    """As other tools answer it."""
    call = {"kind": "bar", "data": data, "x": "a", "y": "b"}
    result, _ = await drawn(call, before=("table.csv", "a,b\nx,1\ny,2.5\n"))
    assert result.status == "success", result.problem


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ({"data": []}, "E985", "0 rows"),
        ({"data": [{"a": 1}] * 20_001}, "E985", "20,001 rows"),
        ({"data": {"columns": ["a"], "rows": [[1, 2]]}}, "E985", "for each column"),
        ({"data": {"rows": None}}, "E985", "no rows"),
        ({"data": "absent.csv"}, "E916", "no artifact"),
        ({"data": ROWS, "y": ""}, "E986", "needs `y`"),
        ({"data": ROWS, "x": "nowhere"}, "E986", "no column `nowhere`"),
        ({"data": ROWS, "y": "region"}, "E986", "no numbers"),
        (
            {"data": [{"month": 1, "revenue": 1, "s": i} for i in range(21)], "series": "s"},
            "E986",
            "more than 20",
        ),
    ],
)
async def test_what_cannot_be_drawn_is_refused(call: dict[str, Any], code: str, says: str) -> None:
    """With what to do instead; nothing is kept."""
    result, _ = await drawn({"kind": "bar", "x": "month", "y": "revenue", **call})
    assert result.problem.code == code
    assert says in result.problem.message
    assert result.problem.help
    assert result.artifacts == ()


def test_bars_and_areas_begin_at_zero() -> None:
    """Or their size would lie; colours are ones that people tell apart."""
    rows = [{"x": "a", "y": 90.0, "series": "s"}, {"x": "b", "y": 91.0, "series": "t"}]
    for kind in ("bar", "area"):
        made = spec(kind, rows, Columns("a", "b", "s", ""), "")  # type: ignore[arg-type]
        assert made["encoding"]["y"]["scale"] == {"zero": True}
        assert made["encoding"]["color"]["scale"] == {"range": COLOURS}


def test_nothing_of_a_caller_becomes_a_field_or_an_expression() -> None:
    """Names of columns are titles only, and never the keys that a tooltip takes for an address."""
    made = spec("bar", [{"x": EVIL, "y": 1.0}], Columns("image", "datum['x']", "", ""), EVIL)
    encoding = json.dumps(made["encoding"])
    assert set(re.findall(r'"field": "(\w+)"', encoding)) == {"x", "y"}
    assert [hint["title"] for hint in made["encoding"]["tooltip"]] == ["image:", "datum['x']"]


@pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="there is no Chromium to open the page with"
)
async def test_a_page_draws_and_runs_nothing_of_the_data(tmp_path: Path) -> None:
    """Titles, names and values that are markup are shown as text, in a real browser with no network."""
    rows = [{"image": EVIL, "title": f'" onerror="{i}', "n": i} for i in range(1, 4)]
    _, files = await drawn(
        {"kind": "bar", "data": rows, "x": "image", "y": "n", "series": "title", "title": EVIL}
    )
    page = tmp_path / "chart.html"
    page.write_bytes(files[0])
    dom = subprocess.run(
        [
            *(
                CHROMIUM or "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-sync",
            ),
            *(
                "--disable-background-networking",
                "--disable-component-update",
                f"--user-data-dir={tmp_path / 'profile'}",
            ),
            *("--virtual-time-budget=5000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=90,
    ).stdout
    assert "<title>owned" not in dom
    assert "<svg" in dom, dom[-2_000:]
    assert dom.count('aria-roledescription="bar"') == 3
    shown = dom.partition("<svg")[2].partition("</svg>")[0]
    assert "<img" not in shown
    assert "&lt;img" in shown
