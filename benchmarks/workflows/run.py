"""Workflows: ours and the peers', one after another in one go: a ratio table, a plot, and the raw JSON.

Usage: python -m benchmarks.workflows.run [--quick] [--no-peers] [--from FILE] [--out DIR]. Peers are installed under
.bench/ when missing, the emulator of Step Functions under .cache/. A ratio above 1 means that Remit is that many times better.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.run import Row, at, higher, lower, plot

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "benchmarks" / "workflows"
PEERS = ROOT / "benchmarks" / "peers"
MINISTACK = ROOT / ".cache" / "ministack"
TIMEOUT_SECONDS = 3600

WAYS = {"read": "ten reads", "effect": "ten effects", "pass": "no calls"}
"""The machine of 20 states: ten add one, and how; ten are choices."""
Json = dict[str, Any]


def main() -> None:
    """Measure everything, print the tables, write workflows.json, workflows.md and workflows.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: they show that it runs")
    parser.add_argument("--no-peers", action="store_true", help="only Remit")
    parser.add_argument(
        "--from", dest="source", type=Path, help="an earlier workflows.json: tables and plot only"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    results: Json = json.loads(chosen.source.read_text()) if chosen.source else measured(chosen)
    if not chosen.source:
        (chosen.out / "workflows.json").write_text(json.dumps(results, indent=1) + "\n")
    rows = list(compare(results))
    table = told(results, rows)
    (chosen.out / "workflows.md").write_text(table)
    print(table)
    if rows:
        plot(rows, chosen.out / "workflows.png")


def measured(chosen: argparse.Namespace) -> Json:
    """Everybody's figures; a peer that could not be measured says why."""
    quick = ["--quick"] if chosen.quick else []
    events = ["--events", "300", "--runs", "1"] if chosen.quick else []
    results: Json = {
        "quick": chosen.quick,
        "remit": ask([sys.executable, "-m", "benchmarks.workflows.ours", *quick]),
        "bus": ask([sys.executable, "-m", "benchmarks.bus.run", "--json", *events]),
    }
    if chosen.no_peers:
        return results
    setup = [sys.executable, str(PEERS / "setup.py"), "langgraph", "dbos"]
    subprocess.run(setup, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
    for name in ("langgraph", "dbos"):
        python = ROOT / ".bench" / name / "bin" / "python"
        results[name] = ask([str(python), str(HERE / f"{name}_peer.py"), *quick])
    results["stepfunctions"] = stepfunctions(quick)
    return results


def stepfunctions(quick: list[str]) -> Json:
    """The emulator's figures; it is stopped afterwards if it was not there before."""
    before = alive()
    try:
        done = subprocess.run(
            [ROOT / "scripts" / "ci" / "ministack.sh"], capture_output=True, text=True, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    found = re.search(r"REMIT_TEST_MINISTACK=(\S+)", done.stdout)
    if done.returncode or found is None:
        return {"error": done.stderr[-500:]}
    try:
        command = [sys.executable, "-m", "benchmarks.workflows.stepfunctions_peer", *quick]
        return ask(command, REMIT_TEST_MINISTACK=found[1])
    finally:
        started = alive()
        if started and started != before:
            os.kill(started, signal.SIGTERM)


def alive() -> int:
    """The emulator's process, or 0."""
    try:
        pid = int((MINISTACK / "pid").read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return 0
    return pid


def ask(command: list[str], **environment: str) -> Json:
    """The JSON object that a command prints, or why there is none."""
    print(" ".join(command[1:]), "...", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        made: Json = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        complaint = done.stderr[-500:] if isinstance(error, ValueError) else str(error)
        print(complaint, file=sys.stderr)
        return {"error": complaint}
    return made


def compare(results: Json) -> Iterator[Row]:
    """Every comparison that both sides were measured for, the peer's best way each time."""
    ours = results["remit"]
    yield from transitions(ours, results)
    yield from at_rest(ours, results)
    for name in ("langgraph", "dbos"):
        theirs = at(results, name, "fanned", "branches_per_second")
        for way in ("parallel_read", "parallel_effect"):
            mine = at(ours, "fanned", way, "branches_per_second")
            yield from higher(
                f"1,000 branches, {way.removeprefix('parallel_')} each, branches/s", name, mine, theirs
            )
    for key, better, what in (
        ("rss_bytes_per_run", lower, "memory of a run that waits for a timer, bytes"),
        ("woken_per_second", higher, "runs/s going on when their timer comes"),
    ):
        yield from better(what, "dbos", at(ours, "waiting", key), at(results, "dbos", "waiting", key))


def transitions(ours: Json, results: Json) -> Iterator[Row]:
    """The machine of 20 states with a call in every second one, against peers that store each of theirs."""
    for mode in ("wal_normal", "wal_full"):
        for way in ("read", "effect"):
            mine = ours["durable"][mode][way]
            what = f"{WAYS[way]}, {mode.replace('_', ' ').replace('wal', 'WAL')}"
            for name in ("langgraph", "dbos"):
                yield from both(what, name, mine, results.get(name, {}).get("durable", {}).get(mode, {}))


def at_rest(ours: Json, results: Json) -> Iterator[Row]:
    """The machine of 20 states that calls nothing: written once, at the end; and the emulator's, which writes nothing."""
    mine, peers = ours["durable"]["wal_normal"], results.get("langgraph", {}).get("durable", {})
    yield from both(
        f"{WAYS['pass']}, WAL normal",
        "langgraph, stored at the end",
        mine["pass"],
        peers.get("wal_normal_exit", {}),
    )
    emulator = results.get("stepfunctions", {}).get("durable", {})
    yield from both(
        f"{WAYS['pass']}, WAL normal",
        "Step Functions emulator, in memory",
        mine["pass"],
        emulator.get("pass", {}),
    )
    yield from both(
        f"{WAYS['effect']}, WAL normal",
        "Step Functions emulator, Lambda",
        mine["effect"],
        emulator.get("lambda", {}),
    )


def both(what: str, peer: str, mine: Json, theirs: Json) -> Iterator[Row]:
    """Alone and a hundred at once."""
    yield from lower(
        f"{what}, ms/transition",
        peer,
        at(mine, "transition_ms", "median"),
        at(theirs, "transition_ms", "median"),
    )
    yield from higher(
        f"{what}, 100 runs at once, transitions/s",
        peer,
        at(mine, "at_once", "steps_per_second"),
        at(theirs, "at_once", "steps_per_second"),
    )


def told(results: Json, rows: list[Row]) -> str:
    """The tables."""
    ours, host = results["remit"], results["remit"]["host"]
    lines = [
        f"{host['cpu']}, {host['cores']} cores, Python {host['python']}, load {host['load_1m']} to {ours['load_1m_after']}",
        *[f"\n{name} was not measured: {each['error']}" for name, each in results.items() if _failed(each)],
    ]
    if rows:
        lines += ["", "| | peer | Remit | peer's | Remit is better by |", "|---|---|---|---|---|"]
        lines += [
            f"| {r.what} | {r.peer} | {r.ours:,.2f} | {r.theirs:,.2f} | **{r.ratio:.1f}x** |" for r in rows
        ]
    lines += [
        "",
        "| Remit alone | |",
        "|---|---|",
        *(f"| {what} | {value} |" for what, value in own(results)),
    ]
    return "\n".join(lines) + "\n"


def _failed(each: Any) -> bool:
    return isinstance(each, dict) and "error" in each


def own(results: Json) -> Iterator[tuple[str, str]]:
    """Figures that no peer has a counterpart for."""
    ours = results["remit"]
    ways = {**WAYS, "pass": "no calls, JSONPath", "pass_jsonata": "no calls, JSONata"}
    for way, what in ways.items():
        each = ours["durable"]["wal_normal"][way]
        many = each["at_once"]
        yield f"{what}, one run at a time, WAL normal", f"{each['transitions_per_second']:,.0f} transitions/s"
        yield (
            f"{what}, {many['runs']} runs at once, WAL normal",
            f"{many['steps_per_second']:,.0f} transitions/s",
        )
    long = ours["refold"]
    yield (
        f"a run of {long['visits']:,} states without calls",
        f"{long['transitions_per_second']:,.0f} transitions/s",
    )
    yield f"reading that run back ({long['events']:,} events)", f"{long['refold_ms']['median']:,.0f} ms"
    fanned = ours["fanned"]
    for way in ("parallel_pass", "parallel_read", "parallel_effect", "map_pass", "map_read", "map_effect"):
        kind, _, what = way.partition("_")
        yield f"{kind} of {fanned['branches']:,}, {what} each", f"{fanned[way]['seconds']:.2f} s"
    waits = ours["waiting"]
    yield (
        f"{waits['runs']:,} runs waiting for a timer, memory of each",
        f"{waits['rss_bytes_per_run']:,.0f} bytes",
    )
    yield "... and on disk", f"{waits['database_bytes_per_run']:,.0f} bytes"
    yield "... all woken and ended after their time came", f"{waits['seconds_to_wake_all']:.1f} s"
    late = ours["wakeup"]
    yield (
        f"one run's timer while {late['others_waiting']:,} others wait, lateness p50 / p99",
        f"{late['p50_ms']:.0f} / {late['p99_ms']:.0f} ms",
    )
    drift = ours["drift"]
    yield (
        f"a schedule's {drift['slots']} slots, lateness of the start p50 / p99 / worst",
        f"{drift['p50_ms']:.0f} / {drift['p99_ms']:.0f} / {drift['max_ms']:.0f} ms",
    )
    for store, mesh in results.get("bus", {}).items():
        if isinstance(mesh, dict):
            yield f"event mesh on {store}, published in batches and handled", f"{mesh['batch']:,} messages/s"
            yield f"event mesh on {store}, publish to handler p50", f"{mesh['latency_p50_ms']} ms"


if __name__ == "__main__":
    main()
