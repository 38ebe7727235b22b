"""What the parts of the store's contract share: a clock moved by hand, entries, items, shorthands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.core import codec
from remit.ports.store import (
    Collection,
    Entry,
    Index,
    Lease,
    RunHead,
    Store,
)

ITEMS = Collection(
    name="contract_items",
    key=("tenant", "item_id"),
    indexes=(
        Index(name="status", fields=("tenant", "status", "rank")),
        Index(name="rank", fields=("rank",)),
    ),
)
ENVELOPES = Collection(name="contract_envelopes", key=("envelope_id",))


class HandClock:
    """A clock that moves only when told."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._ids = 0

    def now(self) -> int:
        """Unix time in milliseconds."""
        return self._now

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self._now += ms

    def monotonic(self) -> float:
        """Seconds."""
        return self._now / 1000

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self._now += int(seconds * 1000)
        await asyncio.sleep(0)

    def new_id(self, prefix: str) -> str:
        """Ids count up."""
        self._ids += 1
        return f"{prefix}_{self._ids:026d}"

    def random(self) -> float:
        """Always the middle."""
        return 0.5


def entries(run_id: str, count: int, *, first: int = 0, previous: bytes | None = None) -> list[Entry]:
    """Entries with true chain hashes."""
    made = []
    link = codec.genesis(run_id) if previous is None else previous
    for seq in range(first, first + count):
        body = b'{"seq":%d,"run":"%s"}' % (seq, run_id.encode())
        link = codec.link(link, body)
        made.append(Entry(seq=seq, body=body, hash=link))
    return made


def item(number: int, **more: Any) -> dict[str, Any]:
    """An item of `contract_items`."""
    return {"tenant": "t", "item_id": f"i{number:03d}", "status": "open", "rank": number, **more}


class StoreSuite:
    """What the parts of the suite share: time, and shorthands for one run."""

    pytestmark = pytest.mark.asyncio
    clock: HandClock

    @pytest.fixture(autouse=True)
    def _clock(self) -> None:
        self.clock = HandClock()

    @pytest.fixture
    def store(self) -> Store:
        """An open, empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def now(self, store: Store) -> int:
        """The time as this store sees it."""
        del store
        return self.clock.now()

    async def pass_time(self, store: Store, ms: int) -> None:
        """Let this store's time pass."""
        del store
        self.clock.advance(ms)

    async def reopen(self, store: Store) -> Store:
        """The same store, closed and opened again."""
        await store.close()
        await store.open()
        return store

    async def start(self, store: Store, run_id: str, *, tenant: str = "t", **more: Any) -> list[Entry]:
        """Create a run with one entry."""
        first = entries(run_id, 1)
        given = {"root_run": run_id, "agent": "a", "entries": first, "now": 1, **more}
        await store.create(run_id, tenant_id=tenant, **given)
        return first

    async def head(self, store: Store, run_id: str) -> RunHead:
        """The head of a run that exists."""
        found = await store.head(run_id)
        assert found is not None
        return found

    async def go_on(self, store: Store, run_id: str, count: int = 1, **more: Any) -> int:
        """Append correct entries at the head."""
        head = await self.head(store, run_id)
        fresh = entries(run_id, count, first=head.seq + 1, previous=head.hash)
        given = {"seq": head.seq, "epoch": head.epoch, "entries": fresh, **more}
        return await store.append(run_id, **given)

    async def take(self, store: Store, run_id: str, worker: str = "w", ttl_ms: int = 60_000) -> Lease:
        """Lease a run that is free."""
        lease = await store.lease(run_id, worker, ttl_ms=ttl_ms)
        assert lease is not None
        return lease
