"""Every command in README and docs exists with the options it is shown with; those that can run by themselves are run."""

from __future__ import annotations

import functools
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from remit.cli.main import execute

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BASH = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
LIVE = ("remit init", "cd ", "remit run", "remit runs list")
"""What is run as it stands, in one shell a page, in order."""


def commands(page: Path) -> list[str]:
    """The commands of a page, without comments, `&&` split."""
    lines = [
        line.split("  #")[0].strip()
        for block in BASH.findall(page.read_text())
        for line in block.splitlines()
    ]
    return [part.strip() for line in lines if line and not line.startswith("#") for part in line.split("&&")]


EVERY = sorted({c for page in PAGES for c in commands(page) if c.startswith("remit ")})


@functools.cache
def help_of(*names: str) -> str:
    """What `remit NAMES --help` prints; nothing where there is no such command."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        return out.getvalue() if execute([*names, "--help"]) == 0 else ""


@pytest.mark.parametrize("command", EVERY)
def test_a_command_in_the_docs_exists_with_its_options(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command and each of its options are what `--help` says."""
    monkeypatch.setenv("COLUMNS", "200")
    words = shlex.split(command)[1:]
    names: list[str] = []
    for word in words:
        if word.startswith("-") or f"remit {' '.join([*names, word])}" not in help_of(*names, word):
            break
        names.append(word)
    assert names, f"there is no command `{command}`"
    for option in (w.split("=")[0] for w in words if w.startswith("--")):
        assert option in help_of(*names), f"`remit {' '.join(names)}` has no `{option}`"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(c.startswith("remit init") for c in commands(p))], ids=lambda p: p.name
)
def test_the_commands_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    """What a newcomer copies from the page works, in a folder with two files of their own."""
    make_files = (
        "from remit_packs.validation.demo import demo_files; import pathlib; demo_files(pathlib.Path('.'))"
    )
    subprocess.run([sys.executable, "-c", make_files], cwd=tmp_path, check=True)
    folder = tmp_path
    for command in commands(page):
        if not command.startswith(LIVE) or re.search(r"\b(RUN|apr_)", command):
            continue
        if command.startswith("cd "):
            folder = folder / command.removeprefix("cd ")
            continue
        where = tmp_path if "compare" in command else folder
        done = subprocess.run(
            command, shell=True, cwd=where, capture_output=True, text=True, env=wide(), timeout=60
        )
        expected = (0, 1) if "compare" in command else (0,)
        assert done.returncode in expected, f"{command}\n{done.stdout}\n{done.stderr}"


def wide() -> dict[str, str]:
    """An environment with our commands first, no colours, and lines that are not wrapped."""
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "200", "NO_COLOR": "1"}
