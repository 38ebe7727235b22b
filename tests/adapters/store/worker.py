"""A process of its own, for tests: `worker.py FILE RUN race|stream COUNT`.

`race`: append at whatever the head is until COUNT appends were won; print how many were lost.
`stream`: append one after another, and print each seq once it is acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
import time

from remit.adapters.store.sqlite import SqliteStore
from remit.core.errors import FencedError
from remit.testing.contracts.store import entries


class WallClock:
    """The time, for a process without an app."""

    def now(self) -> int:
        return int(time.time() * 1000)


async def race(store: SqliteStore, run_id: str, count: int) -> None:
    won = lost = 0
    while won < count:
        head = await store.head(run_id)
        fresh = entries(run_id, 1, first=head.seq + 1, previous=head.hash)
        try:
            await store.append(run_id, seq=head.seq, epoch=head.epoch, entries=fresh, durable=won % 5 == 0)
            won += 1
        except FencedError:
            lost += 1
    print(lost)


async def stream(store: SqliteStore, run_id: str, count: int) -> None:
    for _ in range(count):
        head = await store.head(run_id)
        fresh = entries(run_id, 1, first=head.seq + 1, previous=head.hash)
        await store.append(run_id, seq=head.seq, epoch=head.epoch, entries=fresh)
        print(head.seq + 1, flush=True)


async def main(path: str, run_id: str, what: str, count: str) -> None:
    store = SqliteStore(path, WallClock())
    await store.open()
    await {"race": race, "stream": stream}[what](store, run_id, int(count))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
