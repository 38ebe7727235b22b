"""The console with 100,000 steps in a run, 50,000 runs and 5,000 approvals, and Dagster's page of a run of as many steps.

    python -m benchmarks.console.run [--quick] [--looks 3]

Prints a table and writes benchmarks/results/console.json. The world is kept in .bench/console. Dagster is measured where it is
installed: `uv venv .bench/dagster && uv pip install --python .bench/dagster/bin/python dagster==1.13.27 dagster-webserver==1.13.27`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.console import dagster_console, remit_console
from benchmarks.console.browsing import Measured
from benchmarks.console.world import app_in, fill

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "console.json"

SIZES = {"steps": 100_000, "runs": 50_000, "approvals": 5_000}
QUICK = {"steps": 2_000, "runs": 300, "approvals": 40}
PEER_STEPS = (1_000, 10_000, 100_000)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, for CI: they show that it runs")
    parser.add_argument("--looks", type=int, default=3)
    parser.add_argument(
        "--remit", action="store_true", help="measure Remit alone, and keep what was measured of others"
    )
    given = parser.parse_args()
    sizes = QUICK if given.quick else SIZES
    looks = 1 if given.quick else given.looks
    scratch = ROOT / ".bench" / "console"
    rows: list[tuple[str, str, Measured | str]] = []
    world = scratch / ("quick" if given.quick else "world")
    asyncio.run(_fill(world, sizes))
    before = os.getloadavg()[0]
    for page, measured in remit_console.measure(world, sizes["steps"], looks).items():
        rows.append((f"Remit, {page}", _size(page, sizes), measured))
    if given.remit:
        known = json.loads(RESULT.read_text())["rows"]
        peers = [row for row in known if not row["page"].startswith("Remit")]
        rows += [(row["page"], row["size"], _measured(row)) for row in peers]
    elif dagster_console.installed():
        for steps in PEER_STEPS[:1] if given.quick else PEER_STEPS:
            found = dagster_console.measure(scratch / f"dagster-{steps}", steps, looks)
            rows.append((f"Dagster {dagster_console.VERSION}, run", f"{steps:,} steps", found))
    _say(rows)
    if not given.quick:
        told = {"load_before": before, "cores": os.cpu_count(), "rows": [_plain(row) for row in rows]}
        RESULT.write_text(json.dumps(told, indent=2) + "\n")


async def _fill(world: Path, sizes: dict[str, int]) -> None:
    world.mkdir(parents=True, exist_ok=True)
    async with app_in(world) as app:
        await fill(app, **sizes)


def _size(page: str, sizes: dict[str, int]) -> str:
    name = page if page in sizes else "steps"
    return f"{sizes[name]:,} {name}"


def _measured(row: dict[str, Any]) -> Measured | str:
    problem: str | None = row.get("problem")
    if problem is not None:
        return problem
    return msgspec.convert({k: v for k, v in row.items() if k not in ("page", "size")}, Measured)


def _plain(row: tuple[str, str, Measured | str]) -> dict[str, Any]:
    what, size, measured = row
    shown = {"problem": measured} if isinstance(measured, str) else msgspec.to_builtins(measured)
    return {"page": what, "size": size, **shown}


def _say(rows: list[tuple[str, str, Measured | str]]) -> None:
    """The table, in Markdown; a ratio against Remit's run of the largest size."""
    ours = next(m for what, _, m in rows if what == "Remit, run" and isinstance(m, Measured))
    print(
        "| Page | Size | First view | To the end | Script heap | Longest task | Received | First view, ratio |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for what, size, m in rows:
        if isinstance(m, str):
            print(f"| {what} | {size} | {m} | | | | | |")
            continue
        end = "" if m.end_s is None else f"{m.end_s:.2f} s"
        ratio = f"{m.first_s / ours.first_s:.1f}" if "run" in what.split()[-1] else ""
        print(
            f"| {what} | {size} | {m.first_s:.2f} s | {end} | {m.heap_mb:.0f} MB | {m.longest_ms:.0f} ms "
            f"| {m.received_mb:.1f} MB | {ratio} |"
        )


if __name__ == "__main__":
    main()
