"""Every framework alone and through Remit, side by side: a table, and the raw JSON.

Usage: python -m benchmarks.frameworks.run [--quick] [--out DIR]. Environments are made by scripts/ci/frameworks.sh when missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = {
    "langgraph": "together",
    "strands": "together",
    "agent_framework": "together",
    "crewai": "crewai",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers: they show that it runs")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    install = [ROOT / "scripts" / "ci" / "frameworks.sh", "--install-only", *sorted(set(FRAMEWORKS.values()))]
    subprocess.run(install, cwd=ROOT, check=True)
    found = [measured(name, lock, chosen.quick) for name, lock in FRAMEWORKS.items()]
    (chosen.out / "frameworks.json").write_text(json.dumps(found, indent=1) + "\n")
    print(markdown(found))


def measured(framework: str, lock: str, quick: bool) -> dict[str, Any]:
    """The figures of one framework."""
    python = ROOT / ".bench" / "frameworks" / lock / "bin" / "python"
    command = [str(python), str(ROOT / "benchmarks" / "frameworks" / "overhead.py"), framework]
    done = subprocess.run(
        [*command, *(["--quick"] if quick else [])], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def markdown(found: list[dict[str, Any]]) -> str:
    """The table: medians."""
    lines = [
        "| ms a turn (one question, one tool call) | alone, nothing recorded | through Remit, in memory | through Remit, SQLite | added, SQLite |",
        "|---|---|---|---|---|",
    ]
    for each in found:
        alone, memory, sqlite = (
            each[k]["median"] for k in ("alone_ms", "through_remit_memory_ms", "through_remit_sqlite_ms")
        )
        lines.append(
            f"| {each['framework']} | {alone:.2f} | {memory:.2f} | {sqlite:.2f} | {sqlite - alone:+.2f} ({sqlite / alone:.1f}x) |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
