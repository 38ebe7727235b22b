"""Cold starts: a Lambda function with one agent and one tool on Bedrock, ours beside the peers', in fresh processes.

Usage: python -m benchmarks.coldstart.run [--rounds 15] [--quick] [--fresh] [--from FILE] [--out DIR]. Bundles are built
under .bench/coldstart/ when missing (`--fresh`: again). Bedrock is a server on this machine that answers at once, so that
what remains is the time of the framework. Ours is measured as it is: each turn goes through policy, budget and a durable
journal (SQLite on disk); the peers keep nothing. A ratio above 1 means that Remit is that many times better.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.coldstart.bundles import BUNDLES, HERE, PEERS, ROOT, ours, runtime, sizes, theirs
from benchmarks.common.measure import host
from benchmarks.run import Row, at, lower, plot
from remit.testing.model_server import Call, ModelServer, Turn

Json = dict[str, Any]
TIMEOUT_SECONDS = 120
FIGURES = {
    "cold_ms": "cold start and first turn, ms",
    "import_ms": "import of the handler, ms",
    "first_turn_ms": "first turn, ms",
    "warm_turn_ms": "second turn, ms",
    "rss_mb": "memory, MB",
    "modules": "modules loaded",
    "zip_mb": "bundle, zip, MB",
    "unzipped_mb": "bundle, unzipped, MB",
}
COMPARED = ("cold_ms", "warm_turn_ms", "rss_mb", "modules", "zip_mb", "unzipped_mb")
"""What is compared: where import ends and the first turn begins is each framework's own choice."""

TURNS = (Turn(calls=(Call("call-1", "add", '{"a": 2, "b": 3}'),)), Turn("it is 5"))


def main() -> None:
    """Measure, print the table, write coldstart.json, coldstart.md and coldstart.png."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="fresh processes for each")
    parser.add_argument("--quick", action="store_true", help="two rounds: they show that it runs")
    parser.add_argument("--fresh", action="store_true", help="build all bundles again")
    parser.add_argument(
        "--from", dest="source", type=Path, help="an earlier coldstart.json: table and plot only"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    results: Json = json.loads(chosen.source.read_text()) if chosen.source else measured(chosen)
    if not chosen.source:
        (chosen.out / "coldstart.json").write_text(json.dumps(results, indent=1) + "\n")
    rows = list(compare(results))
    table = told(results, rows)
    (chosen.out / "coldstart.md").write_text(table)
    print(table)
    if rows:
        plot(rows, chosen.out / "coldstart.png")


def measured(chosen: argparse.Namespace) -> Json:
    """Everybody's figures, round by round in turn, so that a busy moment hits all alike."""
    results: Json = {"host": host(), "rounds": 2 if chosen.quick else chosen.rounds}
    bundles = {"remit": ours(fresh=True)}
    for peer in PEERS:
        try:
            bundles[peer] = theirs(peer, chosen.fresh)
        except RuntimeError as error:
            results[peer] = {"error": str(error)}
    provided = runtime(chosen.fresh)
    found: dict[str, list[Json]] = {name: [] for name in bundles}
    with ModelServer() as server:
        for number in range(results["rounds"] + 1):
            for name, bundle in bundles.items():
                one = once(server, name, bundle, provided)
                if number:  # the first round brings the files into the disk cache
                    found[name].append(one)
    for name, rounds in found.items():
        errors = [one["error"] for one in rounds if "error" in one]
        results[name] = {"error": errors[0]} if errors else {**summary(rounds), **sizes(bundles[name])}
    results["load_1m_after"] = round(os.getloadavg()[0], 2)
    return results


def once(server: ModelServer, name: str, bundle: Path, provided: Path) -> Json:
    """One cold start in a fresh process."""
    server.script(*TURNS, *TURNS)
    home = BUNDLES / "home"
    shutil.rmtree(home, ignore_errors=True)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": server.bedrock_url,
        "REMIT_HOME": str(home),
        "REMIT_CHAT_AGENT": "adder",
        "REMIT_LOG_JSON": "1",
    }
    module = "remit.functions.chat" if name == "remit" else f"{name}_handler"
    command = [sys.executable, "-I", "-S", str(HERE / "once.py"), str(bundle), str(provided), module]
    try:
        done = subprocess.run(
            command, cwd=bundle, env=environ, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return {"error": f"no answer after {TIMEOUT_SECONDS} s"}
    left = server.left
    if done.returncode or left:
        return {"error": done.stderr[-2000:] or f"{left} answers of the model were not asked for"}
    made: Json = json.loads(done.stdout.splitlines()[-1])
    return made


def summary(rounds: list[Json]) -> Json:
    """The median of each figure, and its smallest and largest."""
    return {
        name: {
            "median": round(statistics.median(one[name] for one in rounds), 2),
            "min": round(min(one[name] for one in rounds), 2),
            "max": round(max(one[name] for one in rounds), 2),
        }
        for name in rounds[0]
    }


def figure(results: Json, who: str, name: str) -> float | None:
    """One figure of one framework."""
    return at(results, who, name, "median") or at(results, who, name)


def compare(results: Json) -> Iterator[Row]:
    """Each figure of each peer beside ours."""
    for name in COMPARED:
        for peer in PEERS:
            yield from lower(FIGURES[name], peer, figure(results, "remit", name), figure(results, peer, name))


def told(results: Json, rows: list[Row]) -> str:
    """The tables: every figure, then how many times better."""
    machine, who = results["host"], ("remit", *PEERS)
    head = (
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, load {machine['load_1m']}; "
    )
    lines = [f"{head}median of {results['rounds']} fresh processes\n", f"| | {' | '.join(who)} |"]
    lines.append("|---" * (len(who) + 1) + "|")
    for name, what in FIGURES.items():
        values = [figure(results, each, name) for each in who]
        shown = ["" if value is None else f"{value:,.0f}" for value in values]
        lines.append(f"| {what} | {' | '.join(shown)} |")
    lines += ["", "| | peer | Remit is better by |", "|---|---|---|"]
    lines += [f"| {row.what} | {row.peer} | **{row.ratio:.1f}x** |" for row in rows]
    failed = [
        f"{name} could not be measured: {results[name]['error']}" for name in who if "error" in results[name]
    ]
    return "\n".join([*lines, *([""] if failed else []), *failed]) + "\n"


if __name__ == "__main__":
    main()
