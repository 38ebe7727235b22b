"""The emulator in an environment of its own: it pins botocore, and its Lambda functions can import whatever lies beside it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from remit.core.errors import ConfigError
from remit_deploy import tools
from remit_deploy.emulator.launcher import PACKAGE, VERSION

BOTO3 = "1.43.106"
REQUIREMENTS = (f"{PACKAGE}=={VERSION}", f"boto3=={BOTO3}", "cryptography")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def directory() -> Path:
    """Where it is installed once for all projects of this user."""
    return Path.home() / ".cache" / "remit" / f"{PACKAGE}-{VERSION}-py{PYTHON}"


def python(where: Path) -> Path:
    """The interpreter of an installed emulator, which also runs its Lambda functions."""
    return where / "bin" / "python"


def install(where: Path | None = None) -> Path:
    """Install the emulator unless it is there; its directory. An interrupted install leaves nothing. Raises ConfigError."""
    where = where or directory()
    if python(where).exists():
        return where
    where.parent.mkdir(parents=True, exist_ok=True)
    made = where.with_name(f"{where.name}.{os.getpid()}")
    try:
        _make(made)
        made.rename(where)
    except OSError:
        if not python(where).exists():  # or somebody else has just installed it
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return where


def _make(where: Path) -> None:
    uv = tools.uv()
    if uv:
        steps = [
            [uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(where)],
            [uv, "pip", "install", "--quiet", "--python", str(python(where)), *REQUIREMENTS],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(where)],
            [str(python(where)), "-m", "pip", "install", "--quiet", *REQUIREMENTS],
        ]
    for step in steps:
        done = tools.run(step)
        if done.returncode:
            raise ConfigError(
                f"the emulator `{PACKAGE}` {VERSION} could not be installed: {tools.last_lines(done)}",
                code="E869",
                help="check that this machine reaches the Python package index, then run it again",
            )
