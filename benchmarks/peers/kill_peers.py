"""Kill LangGraph and DBOS at every point of every effect and at random instants; count effects at the bank.

Usage: python benchmarks/peers/kill_peers.py [--quick]      (any Python; the engines run in their own environments)
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.killing import EFFECTS, Engine, kill_test
from common.measure import Json, emit, options

HERE = Path(__file__).resolve().parent
BENCH = HERE.parents[1] / ".bench"
BANKS = ("--plain", "--keyed")
ENGINES = ("langgraph", "dbos")


def engine(name: str) -> Engine:
    """A peer in its own environment."""
    return Engine(name, [str(BENCH / name / "bin" / "python"), str(HERE / f"{name}_kill.py")])


def both_banks(name: str, indexes: Sequence[int], randoms: int) -> list[Json]:
    """One engine at every bank at once: a recovery is mostly waiting."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda bank: kill_test(engine(name), [bank], indexes, randoms), BANKS))


def measure(quick: bool) -> Json:
    """Every engine at every bank."""
    indexes, randoms = ([EFFECTS // 2], 1) if quick else (range(EFFECTS), 20)
    results = [both_banks(name, indexes, randoms) for name in ENGINES]
    return {
        "effects_per_run": EFFECTS,
        "results": list(itertools.chain.from_iterable(results)),
        "notes": [
            "counted from the bank's own ledger; a run is killed once, then resumed by the engine's own recovery",
            "random instants: uniform over an undisturbed run, with 10 ms on the wire to the bank, half on each side",
            "kills of random_instant can be fewer than runs: a run that ended before its instant was not killed",
        ],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
