"""The bus on a store that does less, as DynamoDB does: few writes in a transaction, and indexes that lag behind."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.store.memory import MemoryStore
from remit.core.errors import StoreError
from remit.engine.bus.local import LocalBus
from remit.engine.bus.portions import MOST_BYTES, fits, portions
from remit.engine.bus.records import COLLECTIONS, PARKED
from remit.ports.store import Delete, Put, Signal, Write
from remit.testing import FakeClock
from remit.testing.contracts.bus import BusContract, BusWorld

MOST = 12
COUNT = itertools.count()


class SmallStore(MemoryStore):
    """Takes few writes at once, and a millisecond for them: events of two processes have an order by time alone."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._moved = clock

    async def transact(self, writes: Sequence[Write]) -> None:
        """As the store, for `MOST` writes; a signal is two."""
        if sum(2 if isinstance(write, Signal) else 1 for write in writes) > MOST:
            raise StoreError("these are too many writes")
        self._moved.advance(0.001)
        await super().transact(writes)


class LaggingStore(MemoryStore):
    """Answers from an index of parked events as it was some looks ago, until `catch_up`."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self._index = MemoryStore(clock)
        self._late: list[Write] = []
        self._looks = 0

    async def declare(self, collections: Any) -> None:
        """Both have the collections."""
        await super().declare(collections)
        await self._index.declare(collections)

    async def transact(self, writes: Sequence[Write]) -> None:
        """Seen by key at once, by index later."""
        await super().transact(writes)
        self._late += [w for w in writes if isinstance(w, Put | Delete) and w.collection == PARKED]

    async def query(self, collection: str, index: str, *args: Any, **more: Any) -> Any:
        """At every third look, an index has caught up by one write."""
        if collection != PARKED or not index:
            return await super().query(collection, index, *args, **more)
        self._looks += 1
        if self._looks % 3 == 0:
            await self._catch_up(1)
        return await self._index.query(collection, index, *args, **more)

    async def catch_up(self) -> bool:
        """Let indexes show everything; whether they did not."""
        return await self._catch_up(len(self._late))

    async def _catch_up(self, count: int) -> bool:
        late, self._late = self._late[:count], self._late[count:]
        for write in late:
            await self._index.transact([write])
        return bool(late)


class TestSmallTransactions(BusContract):
    """What does not go into one transaction goes into several, and nothing is lost or disordered between them."""

    @pytest_asyncio.fixture
    async def world(self) -> AsyncIterator[BusWorld]:
        clock = FakeClock()
        store = SmallStore(clock)
        await store.declare(COLLECTIONS)

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)

        async def another() -> Any:
            bus = LocalBus(store, clock, owner=f"other{next(COUNT)}", most_writes=MOST)
            return bus, bus.drain

        bus = LocalBus(store, clock, owner="here", most_writes=MOST)
        yield BusWorld(bus, bus.drain, pass_time, another)


class TestLaggingIndexes(BusContract):
    """What an index does not show yet comes later; what it still shows does not come again; order is never at stake."""

    @pytest_asyncio.fixture
    async def world(self) -> AsyncIterator[BusWorld]:
        clock = FakeClock()
        store = LaggingStore(clock)
        await store.declare(COLLECTIONS)

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)

        async def drained(bus: LocalBus) -> None:
            while await bus.drain() or await store.catch_up():
                clock.advance(0.06)  # who was sent to a partition for nothing rests

        async def another() -> Any:
            bus = LocalBus(store, clock, owner=f"other{next(COUNT)}")
            return bus, lambda: drained(bus)

        bus = LocalBus(store, clock, owner="here")
        yield BusWorld(bus, lambda: drained(bus), pass_time, another)


WRITES = st.lists(
    st.one_of(
        st.integers(0, 2_000_000).map(lambda size: Put("c", {"id": "x" * size})),
        st.just(Delete("c", ("k",))),
        st.just(Signal("r", "s", b"")),
    ),
    max_size=40,
)


@given(WRITES, st.integers(2, 30))
def test_portions_are_all_writes_in_order_and_each_fits(writes: list[Write], most: int) -> None:
    """None is empty unless there is nothing, and each goes into one transaction."""
    made = list(portions(writes, most))
    assert [write for portion in made for write in portion] == writes
    assert all(fits(portion, most) or len(portion) == 1 for portion in made)
    assert all(made) or not writes


@pytest.mark.parametrize(("size", "most", "expected"), [(MOST_BYTES, 10, False), (MOST_BYTES, 10_000, True)])
def test_bytes_count_where_writes_do(size: int, most: int, expected: bool) -> None:
    """A store that takes any number of writes takes any number of bytes."""
    assert fits([Put("c", {"id": "x" * size})], most) is expected
