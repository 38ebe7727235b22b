"""The pictures of the pattern pages are those of the workflows beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).resolve().parents[2] / "docs" / "howto" / "patterns"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
MERMAID = re.compile(r"^```mermaid\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["pipeline", "supervisor-worker", "deterministic-skeleton", "human-gates"])
def test_the_picture_is_that_of_the_example(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`to_mermaid` of the page's workflow gives what the page shows."""
    monkeypatch.chdir(tmp_path)
    page = (PAGES / f"{name}.md").read_text()
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(PYTHON.findall(page)[0], name, "exec"), space)
    assert MERMAID.findall(page)[0].strip() == space["flow"].to_mermaid().strip()
