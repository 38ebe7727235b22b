"""The store alone: latency of an append, appends a second of a hundred runs at once, bytes kept for a long run.

    python benchmarks/store.py [--quick] [--json]     (with remit installed, or PYTHONPATH=src)

PostgreSQL and Redis are measured when REMIT_TEST_POSTGRES and REMIT_TEST_REDIS name one. `--json` prints one JSON object, otherwise a list.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remit.adapters.store.sqlite import SqliteStore
from remit.core import codec
from remit.ports.store import ABSENT, Collection, Entry, Index, Put, Store

Json = dict[str, Any]
DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
REDIS = os.environ.get("REMIT_TEST_REDIS", "")
SCRATCH = Path(__file__).resolve().parents[1] / ".bench" / "scratch"
CALLS = Collection("bench_calls", ("call_id",), (Index("run", ("run_id", "started_ts")),))
BODY = (
    b'{"seq":%d,"ts":1700000000000,"epoch":1,"data":{"type":"EffectDone","step":"s%d","text":"'
    + b"x" * 200
    + b'"}}'
)
TEXT = "the run asked for a plan and the tool said order invoice customer total is due on date with id"
WORDS = TEXT.split()


class WallClock:
    """The machine's time."""

    def now(self) -> int:
        return int(time.time() * 1000)


class Writer:
    """Appends to one run, three small entries at a time."""

    def __init__(self, store: Store, run_id: str) -> None:
        self.store, self.run_id = store, run_id
        self.seq, self.link = -1, codec.genesis(run_id)

    def entries(self, count: int) -> list[Entry]:
        made = []
        for _ in range(count):
            self.seq += 1
            body = BODY % (self.seq, self.seq)
            self.link = codec.link(self.link, body)
            made.append(Entry(self.seq, body, self.link))
        return made

    async def create(self) -> None:
        given: Json = {"tenant_id": "t", "root_run": self.run_id, "agent": "a", "now": 1}
        await self.store.create(self.run_id, entries=self.entries(1), **given)

    async def append(self, **more: Any) -> float:
        """One append; its seconds, from the task that waits for it."""
        seq, made = self.seq, self.entries(3)
        started = time.perf_counter()
        await self.store.append(self.run_id, seq=seq, epoch=0, entries=made, **more)
        return time.perf_counter() - started

    def record(self) -> list[Put]:
        call = {
            "call_id": f"{self.run_id}/{self.seq}",
            "run_id": self.run_id,
            "started_ts": self.seq,
            "tool_id": "t",
        }
        return [Put("bench_calls", call, expect=ABSENT)]


async def writer(store: Store, name: str) -> Writer:
    made = Writer(store, f"run_{name:0>26}")
    await made.create()
    return made


def spread_us(seconds: list[float]) -> Json:
    ordered = sorted(value * 1e6 for value in seconds)
    return {
        "p50_us": round(statistics.median(ordered), 1),
        "p99_us": round(ordered[int(len(ordered) * 0.99)], 1),
    }


async def alone(store: Store, times: int) -> Json:
    """Latency of appends one after another: plain, with a record, durable."""
    found = {}
    for name, durable, record in (
        ("append", False, False),
        ("with_record", False, True),
        ("durable", True, False),
    ):
        one = await writer(store, f"alone{name}".replace("_", ""))
        seconds = [
            await one.append(durable=durable, writes=one.record() if record else ())
            for _ in range(times // 10 + times)
        ]
        found[name] = spread_us(seconds[times // 10 :])
    return found


async def together(store: Store, runs: int, turns: int) -> float:
    """Appends a second of many runs at once, a record with each."""
    writers = [await writer(store, f"together{number}") for number in range(runs)]

    async def go(one: Writer) -> None:
        for _ in range(turns):
            await one.append(writes=one.record())

    started = time.perf_counter()
    await asyncio.gather(*map(go, writers))
    return round(runs * turns / (time.perf_counter() - started))


async def speed(store: Store, times: int, turns: int) -> Json:
    await store.open()
    await store.declare([CALLS])
    found = {
        "alone": await alone(store, times),
        "appends_per_second_100_runs": await together(store, 100, turns),
    }
    await store.close()
    return found


async def kept(make: Callable[[], Store], text: Callable[[random.Random, int], bytes], size: int) -> Json:
    """Bytes stored for 100 tool turns over a conversation of `size` bytes, every turn naming all messages so far."""
    chance = random.Random(7)
    store = make()
    await store.open()
    before = (await store.sizes())["file"]
    one = await writer(store, "kept")
    messages = {}
    for _ in range(100):
        body = text(chance, size // 100)
        messages[codec.digest(body)] = body
        await one.append(contents=messages)
    await store.close()
    await store.open()
    sizes = await store.sizes()
    await store.close()
    unique = sum(map(len, messages.values()))
    stored = sizes["file"] - before
    return {"unique_bytes": unique, "file_bytes": stored, "ratio": round(stored / unique, 3), **sizes}


def prose(chance: random.Random, size: int) -> bytes:
    """Text that repeats itself about as much as tool output does."""
    words = []
    while sum(map(len, words)) + len(words) < size:
        words.append(chance.choice(WORDS) if chance.random() < 0.8 else f"{chance.randrange(16**6):x}")
    return " ".join(words).encode()


def noise(chance: random.Random, size: int) -> bytes:
    """Bytes that nothing compresses."""
    return chance.randbytes(size)


async def measure(directory: Path, quick: bool) -> Json:
    times, turns = (200, 5) if quick else (5000, 100)
    clock = WallClock()
    found: Json = {}
    for durability in ("normal", "full"):
        store = SqliteStore(directory / f"{durability}.db", clock, durability=durability)
        found[f"sqlite_{durability}"] = await speed(store, times, turns)
    if DSN:
        found["postgres"] = await postgres(clock, min(times, 1000), turns)
    if REDIS:
        found["redis"] = await redis(min(times, 1000), turns)
    for name, text in (("text", prose), ("incompressible", noise)):
        path = directory / f"{name}.db"
        found[f"kept_{name}"] = await kept(lambda path=path: SqliteStore(path, clock), text, 800_000)
    return found


async def postgres(clock: WallClock, times: int, turns: int) -> Json:
    import psycopg

    from remit.adapters.store.postgres import PostgresStore

    name = f"bench_{secrets.token_hex(4)}"
    found = await speed(PostgresStore(DSN, clock, schema=name), times, turns)
    with psycopg.connect(DSN, autocommit=True) as db:
        db.execute(f"DROP SCHEMA {name} CASCADE")
    return found


async def redis(times: int, turns: int) -> Json:
    from redis.asyncio import Redis

    from remit.adapters.store.redis import RedisStore

    name = f"bench_{secrets.token_hex(4)}"
    found = await speed(RedisStore(REDIS, prefix=name), times, turns)
    async with Redis.from_url(REDIS) as db:
        async for key in db.scan_iter(match=f"{name}:*", count=1000):
            await db.unlink(key)
    return found


def flat(value: Any, path: str = "") -> list[str]:
    if not isinstance(value, dict):
        return [f"{path:<45} {value}"]
    return [line for name, inner in value.items() for line in flat(inner, f"{path}.{name}".lstrip("."))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, for CI: they show that it runs")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as directory:
        found = asyncio.run(measure(Path(directory), options.quick))
    found["load_1m"] = round(os.getloadavg()[0], 2)
    print(json.dumps(found, indent=1) if options.json else "\n".join(flat(found)))


if __name__ == "__main__":
    main()
