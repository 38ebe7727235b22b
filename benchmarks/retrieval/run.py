"""Retrieval beside what users would use instead: one table of quality, one of speed.

    python -m benchmarks.retrieval.run [--quick] [--no-peers] [--out DIR]

Peers are installed in a venv of their own under .bench/ and search the very same vectors and texts. Each of our searches is the
whole way of a tool's call into the library: the query's vector, both rankings, fused, with texts and citations read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.measure import scratch
from benchmarks.retrieval import quality

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".bench" / "retrieval-peers"


def ours(chunks: int, vectors: str) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.retrieval.speed",
        "--chunks",
        str(chunks),
        "--vectors",
        vectors,
    ]
    made: dict[str, Any] = json.loads(
        subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    )
    return made


def peers(chunks: int) -> dict[str, Any]:
    """The peers over the same data."""
    python = VENV / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(ROOT / ".venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", str(VENV)], check=True)
        listed = ROOT / "benchmarks" / "retrieval" / "requirements" / "peers.txt"
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(listed)]
        subprocess.run(install, check=True)
    with scratch() as folder:
        file = folder / "data.npz"
        save = [
            sys.executable,
            "-m",
            "benchmarks.retrieval.speed",
            "--chunks",
            str(chunks),
            "--save",
            str(file),
        ]
        subprocess.run(save, cwd=ROOT, check=True)
        script = str(ROOT / "benchmarks" / "retrieval" / "peers" / "search.py")
        made: dict[str, Any] = json.loads(
            subprocess.run([python, script, file], stdout=subprocess.PIPE, check=True).stdout
        )
        return made


def table(mine: list[dict[str, Any]], theirs: dict[str, Any]) -> str:
    """Markdown; a ratio above 1 says how many times quicker we are with the default, `local`."""
    best = mine[0]["search_ms"]["p50"]
    lines = [
        "| | searches | p50 ms | p95 ms | taken in, s | ours is quicker by |",
        "|---|---|---|---|---|---|",
    ]
    for found in mine:
        took = found["search_ms"]
        lines.append(
            f"| Remit, {found['vectors']} | hybrid, cited | {took['p50']} | {took['p95']} | {found['add_s']} | |"
        )
    for name, found in theirs.items():
        if "problem" in found:
            lines.append(f"| {name} | could not be measured: {found['problem']} | | | | |")
            continue
        took = found["search_ms"]
        ratio = f"**{took['p50'] / best:.1f}x**"
        lines.append(
            f"| {name} | {found['what']} | {took['p50']} | {took['p95']} | {found['add_s']} | {ratio} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write retrieval.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: they show that it runs")
    parser.add_argument("--no-peers", action="store_true", help="only Remit")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chunks = 5_000 if chosen.quick else 100_000
    mine = [ours(chunks, vectors) for vectors in ("local", "usearch")]
    theirs = {} if chosen.no_peers else peers(chunks)
    found = asyncio.run(quality.both("lexical"))
    chosen.out.mkdir(parents=True, exist_ok=True)
    results = {"chunks": chunks, "ours": mine, "peers": theirs, "quality": found}
    (chosen.out / "retrieval.json").write_text(json.dumps(results, indent=1) + "\n")
    print(
        f"\n{mine[0]['chunks']} passages\n\n{table(mine, theirs)}\n\nrecall@5 / MRR\n\n{quality.table(found)}\n"
    )


if __name__ == "__main__":
    main()
