"""Every example in README and docs is executed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PUBLIC = ("remit", "remit.testing", "remit.frameworks", "remit_packs")
"""What a page or an example may import of ours; below the last three, anything."""
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(((?!http)[^)#]+)\)")
SAYS = re.compile(r"print\(.*\)\s+#\s*([^;:(]+?)\s*(?:[;:(].*)?$", re.MULTILINE)
EXAMPLES = [
    pytest.param(page, code, id=f"{page.relative_to(ROOT)}:{i}")
    for page in PAGES
    for i, code in enumerate(PYTHON.findall(page.read_text()))
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_python_example_runs_and_prints_what_it_says(page: Path, code: str, tmp_path: Path) -> None:
    """A Python example runs as it stands, and prints what the comment behind each print says."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for promised in SAYS.findall(code):
        assert promised in lines, f"{page.name} promises `{promised}`, printed {lines}"


COPIED = [
    *EXAMPLES,
    *(
        pytest.param(path, path.read_text(), id=str(path.relative_to(ROOT)))
        for folder in ("examples", "src/remit/data/init", "tests/extension/acme")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.name != "store.py"  # a store over our own SQLite one
    ),
]


@pytest.mark.parametrize(("page", "code"), COPIED)
def test_an_example_imports_public_names_only(page: Path, code: str) -> None:
    """What people copy goes on to work: it names no inner module."""
    imported = {
        name
        for node in ast.walk(ast.parse(code))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        if name.split(".")[0] in ("remit", "remit_packs")
    }
    inner = {n for n in imported if n not in PUBLIC and not n.startswith(tuple(f"{p}." for p in PUBLIC[1:]))}
    assert not inner, f"{page.name} imports {sorted(inner)}: export it from `remit` (PLACES)"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link inside the repository names a file that exists."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
