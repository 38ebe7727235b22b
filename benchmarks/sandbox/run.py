"""Start of a sandbox: `print('hello')` in ours, in a plain process that holds nothing, and in what else there is.

Usage: python -m benchmarks.sandbox.run [--rounds 50] [--quick] [--no-peers] [--out DIR]. Each round is a fresh sandbox. A ratio above 1
means that ours is that many times faster. `unsafe`: it is no sandbox, and is here for what safety costs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.measure import host
from benchmarks.run import ROOT, Row
from remit.adapters.sandbox.bubblewrap import Bubblewrap
from remit.adapters.sandbox.monty import Monty
from remit.core.errors import ConfigError

HELLO = "print('hello')"
DATA = "import numpy\nprint(int(numpy.arange(1000).sum()))"
Runner = Callable[[str], Awaitable[str]]
DOCKER = (
    "docker",
    "run",
    "--rm",
    "--network=none",
    "--read-only",
    "--cap-drop=ALL",
    "python:3.11-slim",
    "python",
    "-c",
)


def main() -> None:
    """Measure, print the table, write sandbox.json and sandbox.md."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="five rounds: they show that it runs")
    parser.add_argument("--no-peers", action="store_true", help="only ours")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    rounds = 5 if chosen.quick else chosen.rounds
    runners = {**dict(ours()), **({} if chosen.no_peers else dict(others()))}
    results = {name: asyncio.run(measured(run, rounds)) for name, run in runners.items()}
    table = markdown(results)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "sandbox.json").write_text(
        json.dumps({"host": host(), "sandboxes": results}, indent=1) + "\n"
    )
    (chosen.out / "sandbox.md").write_text(table)
    print(table)


def ours() -> Iterator[tuple[str, Runner]]:
    """The sandboxes on this machine that can be had."""
    for name, make in (("bubblewrap", lambda: Bubblewrap(packages=["numpy"])), ("monty", Monty)):
        try:
            sandbox: Any = make()
        except ConfigError as error:
            print(f"{name}: {error.message}", file=sys.stderr)
            continue

        async def run(code: str, sandbox: Any = sandbox) -> str:
            outcome = await sandbox.run(code)
            return outcome.stdout if outcome.ending == "ok" else ""

        yield name, run


def others() -> Iterator[tuple[str, Runner]]:
    """What users would take instead, where it is here."""
    yield "plain process (unsafe)", lambda code: process(sys.executable, "-I", "-c", code)
    if (
        shutil.which("docker")
        and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        yield "docker run", lambda code: process(*DOCKER, code)
    else:
        print("docker run: no engine here", file=sys.stderr)


async def process(*argv: str) -> str:
    """What a process prints."""
    started = await asyncio.create_subprocess_exec(*argv, stdout=-1, stderr=-1)
    out, _ = await started.communicate()
    return out.decode()


async def measured(run: Runner, rounds: int) -> dict[str, Any]:
    """Milliseconds of fresh starts, after one that is not counted; what cannot run a code has no figures for it."""
    found: dict[str, Any] = {}
    for name, code, wanted in (("hello", HELLO, "hello\n"), ("numpy", DATA, "499500\n")):
        if await run(code) != wanted:
            continue
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            await run(code)
            times.append((time.perf_counter() - began) * 1000)
        times.sort()
        found[name] = {"p50_ms": statistics.median(times), "p95_ms": times[int(0.95 * (len(times) - 1))]}
    return found


def rows(results: dict[str, Any]) -> Iterator[Row]:
    """Ours against each other one."""
    mine = results.get("bubblewrap", {})
    for name, theirs in results.items():
        for code in mine.keys() & theirs.keys():
            if name != "bubblewrap":
                a, b = mine[code]["p50_ms"], theirs[code]["p50_ms"]
                yield Row(f"start, {code}, ms", name, a, b, b / a)


def markdown(results: dict[str, Any]) -> str:
    """All figures, and the ratios."""
    about = host()
    head = f"{about['cpu']}, {about['cores']} cores, Python {about['python']}, load {about['load_1m']}\n\n"
    lines = ["| sandbox | hello p50 / p95, ms | numpy p50 / p95, ms |", "|---|---|---|"]
    for name, found in results.items():
        cells = [
            f"{found[c]['p50_ms']:.1f} / {found[c]['p95_ms']:.1f}" if c in found else "-"
            for c in ("hello", "numpy")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| | against | bubblewrap | theirs | bubblewrap is faster by |", "|---|---|---|---|---|"]
    lines += [
        f"| {r.what} | {r.peer} | {r.ours:,.1f} | {r.theirs:,.1f} | **{r.ratio:.2f}x** |"
        for r in rows(results)
    ]
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
