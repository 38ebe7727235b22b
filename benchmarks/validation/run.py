"""Validation side by side: Remit, its peers, and SQL by hand, on the same pair of tables. Prints a table and draws a plot.

Usage: python -m benchmarks.validation.run [--rows N] [--only TEXT ...] [--repeat N] [--no-peers] [--memory] [--quick]

Times are of whole processes, start-up included, the median of `--repeat` runs; `inside` is without the start-up. Memory is
the process's peak; a database server's own is not in it. A tool that answers wrongly is named as wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.measure import host
from benchmarks.validation.cases import CANNOT, DOOR, LIBRARY, LIMIT, QUIET, Case, cases, install
from benchmarks.validation.generate import pair
from benchmarks.validation.server import postgres

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 240
PEERS = ("data_validator", "reladiff", "soda", "great_expectations")
MEMORY_ROWS = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
Json = dict[str, Any]


def main() -> None:
    """Measure, print, and write validation.json, validation.md and validation.png."""
    chosen = _options()
    chosen.out.mkdir(parents=True, exist_ok=True)
    _compiled()
    if chosen.memory:
        results = list(memory(MEMORY_ROWS[: 2 if chosen.quick else 4]))
        _write(chosen.out, "validation_memory", results, memory_table(results))
        return
    failed = {} if chosen.no_peers else {peer: why for peer in PEERS if (why := install(peer))}
    with postgres() as url:
        picked = [case for case in cases(chosen.rows, url) if _wanted(case, chosen, failed)]
        results = [measured(case, chosen.repeat) for case in picked]
    _write(chosen.out, "validation", results, table(results, chosen.rows, failed))
    if any(r["tool"] == DOOR for r in results):
        plot(results, chosen.out / "validation.png")


def measured(case: Case, repeat: int) -> Json:
    """One case: medians, and whether every answer was right."""
    print(f"{case.task} | {case.place} | {case.tool} ...", end=" ", file=sys.stderr, flush=True)
    runs = []
    for _ in range(repeat):
        runs.append(once(case.argv))
        if runs[-1]["error"] or runs[-1]["seconds"] > TIMEOUT_SECONDS / 4:
            break
    error = next((r["error"] for r in runs if r["error"]), "")
    answers = [r["answer"] for r in runs]
    result = {
        "task": case.task,
        "place": case.place,
        "tool": case.tool,
        "seconds": statistics.median(r["seconds"] for r in runs),
        "inside": statistics.median(r["inside"] for r in runs) if not error else None,
        "peak_mb": max(r["peak_mb"] for r in runs),
        "runs": len(runs),
        "right": not error and all(a == case.right for a in answers),
        "answer": answers[0],
        "error": error,
    }
    print(
        f"{result['seconds']:.2f} s {'' if result['right'] else 'NOT RIGHT ' + (error or str(answers[0]))[-200:]}",
        file=sys.stderr,
    )
    return result


def once(argv: list[str]) -> Json:
    """Run a process in a group of its own: seconds, peak memory of it or its greatest child, and what it answered."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(
            argv, cwd=ROOT, stdout=out, stderr=err, start_new_session=True, env=_environment()
        )
        usage, timed_out = _waited(child, started + TIMEOUT_SECONDS)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        said, complaint = out.read().strip(), err.read().strip()
    found: Any = None
    error = f"stopped at {TIMEOUT_SECONDS} s" if timed_out else ""
    if not error:
        try:
            found = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            error = complaint[-400:] or "it said nothing"
    inner = isinstance(found, dict)
    return {
        "seconds": seconds,
        "inside": found["seconds"] if inner else seconds,
        "answer": found["answer"] if inner else found,
        "peak_mb": round(usage / 1024),
        "error": error,
    }


def _compiled() -> None:
    """What is measured is compiled first, so that the first run is as fast as the second."""
    folders = [str(ROOT / part) for part in ("src", "packs", "benchmarks")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=True, env=_environment())


def _environment() -> dict[str, str]:
    """This process's, with the peers' telemetry off, in which Python keeps what it compiled: as where it is installed."""
    return {**{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}, **QUIET}


def _waited(child: subprocess.Popen[str], until: float) -> tuple[int, bool]:
    """Kilobytes at the peak of the greatest process of its group, and whether the time was over."""
    timed_out, peak = False, 0
    while child.poll() is None:
        peak = max(peak, _peak(child.pid))
        if not timed_out and time.perf_counter() > until:
            timed_out = True
            os.killpg(child.pid, signal.SIGKILL)
        time.sleep(0.02)
    return peak, timed_out


def _peak(group: int) -> int:
    """Kilobytes of the greatest resident set so far; what `wait` says would hold this process's own, from before `exec`."""
    found = [0]
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if int((process / "stat").read_text().rpartition(")")[2].split()[2]) == group:
                status = (process / "status").read_text()
                found += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
        except OSError:
            continue  # it ended meanwhile
    return max(found)


def memory(sizes: Iterable[int]) -> Iterator[Json]:
    """Remit's exact diff of Parquet at growing sizes."""
    for rows in sizes:
        files = [str(path) for path in pair(rows)]
        for task in ("diff", "digests"):
            argv = [sys.executable, "-m", "benchmarks.validation.ours", "library", task, *files]
            found = once(argv)
            print(f"{task} {rows:,}: {found['seconds']:.1f} s, {found['peak_mb']} MB", file=sys.stderr)
            yield {"task": task, "rows": rows, **found}


def memory_table(results: list[Json]) -> str:
    """Rows, seconds and peak memory."""
    lines = ["| rows on each side | task | seconds | peak memory |", "|---|---|---|---|"]
    lines += [f"| {r['rows']:,} | {r['task']} | {r['seconds']:.1f} | {r['peak_mb']} MB |" for r in results]
    return "\n".join(lines) + "\n"


def table(results: list[Json], rows: int, failed: dict[str, str]) -> str:
    """Every case, with how many times longer it took than Remit's governed run of the same task in the same place."""
    machine = host()
    lines = [
        f"{rows:,} rows on each side; {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, load {machine['load_1m']}",
        "",
        "| task | where | tool | seconds | inside | peak memory | answer | against a governed run of Remit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in sorted(results, key=lambda r: (r["task"], r["place"], r["seconds"])):
        verdict = "right" if r["right"] else "none" if r["error"] else f"**wrong**: {r['answer']}"
        inside = "" if r["inside"] is None else f"{r['inside']:.2f}"
        shown = r["error"][:60] if r["error"].startswith("stopped") else f"{r['seconds']:.2f}"
        lines.append(
            f"| {r['task']} | {r['place']} | {r['tool']} | {shown} | {inside} | {r['peak_mb']} MB | {verdict} | {_ratio(r, results)} |"
        )
    lines += ["", *(f"- {why}." for why in CANNOT.values())]
    lines += [f"- `{peer}` could not be installed: {why}" for peer, why in failed.items()]
    return "\n".join(lines) + "\n"


def _ratio(result: Json, results: list[Json]) -> str:
    base = next((r for r in results if r["tool"] == DOOR and _same(r, result) and r["right"]), None)
    if base is None or result is base or (result["error"] and not result["error"].startswith("stopped")):
        return ""
    return f"{'more than ' if result['error'] else ''}{result['seconds'] / base['seconds']:.2f}x"


def _same(one: Json, other: Json) -> bool:
    """The same question; a DuckDB file is where peers read what we read as Parquet, and digests answer `columns` too."""
    tasks = [{"columns": "digests"}.get(r["task"], r["task"]) for r in (one, other)]
    places = [r["place"].replace("DuckDB file", "parquet") for r in (one, other)]
    return tasks[0] == tasks[1] and places[0] == places[1]


def plot(results: list[Json], path: Path) -> None:
    """Seconds of the row diff, by place and tool, on a log scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = sorted(
        (r for r in results if r["task"] == "diff"), key=lambda r: (r["place"], r["seconds"]), reverse=True
    )
    figure, axes = pyplot.subplots(figsize=(11, 0.36 * len(shown) + 1.2))
    colours = {DOOR: "#2f7d4f", LIBRARY: "#6aa883", LIMIT: "#8a8a8a"}
    names = [f"{r['place']} | {r['tool']}{'' if r['right'] else ' (not right)'}" for r in shown]
    axes.barh(names, [r["seconds"] for r in shown], color=[colours.get(r["tool"], "#b4452c") for r in shown])
    axes.set_xscale("log")
    axes.set_xlabel("seconds for an exact row diff, start-up included (log scale; less is better)")
    for i, result in enumerate(shown):
        axes.text(result["seconds"], i, f" {result['seconds']:.1f} s", va="center", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _wanted(case: Case, chosen: argparse.Namespace, failed: dict[str, str]) -> bool:
    own = case.tool in (DOOR, LIBRARY, LIMIT)
    if not own and (chosen.no_peers or case.tool.split()[0] in failed):
        return False
    name = f"{case.task} {case.place} {case.tool}".lower()
    return not chosen.only or any(text.lower() in name for text in chosen.only)


def _write(out: Path, name: str, results: list[Json], text: str) -> None:
    (out / f"{name}.json").write_text(json.dumps({"host": host(), "results": results}, indent=1) + "\n")
    (out / f"{name}.md").write_text(text)
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=None, help="rows on each side; 10,000,000 unless told")
    parser.add_argument(
        "--only", nargs="+", default=[], help="cases whose task, place or tool holds one of these texts"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="only Remit and SQL by hand")
    parser.add_argument(
        "--memory", action="store_true", help="only Remit's memory at 1, 3, 10 and 30 million rows"
    )
    parser.add_argument("--quick", action="store_true", help="100,000 rows, once: it shows that it runs")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chosen.rows = chosen.rows or (100_000 if chosen.quick else 10_000_000)
    chosen.repeat = 1 if chosen.quick else chosen.repeat
    return chosen


if __name__ == "__main__":
    main()
