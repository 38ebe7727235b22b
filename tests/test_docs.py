"""Every example in README and docs is executed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
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


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link inside the repository names a file that exists."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
