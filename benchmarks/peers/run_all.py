"""Run every peer's benchmark and the kill test, one after another, and merge their results into one JSON object.

Usage: python benchmarks/peers/run_all.py [--quick] [--out results.json] [--only NAME ...]

Run `setup.py` first. A peer that is not installed or fails is in the result with the reason, and the others go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from setup import HERE, PEERS, python_of, recorded_status

KILL = "kill"
TIMEOUT_SECONDS = 1800


def command(name: str) -> list[str]:
    """The command that prints a benchmark's JSON object."""
    if name == KILL:
        return [sys.executable, str(HERE / "kill_peers.py")]
    return [str(python_of(name)), str(HERE / f"{name}_bench.py")]


def run(name: str, quick: bool) -> dict[str, Any]:
    """One benchmark's result with the seconds it took, or `{"error": ...}`."""
    started = time.perf_counter()
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    result = attempt([*command(name), *(["--quick"] if quick else [])])
    took = round(time.perf_counter() - started, 1)
    print(f"{took} s{' FAILED' if 'error' in result else ''}", file=sys.stderr)
    return result | {"seconds": took}


def attempt(argv: list[str]) -> dict[str, Any]:
    """The JSON object that the command prints, or why there is none."""
    if not Path(argv[0]).exists():
        return {
            "error": "not installed",
            "setup": recorded_status().get(Path(argv[1]).stem.removesuffix("_bench")),
        }
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return {"error": f"no result after {TIMEOUT_SECONDS} s"}
    if done.returncode:
        return {"error": done.stderr[-2000:]}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure, then write to --out or standard output."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, for CI")
    parser.add_argument("--out", type=Path, help="file for the merged JSON; standard output without it")
    parser.add_argument("--only", nargs="+", choices=[*PEERS, KILL], default=[*PEERS, KILL])
    options = parser.parse_args()
    peers = {name: run(name, options.quick) for name in options.only}
    merged = {"quick": options.quick, "setup": recorded_status(), "peers": peers}
    text = json.dumps(merged, indent=1) + "\n"
    options.out.write_text(text) if options.out else print(text, end="")
    sys.exit(1 if any("error" in each for each in peers.values()) else 0)


if __name__ == "__main__":
    main()
