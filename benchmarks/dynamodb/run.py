"""State persistence in DynamoDB: milliseconds for each write and read that a turn of an agent makes.

    python -m benchmarks.dynamodb.run [--turns N] [--json]     (with remit[aws] installed, or PYTHONPATH=src)

Measured on what is started: DynamoDB Local (REMIT_TEST_DYNAMODB) and the AWS emulator (REMIT_TEST_MINISTACK). A turn is
one append of four events of about 600 bytes and a content of 3 KB; `with records`: and a record put under a condition, and one
added to. `request` is one call of the emulator with nothing to do, so what is above it is the store's. The floor is 100 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from remit.adapters.aws.session import Session
from remit.adapters.clock.system import SystemClock
from remit.adapters.store.dynamodb import DynamoStore
from remit.core import codec
from remit.ports.store import Add, Collection, Entry, Index, Put

URLS = {
    "DynamoDB Local": os.environ.get("REMIT_TEST_DYNAMODB", ""),
    "ministack": os.environ.get("REMIT_TEST_MINISTACK", ""),
}
CALLS = Collection("bench_call", ("call_id",), (Index("by_run", ("run_id", "started_ts")),))
PURSES = Collection("bench_purse", ("tenant_id",))
FLOOR_MS = 100.0
WARM = 10


class Timing(NamedTuple):
    """Milliseconds."""

    p50: float
    p99: float


class Bench:
    """One run on one store."""

    def __init__(self, store: DynamoStore, turns: int) -> None:
        self.store = store
        self.turns = turns
        self._random = random.Random(7)
        self._run = f"run_{secrets.token_hex(4)}"
        self._head = (0, codec.genesis(self._run))

    async def prepare(self) -> None:
        """A run that is held, and records."""
        first = Entry(0, b"{}", codec.link(self._head[1], b"{}"))
        await self.store.create(
            self._run, tenant_id="t", root_run=self._run, agent="a", entries=[first], now=1
        )
        self._head = (0, first.hash)
        self._lease = await self.store.lease(self._run, "w", ttl_ms=600_000)
        await self.store.transact([Put("bench_purse", {"tenant_id": "t", "left": 10**9})])

    async def turn(self, number: int, *, records: bool = False) -> None:
        """One append."""
        seq, link = self._head
        entries = []
        for place in range(4):
            body = json.dumps({"seq": seq + 1 + place, "data": self._random.randbytes(280).hex()}).encode()
            link = codec.link(link, body)
            entries.append(Entry(seq + 1 + place, body, link))
        content = self._random.randbytes(1_500).hex().encode()
        writes: list[Any] = []
        if records:
            row = {"call_id": f"{self._run}-{number}", "run_id": self._run, "started_ts": number}
            writes = [
                Put("bench_call", row, {"": "absent"}),
                Add("bench_purse", ("t",), {"left": -1}, {"left": 0}),
            ]
        assert self._lease is not None
        await self.store.append(
            self._run,
            seq=seq,
            epoch=self._lease.epoch,
            entries=entries,
            contents={codec.digest(content): content},
            writes=writes,
        )
        self._head = (entries[-1].seq, link)

    async def measured(self, work: Callable[[int], Awaitable[object]]) -> Timing:
        """How long one of many takes."""
        taken = []
        for number in range(self.turns + WARM):
            started = time.perf_counter()
            await work(number)
            taken.append((time.perf_counter() - started) * 1000)
        cuts = statistics.quantiles(taken[WARM:], n=100)
        return Timing(round(cuts[49], 2), round(cuts[98], 2))


async def measure(url: str, turns: int) -> dict[str, Timing]:
    """Every figure of one DynamoDB."""
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "000000000000")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "bench")
    clients = Session(region="us-east-1", endpoint_url=url)
    store = DynamoStore(SystemClock(), clients, prefix=f"bench{secrets.token_hex(4)}")
    await store.open()
    await store.declare([CALLS, PURSES])
    bench = Bench(store, turns)
    await bench.prepare()
    run = bench._run
    figures = {
        "request": await bench.measured(lambda n: store.get("bench_purse", ("nobody",))),
        "append a turn": await bench.measured(lambda n: bench.turn(n)),
        "append a turn with records": await bench.measured(lambda n: bench.turn(n, records=True)),
        "renew the lease": await bench.measured(lambda n: store.renew(bench._lease, ttl_ms=600_000)),  # type: ignore[arg-type]
        "look for due runs": await bench.measured(lambda n: store.due(limit=50)),
        "query an index, 20 items": await bench.measured(
            lambda n: store.query("bench_call", "by_run", (run,), limit=20)
        ),
    }
    # last, since what it reads is all that was written
    figures["read 100 events"] = await bench.measured(lambda n: store.read(run, after=0, limit=100))
    await store.close()
    client = clients("dynamodb")
    for table in client.list_tables()["TableNames"]:
        if table.startswith(store._prefix):
            client.delete_table(TableName=table)
    return figures


def table(found: dict[str, dict[str, Timing]]) -> str:
    """The figures as Markdown."""
    lines = [f"| ms (p50 / p99) | {' | '.join(found)} |", "|---|" + "---|" * len(found)]
    for name in next(iter(found.values())):
        cells = [f"{each[name].p50:.1f} / {each[name].p99:.1f}" for each in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is started."""
    parser = argparse.ArgumentParser(description="state persistence in DynamoDB")
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = {name: asyncio.run(measure(url, given.turns)) for name, url in URLS.items() if url}
    if not found:
        raise SystemExit('start one: eval "$(scripts/ci/dynamodb_local.sh)"')
    print(json.dumps(found) if given.json else table(found))
    worst = max(each[name].p99 for each in found.values() for name in each if name.startswith("append"))
    if worst >= FLOOR_MS:
        print(f"an append took {worst:.0f} ms at the 99th percentile: not under {FLOOR_MS:.0f}")


if __name__ == "__main__":
    main()
