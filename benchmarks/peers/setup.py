"""Create one isolated virtual environment per peer under `.bench/`.

Usage: python benchmarks/peers/setup.py [peer ...] [--clean]

Each peer's direct requirements are pinned in `requirements/<peer>.txt`; the whole resolution that was really
installed is written to `.bench/<peer>.freeze.txt` and the outcome to `.bench/status.json`. A peer that does not
install is reported there with the reason and the others go on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BENCH = HERE.parents[1] / ".bench"
STATUS = BENCH / "status.json"
PEERS = sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))


def find_uv() -> str:
    """Path of the uv executable: $UV, then PATH, then the place where this project's machines have it."""
    for candidate in (os.environ.get("UV"), shutil.which("uv"), "/tmp/uvx/bin/uv"):
        if candidate and Path(candidate).exists():
            return candidate
    sys.exit("uv is not installed; help: `python3 -m pip install uv`, or set UV to its path")


def run(*argv: str) -> str:
    """Run a command and return its standard output; raise with its standard error on failure."""
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-800:])
    return done.stdout


def python_of(peer: str) -> Path:
    """The interpreter of a peer's virtual environment."""
    return BENCH / peer / "bin" / "python"


def build(uv: str, peer: str) -> None:
    """Make the environment (kept when it is there) and install exactly the pinned requirements."""
    if not python_of(peer).exists():
        run(uv, "venv", "--quiet", "--python", sys.executable, str(BENCH / peer))
    requirements = HERE / "requirements" / f"{peer}.txt"
    run(uv, "pip", "install", "--quiet", "--python", str(python_of(peer)), "-r", str(requirements))
    freeze = run(uv, "pip", "freeze", "--python", str(python_of(peer)))
    (BENCH / f"{peer}.freeze.txt").write_text(freeze)


def install(uv: str, peer: str) -> dict[str, Any]:
    """Install one peer and say how it went: `{installed, seconds, distributions}` or `{installed, error}`."""
    started = time.perf_counter()
    try:
        build(uv, peer)
    except RuntimeError as error:
        return {"installed": False, "error": str(error)}
    lines = (BENCH / f"{peer}.freeze.txt").read_text().splitlines()
    return {
        "installed": True,
        "seconds": round(time.perf_counter() - started, 1),
        "distributions": len(lines),
    }


def recorded_status() -> dict[str, Any]:
    """How it went for each peer so far."""
    status: dict[str, Any] = json.loads(STATUS.read_text()) if STATUS.exists() else {}
    return status


def prepare(clean: bool) -> None:
    """Make `.bench/`, hidden from git whatever the repository's own ignore file says."""
    if clean:
        shutil.rmtree(BENCH, ignore_errors=True)
    BENCH.mkdir(exist_ok=True)
    (BENCH / ".gitignore").write_text("*\n")


def main() -> None:
    """Install the peers named on the command line, all by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="*", help=f"default: all of {', '.join(PEERS)}")
    parser.add_argument("--clean", action="store_true", help="remove .bench first")
    options = parser.parse_args()
    prepare(options.clean)
    uv = find_uv()
    status = recorded_status() | {peer: install(uv, peer) for peer in options.peers or PEERS}
    STATUS.write_text(json.dumps(status, indent=1) + "\n")
    print(json.dumps(status, indent=1))


if __name__ == "__main__":
    main()
