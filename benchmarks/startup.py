"""Start-up: `import remit` and `remit --help`, each in fresh processes, median of 7. Run: python benchmarks/startup.py"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

ROUNDS = 7
CASES = {
    "python (nothing)": "pass",
    "import remit": "import remit",
    "from remit import Agent": "from remit import Agent",
    "from remit import open_app": "from remit import open_app",
    "remit --help": "from remit.cli.main import execute; execute(['--help'])",
    "remit version": "from remit.cli.main import execute; execute(['version'])",
}


def seconds(code: str) -> float:
    """How long a fresh interpreter takes for `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure all cases in turn, so that a busy moment hits each alike."""
    taken: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, code in CASES.items():
            taken[name].append(seconds(code))
    medians = {name: round(statistics.median(values), 4) for name, values in taken.items()}
    if "--json" in sys.argv:
        print(json.dumps(medians, indent=2))
        return
    for name, median in medians.items():
        print(f"{name:28} {median * 1000:7.1f} ms   (min {min(taken[name]) * 1000:.1f}, of {ROUNDS})")


if __name__ == "__main__":
    main()
