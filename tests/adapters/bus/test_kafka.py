"""The bus with Kafka: the port's contract, driven by the topic of turns alone, on a real broker.

Start one with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.broker import chosen, new_prefix, required
from tests.adapters.bus.deployed import deliver_all

from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.store.memory import MemoryStore
from remit.bootstrap.topics import KafkaBus, kafka_bus
from remit.engine.bus.records import COLLECTIONS
from remit.ports.clock import Clock
from remit.ports.store import Records
from remit.settings import Settings
from remit.testing import FakeClock
from remit.testing.contracts.bus import BusContract, BusWorld

COUNT = itertools.count()


def made(store: Records, clock: Clock, prefix: str, owner: str, **settings: Any) -> KafkaBus:
    """A process's bus."""
    given = Settings(
        home=Path("/nonexistent"),
        store="memory:",
        bus=f"kafka://{required()}",
        kafka=chosen(prefix, **settings),
    )
    return kafka_bus(store, clock, given, MappingSecrets({}), owner=owner)


@pytest.mark.service
class TestKafka(BusContract):
    """Turns through the broker; time is the test's own, so what became due is told by `tick`."""

    @pytest_asyncio.fixture
    async def world(self) -> AsyncIterator[BusWorld]:
        prefix, clock = new_prefix(), FakeClock()
        store = MemoryStore(clock)
        await store.open()
        await store.declare(COLLECTIONS)
        buses: list[KafkaBus] = []

        def bus(owner: str) -> KafkaBus:
            buses.append(made(store, clock, prefix, owner))
            return buses[-1]

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)

        async def another() -> Any:
            other = bus(f"other{next(COUNT)}")
            return other, lambda: deliver_all(other)

        first = bus("here")
        yield BusWorld(first, lambda: deliver_all(first), pass_time, another)
        for one in buses:
            await one.close()
        await store.close()
