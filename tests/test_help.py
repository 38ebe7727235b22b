"""Refusals say what to do next, and nothing is installed by a name that no index has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WITH_HELP = ("E102", "E103", "E107")
BY_NAME = re.compile(r"""pip install (-e )?['"]?remit\b""")


def test_every_refusal_of_a_value_has_help() -> None:
    """Each place that raises one of these codes gives a help line."""
    found = [
        (str(path.relative_to(ROOT)), call.lineno, {k.arg: k.value for k in call.keywords}.get("help"))
        for base in ("src", "packs", "deploy")
        for path in sorted((ROOT / base).rglob("*.py"))
        if any(f'"{code}"' in path.read_text("utf-8") for code in WITH_HELP)
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and any(_is_one(k) for k in call.keywords)
    ]
    assert len(found) > 5
    assert [each[:2] for each in found if each[2] is None] == []


def _is_one(keyword: ast.keyword) -> bool:
    return (
        keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and keyword.value.value in WITH_HELP
    )


def test_nothing_is_installed_by_name() -> None:
    """Texts and docs install from the source or a wheel."""
    places = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    places += [path for base in ("src", "packs", "deploy") for path in (ROOT / base).rglob("*.py")]
    assert [str(p.relative_to(ROOT)) for p in places if BY_NAME.search(p.read_text("utf-8"))] == []


def test_what_curl_sends_as_json_says_so() -> None:
    """curl calls a body a form unless it is told otherwise, and the API takes no forms."""
    lines = [
        (page.name, line)
        for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
        for line in page.read_text("utf-8").replace("\\\n", " ").splitlines()
        if line.startswith("curl ") and " -d " in line
    ]
    assert lines
    assert [each for each in lines if "Content-Type: application/json" not in each[1]] == []
