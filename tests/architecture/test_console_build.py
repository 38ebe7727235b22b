"""hatch_build.py: the console is built when it is missing or stale, and only then; who cannot build it is told, and goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NODE = "#!/bin/sh\necho v24.1.0\n"
NPM = """#!/bin/sh
echo "$1 $2" >> ../asked
[ -e ../broken ] && { echo "no registry" >&2; exit 1; }
case "$1" in
  ci) mkdir -p node_modules && echo '{}' > node_modules/.package-lock.json ;;
  run) mkdir -p ../src/remit/console && cp index.html ../src/remit/console/ ;;
esac
"""
"""A Node and an npm that do as little as there is to build here."""

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree with a console of two files."""
    shutil.copy(ROOT / "hatch_build.py", tmp_path)
    (tmp_path / "console").mkdir()
    (tmp_path / "console" / "index.html").write_text("one")
    (tmp_path / "console" / "package.json").write_text("{}")
    (tmp_path / "console" / "package-lock.json").write_text("{}")
    (tmp_path / "src" / "remit").mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("node", NODE), ("npm", NPM)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def build(tree: Path) -> Build:
    """Run it in the tree."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        surroundings = {
            "PATH": f"{tree / 'tools'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(tree),
            **env,
        }
        command = [sys.executable, tree / "hatch_build.py", *arguments]
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60)

    return run


def asked(tree: Path) -> list[str]:
    """What npm was asked for."""
    log = tree / "asked"
    return log.read_text().split("\n")[:-1] if log.exists() else []


def test_it_builds_what_is_missing_or_stale(tree: Path, build: Build) -> None:
    """The first time it installs and builds; then nothing; after an edit it builds again."""
    assert build().returncode == 0
    assert asked(tree) == ["ci --ignore-scripts", "run build"]
    built = tree / "src" / "remit" / "console" / "index.html"
    assert built.read_text() == "one"
    assert build().returncode == 0
    assert len(asked(tree)) == 2
    (tree / "console" / "index.html").write_text("two")
    assert build("--soft").returncode == 0
    assert asked(tree)[2:] == ["run build"]
    assert built.read_text() == "two"


def test_a_file_that_moved_makes_it_stale(tree: Path, build: Build) -> None:
    """Names count, not only bytes."""
    build()
    (tree / "console" / "a.ts").write_text("")
    build()
    (tree / "console" / "a.ts").rename(tree / "console" / "b.ts")
    build()
    assert asked(tree).count("run build") == 3


def test_setting_up_goes_on_without_npm(tree: Path, build: Build) -> None:
    """A warning that says what to do; an error for who asked for the console, and in CI."""
    (tree / "broken").touch()
    soft = build("--soft")
    assert soft.returncode == 0
    assert "no registry" in soft.stderr
    assert "make console" in soft.stderr
    for arguments, env in (((), {}), (("--soft",), {"CI": "true"}), (("--soft",), {"STRICT_UI": "1"})):
        strict = build(*arguments, **env)
        assert (strict.returncode, "no registry" in strict.stderr) == (1, True)
    assert not (tree / "src" / "remit" / "console").exists()


def test_a_build_that_fails_leaves_what_was_there(tree: Path, build: Build) -> None:
    """The server shows the console before, and the next build is tried again."""
    build()
    (tree / "broken").touch()
    (tree / "console" / "index.html").write_text("two")
    assert build().returncode == 1
    assert (tree / "src" / "remit" / "console" / "index.html").read_text() == "one"
    (tree / "broken").unlink()
    assert build().returncode == 0
    assert (tree / "src" / "remit" / "console" / "index.html").read_text() == "two"


def test_it_can_be_left_out(tree: Path, build: Build) -> None:
    """SKIP_UI=1, and a tree that came built and without sources."""
    assert build("--soft", SKIP_UI="1").returncode == 0
    shutil.rmtree(tree / "console")
    assert build().returncode == 0
    assert asked(tree) == []


def test_npm_sees_no_secret(tree: Path, build: Build) -> None:
    """What packages could read of the surroundings is how the registry is reached, and no more."""
    (tree / "tools" / "npm").write_text(NPM + "env > ../seen\n")
    build(OPENAI_API_KEY="sk-1", REMIT_SECRET_X="y", npm_config_registry="http://127.0.0.1:1/")
    seen = (tree / "seen").read_text()
    assert "npm_config_registry" in seen
    assert "OPENAI" not in seen
    assert "REMIT_SECRET" not in seen
