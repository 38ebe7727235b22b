"""Measuring, the same way for Remit and for its peers. Standard library only.

Units are in the names: `_ms` milliseconds, `_us` microseconds, `_bytes` bytes, `_per_second` per second of wall time.
Every benchmark script prints exactly one JSON object to standard output (`emit`).
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SCRATCH = Path(__file__).resolve().parents[2] / ".bench" / "scratch"
IMPORT_TIMER = "import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"


def options(description: str | None) -> argparse.Namespace:
    """Parse the one option that every script takes: `--quick`, numbers small enough for CI."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small numbers, for CI: they show that it runs")
    return parser.parse_args()


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory on the repository's own disk (a machine's /tmp may be memory), removed afterwards."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=SCRATCH))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def seconds_of(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def sample(call: Callable[[], object], times: int, warmup: int = 2) -> list[float]:
    """Wall seconds of each of `times` calls, after `warmup` calls that are not counted."""
    for _ in range(warmup):
        call()
    return [seconds_of(call) for _ in range(times)]


def spread_ms(seconds: Sequence[float], per: int = 1) -> Json:
    """Median, fastest and slowest in milliseconds, each divided by `per` (turns in a run, say)."""
    scaled = sorted(value * 1000 / per for value in seconds)
    return {
        "median": round(statistics.median(scaled), 4),
        "min": round(scaled[0], 4),
        "max": round(scaled[-1], 4),
    }


def one_by_one(seconds: Sequence[float], turns: int, steps: int) -> Json:
    """Of runs made one after another: milliseconds a turn, and durable steps a second at the median run."""
    rate = steps / statistics.median(seconds)
    return {"turn_ms": spread_ms(seconds, turns), "steps_per_second": round(rate, 1)}


def at_once(seconds: Sequence[float], runs: int, steps: int) -> Json:
    """Of batches of `runs` concurrent runs: durable steps a second over all of them at the median batch."""
    batch = statistics.median(seconds)
    return {
        "runs": runs,
        "batch_seconds": round(batch, 3),
        "steps_per_second": round(runs * steps / batch, 1),
    }


def parked_runs(count: int, seconds: float, memory_bytes: int, database_bytes: int) -> Json:
    """Of `count` runs that wait: time to get there, growth of memory and of the database, and both for each run."""
    return {
        "runs": count,
        "seconds_to_park": round(seconds, 2),
        "rss_growth_bytes": memory_bytes,
        "database_growth_bytes": database_bytes,
        "rss_bytes_per_run": round(memory_bytes / count, 1),
        "database_bytes_per_run": round(database_bytes / count, 1),
    }


def build_us(build: Callable[[], object], times: int) -> float:
    """Median microseconds to construct one object."""
    return round(statistics.median(sample(build, times, warmup=3)) * 1e6, 2)


def import_ms(statement: str, times: int) -> float:
    """Median milliseconds that `statement` takes in a fresh interpreter (its own start-up not counted).

    With more than one, one interpreter more goes first, not counted, so that byte code and disk cache are warm.
    """
    code = IMPORT_TIMER.format(statement=statement)
    cold = 1 if times > 1 else 0
    warm = [_import_seconds(code) for _ in range(times + cold)][cold:]
    return round(statistics.median(warm) * 1000, 1)


def _import_seconds(code: str) -> float:
    """Seconds printed by one fresh interpreter, whatever else the import printed."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def rss_bytes() -> int:
    """Resident memory of this process after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def database_bytes(path: Path) -> int:
    """Bytes of a SQLite database on disk with the write-ahead log folded in."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(each.stat().st_size for each in path.parent.glob(path.name + "*"))


def versions(*distributions: str) -> dict[str, str]:
    """Installed version of each distribution."""
    return {name: importlib.metadata.version(name) for name in distributions}


def host() -> Json:
    """The machine and how busy it was: a figure without them says little."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    """The processor's own name, or unknown."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else "unknown"


def emit(measure: Callable[[], Mapping[str, Any]]) -> None:
    """Print the result of `measure` as the one JSON object on standard output.

    Anything else the measured code prints, even later from a thread of its own, goes to standard error.
    """
    with os.fdopen(os.dup(1), "w") as stdout:
        os.dup2(2, 1)
        before = host()
        result = {"host": before, **measure(), "load_1m_after": round(os.getloadavg()[0], 2)}
        json.dump(result, stdout, indent=1)
        stdout.write("\n")
