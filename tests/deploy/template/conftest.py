"""Templates for the tests, synthesised as `remit deploy` does it: in a process of its own, once for all workers."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.deploy.template.sample import SAMPLE, Template

from remit_deploy.config import config_of

ROOT = Path(__file__).resolve().parents[3]
Synthesise = Callable[..., Template]


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """Gives the template of the sample with some differences."""
    if importlib.util.find_spec("aws_cdk") is None:
        reason = "no CDK: pip install 'remit[deploy]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def made(name: str, *options: str, **different: Any) -> Template:
        where = shared / f"template-{name}"
        where.mkdir(exist_ok=True)
        with (where / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the other worker wants the same one
            out = where / "cdk.out"
            if not (out / "manifest.json").exists():
                _run(where, out, different, options)
        (path,) = out.glob("*.template.json")
        return Template(path, json.loads(path.read_text()))

    return made


@pytest.fixture(scope="session")
def full(synthesise: Synthesise) -> Template:
    """Everything there is to choose, in `prod`, checked by cdk-nag and by the CDK's own rules."""
    return synthesise("full", "--checks")


@pytest.fixture(scope="session")
def emulated(synthesise: Synthesise) -> Template:
    """The same for the emulator, in `dev`."""
    return synthesise("emulated", environment="dev", for_emulator=True)


def _run(where: Path, out: Path, different: dict[str, Any], options: tuple[str, ...]) -> None:
    bundle = where / "bundle"
    bundle.mkdir(exist_ok=True)
    (bundle / "app.py").write_text("")
    config = config_of({**SAMPLE, **different, "bundle": str(bundle)})
    (where / "config.json").write_bytes(msgspec.json.encode(config))
    command = [
        sys.executable,
        "-m",
        "remit_deploy.app",
        "--config",
        str(where / "config.json"),
        "--out",
        str(out),
    ]
    path = os.pathsep.join([str(ROOT / "deploy"), str(ROOT / "packs"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, *options],
        cwd=where,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
