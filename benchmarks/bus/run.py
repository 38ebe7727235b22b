"""The event bus: durable messages a second, from `publish` to the acknowledged delivery to a handler in this process.

    python -m benchmarks.bus.run [--events N] [--runs N] [--json]     (with remit installed, or PYTHONPATH=src)

Each figure is the median of `--runs` runs on a fresh SQLite file. `batch`: events are published a hundred at a time, `single`:
one at a time by 64 publishers; `keyed`: with 100 partition keys; `fan-out`: to three subscriptions, counted per event;
`latency`: milliseconds from `publish` to the handler, one event at a time on an idle bus; `cpu`: processor time of this process per
message of `batch`, in microseconds, which says more than the rest on a machine that is busy. PostgreSQL is measured when
REMIT_TEST_POSTGRES names one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from remit.adapters.clock.system import SystemClock
from remit.adapters.store.sqlite import SqliteStore
from remit.core.cloudevent import CloudEvent
from remit.engine.bus.local import LocalBus
from remit.engine.bus.records import COLLECTIONS, READY
from remit.ports.bus import Delivery, Subscription
from remit.ports.store import Store

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
SCRATCH = Path(__file__).resolve().parents[2] / ".bench" / "scratch"
TENANT = "bench"
TOGETHER = 100
PUBLISHERS = 64
PATTERN = {"type": ["order.placed"], "data": {"total": [{"numeric": [">", 0]}]}}


def sqlite(folder: Path) -> Store:
    """A fresh file."""
    return SqliteStore(folder / "bus.db", SystemClock())


def postgres(folder: Path) -> Store:
    """A fresh schema."""
    from remit.adapters.store.postgres import PostgresStore

    return PostgresStore(DSN, SystemClock(), schema=f"bus_{secrets.token_hex(6)}")


def events(count: int, keys: int) -> list[CloudEvent]:
    """Events of about 300 bytes."""
    return [
        CloudEvent(
            id=f"e{n}",
            source="shop",
            type="order.placed",
            data={"order": n, "total": 10 + n % 90, "customer": f"c{n % 1000}", "note": "x" * 120},
            partitionkey=f"k{n % keys}" if keys else "",
        )
        for n in range(count)
    ]


class Rate(NamedTuple):
    """Messages a second, and microseconds of processor time for each."""

    per_s: float
    cpu_us: float


class Bench:
    """A bus on one store, with handlers that count."""

    def __init__(self, bus: LocalBus, store: Store) -> None:
        self.bus = bus
        self.store = store
        self.count = 0
        self.all = asyncio.Event()
        self.expected = 0

    async def handle(self, delivery: Delivery) -> None:
        """Count one."""
        self.count += 1
        if self.count == self.expected:
            self.all.set()

    async def taken_out(self) -> None:
        """Wait until every delivery is acknowledged."""
        await self.all.wait()
        while (await self.store.query(READY, "", ("main",), limit=1)).items:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def bench(make: Callable[[Path], Store], subscriptions: int) -> AsyncIterator[Bench]:
    """A bus that serves."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        store = make(Path(folder))
        await store.open()
        await store.declare(COLLECTIONS)
        made = Bench(LocalBus(store, SystemClock(), owner="bench"), store)
        for n in range(subscriptions):
            await made.bus.subscribe(Subscription(f"s{n}", (PATTERN,)), made.handle)
        stop = asyncio.Event()
        serving = asyncio.create_task(made.bus.serve(stop))
        yield made
        stop.set()
        await serving
        await store.close()


async def rate(
    make: Callable[[Path], Store],
    count: int,
    *,
    keys: int = 0,
    subscriptions: int = 1,
    together: int = TOGETHER,
) -> Rate:
    """Messages a second, and what each costs."""
    given = events(count, keys)
    portions = [given[at : at + together] for at in range(0, count, together)]
    async with bench(make, subscriptions) as made:
        made.expected = count * subscriptions

        async def publisher(mine: Sequence[list[CloudEvent]]) -> None:
            for portion in mine:
                await made.bus.publish(TENANT, portion)

        publishers = PUBLISHERS if together == 1 else 8
        began, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(publisher(portions[n::publishers]) for n in range(publishers)))
        await made.taken_out()
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        return Rate(count / seconds, cpu / count * 1e6)


async def latency(make: Callable[[Path], Store], count: int) -> list[float]:
    """Milliseconds from `publish` to the handler, for one event at a time."""
    found = []
    async with bench(make, 1) as made:
        for event in events(count, 0):
            made.expected, made.all = made.count + 1, asyncio.Event()
            began = time.perf_counter()
            await made.bus.publish(TENANT, [event])
            await made.all.wait()
            found.append((time.perf_counter() - began) * 1000)
    return found


async def measure(make: Callable[[Path], Store], count: int, runs: int) -> dict[str, Any]:
    """All figures of one store."""

    async def median(**kind: Any) -> int:
        return round(statistics.median([(await rate(make, count, **kind)).per_s for _ in range(runs)]))

    times = sorted(await latency(make, min(count, 300)))
    return {
        "batch": await median(),
        "cpu_us": round(min([(await rate(make, count)).cpu_us for _ in range(runs)])),
        "keyed": await median(keys=100),
        "fan-out": await median(subscriptions=3),
        "single": await median(together=1),
        "latency_p50_ms": round(statistics.median(times), 2),
        "latency_p99_ms": round(times[int(len(times) * 0.99)], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    stores = {"sqlite": sqlite, **({"postgres": postgres} if DSN else {})}
    found = {name: asyncio.run(measure(make, given.events, given.runs)) for name, make in stores.items()}
    if given.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(name)
        for what, figure in figures.items():
            unit = "" if what.endswith(("_ms", "_us")) else " messages/s"
            print(f"  {what:16} {figure:>10,}{unit}")


if __name__ == "__main__":
    main()
