"""docs/howto/frameworks.md: its table is the suite's, and its examples run where the framework is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "frameworks.md").read_text()
EXAMPLES = re.findall(r"^```py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SAYS = re.compile(r"print\(.*\)\s+# (.*)$", re.MULTILINE)


def test_the_table_is_what_the_suite_says() -> None:
    """The page's table is generated from the suite's docstrings."""
    command = [sys.executable, ROOT / "scripts" / "frameworks_table.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_of_the_page_runs(code: str) -> None:
    """An example runs as it stands, and prints what it says."""
    if "langchain" in code:
        pytest.importorskip("langchain")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == SAYS.findall(code)
