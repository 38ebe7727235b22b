"""Ours and the peers', one after another in one go: a ratio table, a plot, and the raw JSON.

Usage: python -m benchmarks.run [--quick] [--no-peers] [--out DIR]. Peers are installed under .bench/ when missing.
A ratio above 1 means that Remit is that many times better. A peer that could not be measured is named as such.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"


class Row(NamedTuple):
    """One comparison: our value, theirs, and how many times better ours is."""

    what: str
    peer: str
    ours: float
    theirs: float
    ratio: float


def main() -> None:
    """Measure everything, print the table, write results.json, table.md and ratios.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: they show that it runs")
    parser.add_argument("--no-peers", action="store_true", help="only Remit")
    parser.add_argument(
        "--kill-from", type=Path, help="results of an earlier `benchmarks/kill.py`, instead of a run"
    )
    parser.add_argument("--no-kill", action="store_true", help="leave the kill test out")
    parser.add_argument(
        "--peers-from", type=Path, help="results of an earlier `peers/run_all.py`, instead of a run"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    # With it every process compiles all that it imports, ours and the peers': import times would say nothing.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ours = measured([sys.executable, "-m", "benchmarks.remit_bench"], chosen.quick)
    peers = {} if chosen.no_peers else peer_results(chosen)
    kills = kill_results(chosen)
    (chosen.out / "results.json").write_text(
        json.dumps({"remit": ours, "kill": kills, "peers": peers}, indent=1) + "\n"
    )
    rows = list(compare(ours, peers))
    table = markdown(rows, ours) + kill_table(kills, peers.get("kill", {}))
    (chosen.out / "table.md").write_text(table)
    print(table)
    if rows:
        plot(rows, chosen.out / "ratios.png")
    for name, options in OTHERS.items():
        other(name, options, chosen)


OTHERS = {
    "validation": ("--quick", "--no-peers", "--out"),
    "workflows": ("--quick", "--no-peers", "--out"),
    "frameworks": ("--quick", "--out"),
    "sandbox": ("--quick", "--no-peers", "--out"),
    "retrieval": ("--quick", "--no-peers", "--out"),
    "search": ("--quick",),
    "console": ("--quick",),
}
"""Benchmarks that print tables of their own, and which of the options they take."""


def other(name: str, options: tuple[str, ...], chosen: argparse.Namespace) -> None:
    """One of the benchmarks that print tables of their own."""
    wanted = {"--quick": chosen.quick, "--no-peers": chosen.no_peers}
    flags = [option for option in options if wanted.get(option)]
    out = ["--out", str(chosen.out)] if "--out" in options else []
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}.run", *flags, *out], cwd=ROOT, check=False)


def measured(command: list[str], quick: bool) -> dict[str, Any]:
    """The JSON object that a benchmark prints."""
    done = subprocess.run(
        [*command, *(["--quick"] if quick else [])], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def kill_results(chosen: argparse.Namespace) -> dict[str, Any]:
    """Remit's kill test, from a run now or from a file."""
    if chosen.kill_from:
        found: dict[str, Any] = json.loads(chosen.kill_from.read_text())
        return found
    return {} if chosen.no_kill else measured([sys.executable, "-m", "benchmarks.kill"], chosen.quick)


def peer_results(chosen: argparse.Namespace) -> dict[str, Any]:
    """Every peer's result, from a run now (installing what is missing) or from a file."""
    if chosen.peers_from:
        found: dict[str, Any] = json.loads(chosen.peers_from.read_text())["peers"]
        return found
    subprocess.run([sys.executable, str(PEERS / "setup.py")], cwd=ROOT, check=False)
    out = chosen.out / "peers.json"
    command = [sys.executable, str(PEERS / "run_all.py"), "--out", str(out)]
    subprocess.run([*command, *(["--quick"] if chosen.quick else [])], cwd=ROOT, check=False)
    made: dict[str, Any] = json.loads(out.read_text())["peers"]
    return made


def at(tree: Any, *path: str) -> float | None:
    """The number at a path, if it is there."""
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return float(tree) if isinstance(tree, int | float) else None


def lower(what: str, peer: str, ours: float | None, theirs: float | None) -> Iterator[Row]:
    """A comparison where less is better."""
    if ours and theirs:
        yield Row(what, peer, ours, theirs, theirs / ours)


def higher(what: str, peer: str, ours: float | None, theirs: float | None) -> Iterator[Row]:
    """A comparison where more is better."""
    if ours and theirs:
        yield Row(what, peer, ours, theirs, ours / theirs)


def compare(ours: dict[str, Any], peers: dict[str, Any]) -> Iterator[Row]:
    """Every comparison that both sides were measured for, the peer's best configuration each time."""
    yield from turns(ours, peers)
    yield from throughput(ours, peers)
    imports = at(ours, "import_ms", "agent")
    built = at(ours, "build_us", "agent")
    for name, peer in peers.items():
        yield from lower("import, ms", name, imports, least(peer.get("import_ms")))
        yield from lower("build an agent, us", name, built, least(peer.get("build_us")))
    for name in ("langgraph", "dbos"):
        peer = peers.get(name, {})
        yield from lower(
            "memory of a parked run, bytes",
            name,
            at(ours, "parked", "rss_bytes_per_run"),
            at(peer, "parked", "rss_bytes_per_run"),
        )


def least(group: Any) -> float | None:
    """The best of a peer's configurations."""
    return (
        min((float(v) for v in group.values() if isinstance(v, int | float)), default=None)
        if isinstance(group, dict)
        else None
    )


def turns(ours: dict[str, Any], peers: dict[str, Any]) -> Iterator[Row]:
    """Milliseconds a turn: durable against durable at equal durability, and ours durable against theirs in memory."""
    graph, dbos = peers.get("langgraph", {}), peers.get("dbos", {})
    for mode in ("normal", "full"):
        mine = at(ours, "durable", f"wal_{mode}", "alone", "turn_ms", "median")
        theirs = at(graph, "durable", f"wal_{mode}_sync", "alone_sync_saver", "turn_ms", "median")
        yield from lower(f"durable turn, WAL {mode}, ms", "langgraph+SqliteSaver", mine, theirs)
        yield from lower(
            f"durable turn, WAL {mode}, ms",
            "dbos+SQLite",
            mine,
            at(dbos, "durable", f"wal_{mode}", "alone", "turn_ms", "median"),
        )
    mine = at(ours, "durable", "wal_normal", "alone", "turn_ms", "median")
    for name, peer in peers.items():
        medians = {k: at(v, "median") for k, v in (peer.get("turn_ms") or {}).items()}
        yield from lower("our durable turn against theirs in memory, ms", name, mine, least(medians))


def throughput(ours: dict[str, Any], peers: dict[str, Any]) -> Iterator[Row]:
    """Durable steps a second with many runs at once, the peer's better of threads and gather."""
    for mode in ("normal", "full"):
        mine = at(ours, "durable", f"wal_{mode}", "concurrent", "steps_per_second")
        for name, key in (("langgraph", f"wal_{mode}_sync"), ("dbos", f"wal_{mode}")):
            ways = [
                at(peers.get(name, {}), "durable", key, way, "steps_per_second")
                for way in ("concurrent_threads", "concurrent_gather")
            ]
            best = max((w for w in ways if w), default=None)
            yield from higher(f"steps/s, 100 runs at once, WAL {mode}", name, mine, best)


def markdown(rows: list[Row], ours: dict[str, Any]) -> str:
    """The ratio table; without peers, our own numbers."""
    host = ours["host"]
    head = f"{host['cpu']}, {host['cores']} cores, Python {host['python']}, load {host['load_1m']}\n\n"
    if not rows:
        return (
            head
            + "```json\n"
            + json.dumps({k: ours[k] for k in ("durable", "import_ms", "build_us", "parked")}, indent=1)
            + "\n```\n"
        )
    lines = ["| | peer | Remit | peer's | Remit is better by |", "|---|---|---|---|---|"]
    lines += [f"| {r.what} | {r.peer} | {r.ours:,.2f} | {r.theirs:,.2f} | **{r.ratio:.1f}x** |" for r in rows]
    return head + "\n".join(lines) + "\n"


def kill_table(ours: dict[str, Any], peers: dict[str, Any]) -> str:
    """What the bank's ledger says after every engine was killed the same way."""
    results = [*ours.get("results", []), *peers.get("results", [])]
    if not results:
        return ""
    lines = [
        "",
        "| killed with SIGKILL | bank | kills | finished | doubled | lost | asked a person |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['engine']} | {r['bank']} | {r['kills']} | {r['finished']} | **{r['doubled']}** | {r['lost']} | {r['in_doubt']} |"
        for r in results
    ]
    return "\n".join(lines) + "\n"


def plot(rows: list[Row], path: Path) -> None:
    """Ratios as bars on a log scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [f"{r.what} | {r.peer}" for r in rows][::-1]
    values = [r.ratio for r in rows][::-1]
    figure, axes = pyplot.subplots(figsize=(11, 0.32 * len(rows) + 1.2))
    axes.barh(names, values, color=["#2f7d4f" if v >= 1 else "#b4452c" for v in values])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("how many times better Remit is (log scale; left of 1: worse)")
    for i, value in enumerate(values):
        axes.text(value, i, f" {value:.1f}x", va="center", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
