"""Kill Remit at every point of every effect and at random instants; count effects at the bank's own ledger.

Usage: python -m benchmarks.kill [--quick]. The same supervisor, bank, points and instants as for the peers
(`benchmarks/peers/kill_peers.py`). `in_doubt`: runs that stopped and asked a person instead of guessing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.common.killing import EFFECTS, Engine, kill_test
from benchmarks.common.measure import Json, emit, options

ROOT = Path(__file__).resolve().parents[1]
BANKS = {"keyed": ["--keyed"], "lookup": ["--plain", "--lookup"], "plain": ["--plain"]}


def at_bank(kind: str, indexes: range, randoms: int) -> Json:
    """Every kill at one kind of bank."""
    engine = Engine("remit", [sys.executable, "-m", "benchmarks.remit_kill", kind])
    return {**kill_test(engine, BANKS[kind], indexes, randoms), "bank": kind}


def measure(quick: bool) -> Json:
    """Every kind of bank."""
    indexes, randoms = (range(10, 11), 2) if quick else (range(EFFECTS), 20)
    return {"effects_per_run": EFFECTS, "results": [at_bank(kind, indexes, randoms) for kind in BANKS]}


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
