"""A process that dies between the transactions in which it takes out what it handled, on a store that takes few writes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from remit.adapters.store.memory import MemoryStore
from remit.core.rule import Redelivery
from remit.engine.bus.local import LocalBus
from remit.engine.bus.records import COLLECTIONS, PARKED, lane_of
from remit.ports.bus import Delivery, Subscription
from remit.ports.store import Put, Write
from remit.testing import FakeClock
from remit.testing.contracts.bus import ORDERS, TENANT, Taker, order

MOST = 12
KEYS = 12


class Killed(BaseException):
    """The process is no more."""


class DyingStore(MemoryStore):
    """Carries out the transaction that parks the first events, and nothing more for the process that asked for it."""

    dead = False
    armed = True

    async def transact(self, writes: Sequence[Write]) -> None:
        """As the store, until it was about something parked."""
        if self.dead:
            raise Killed
        await super().transact(writes)
        parked = any(isinstance(write, Put) and write.collection == PARKED for write in writes)
        self.dead = self.armed and parked


async def test_what_is_done_does_not_come_again_behind_a_later_one() -> None:
    """Two events of each key, the second of which fails: killed while that is written down, none goes back in time."""
    clock = FakeClock()
    store = DyingStore(clock)
    await store.declare(COLLECTIONS)
    asked = Subscription("packer", ORDERS, TENANT, Redelivery(attempts=5, base_s=10.0, max_s=10.0))
    first = LocalBus(store, clock, owner="first", most_writes=MOST)
    failing = Taker(fail=_is_second)
    await first.subscribe(asked, failing)
    keys = [key for key in map(str, range(1000)) if lane_of(key) == 0][:KEYS]
    await first.publish(TENANT, [order(2 * n, partitionkey=key) for n, key in enumerate(keys)])
    await first.publish(TENANT, [order(2 * n + 1, partitionkey=key) for n, key in enumerate(keys)])
    with pytest.raises(Killed):
        await first.drain()
    store.dead = store.armed = False
    clock.advance(60)
    second = LocalBus(store, clock, owner="second", most_writes=MOST)
    taker = Taker()
    await second.subscribe(asked, taker)
    for _ in range(3):
        await second.drain()
        clock.advance(60)
    for n in range(KEYS):
        of_key = [number for number in taker.numbers if number // 2 == n]
        assert of_key == sorted(of_key), of_key
        assert of_key[-1] == 2 * n + 1


def _is_second(delivery: Delivery) -> bool:
    return bool(delivery.event.data["n"] % 2)
