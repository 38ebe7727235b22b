"""The notebooks in examples/ run from the first cell to the last, and show what they are to show."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vl_convert", reason='the extra "remit[charts]" is not installed')

from remit.core.shown import Shown

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
PNG = b"\x89PNG\r\n\x1a\n"


class Kernel:
    """Runs cells as a notebook does: one loop, one namespace, `await` anywhere, and the last expression is shown."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__name__": "__main__"}

    async def run(self, source: str) -> Any:
        """The value of the cell's last expression, if it ends in one."""
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        await self._await(compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        if last is None:
            return None
        shown = ast.Expression(last.value)
        return await self._await(compile(shown, "<cell>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))

    async def _await(self, code: Any) -> Any:
        made = eval(code, self._names)
        return await made if inspect.iscoroutine(made) else made


def cells(path: Path) -> list[str]:
    """The code of a notebook."""
    return ["".join(c["source"]) for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]


@pytest.mark.slow
def test_a_notebook_awaits_watches_decides_and_shows_a_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each cell's value in order: the run waits for a person, the chart is a picture, the decision lets it end."""
    monkeypatch.chdir(tmp_path)

    async def whole() -> list[Any]:
        kernel = Kernel()
        return [await kernel.run(source) for source in cells(NOTEBOOKS / "first-run.ipynb")]

    opened, status, chart, payload, closed = asyncio.run(whole())
    assert (opened, status, payload, closed) == (None, "needs_approval", "wired 360", None)
    assert chart._repr_png_().startswith(PNG)
    assert capsys.readouterr().out.splitlines() == ["EffectDone", "ApprovalRequested"]


@pytest.mark.parametrize(
    ("media_type", "data", "seen"),
    [
        (
            "text/html",
            b'<script>alert("x")</script>',
            lambda html: 'sandbox="allow-scripts"' in html and "<script" not in html,
        ),
        ("text/csv; charset=utf-8", b"a,<b>", lambda html: html == "<pre>a,&lt;b&gt;</pre>"),
        ("application/octet-stream", b"\x00", lambda html: html is None),
    ],
)
def test_what_is_shown_does_nothing_in_the_notebook(
    media_type: str, data: bytes, seen: Callable[[Any], bool]
) -> None:
    """Pages are framed apart, and texts are text."""
    shown = Shown("it", media_type, data)
    assert seen(shown._repr_html_())
    assert shown._repr_png_() is None


def test_the_page_says_what_the_notebook_does() -> None:
    """Each line of code on the page stands in the notebook."""
    page = (Path(__file__).parents[2] / "docs" / "howto" / "notebooks.md").read_text()
    lines = [
        line for block in re.findall(r"^```py\n(.*?)^```", page, re.M | re.S) for line in block.splitlines()
    ]
    known = {line for source in cells(NOTEBOOKS / "first-run.ipynb") for line in source.splitlines()}
    assert len(lines) >= 5
    assert set(lines) <= known
