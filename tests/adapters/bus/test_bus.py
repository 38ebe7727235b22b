"""The bus on SQS: the port's contract, driven by the queue of turns alone.

Start the emulator with `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.deployed import Deployed, deliver_all
from tests.adapters.emulator import emulated

from remit.adapters.store.dynamodb import DynamoStore
from remit.adapters.store.memory import MemoryStore
from remit.engine.bus.records import COLLECTIONS
from remit.ports.clock import Clock
from remit.ports.store import Store
from remit.testing import FakeClock
from remit.testing.contracts.bus import BusContract, BusWorld

COUNT = itertools.count()


class Contract(BusContract):
    """Turns through the emulator; time is the test's own, so what became due is told by `tick`."""

    def store(self, clock: Clock, deployed: Deployed) -> Store:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def world(self, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BusWorld]:
        deployed = Deployed(emulated(monkeypatch))
        clock = FakeClock()
        store = self.store(clock, deployed)
        await store.open()
        await store.declare(COLLECTIONS)

        async def pass_time(seconds: float) -> None:
            clock.advance(seconds)

        async def another() -> Any:
            other = deployed.bus(store, clock, f"other{next(COUNT)}", most_writes=90)
            return other, lambda: deliver_all(other)

        bus = deployed.bus(store, clock, "here", most_writes=90)
        yield BusWorld(bus, lambda: deliver_all(bus), pass_time, another)
        await store.close()


@pytest.mark.service
class TestSqs(Contract):
    """Over a store in memory."""

    def store(self, clock: Clock, deployed: Deployed) -> Store:
        return MemoryStore(clock)


@pytest.mark.service
@pytest.mark.nightly
class TestSqsAndDynamoDb(Contract):
    """Over the tables of DynamoDB, whose transactions take a hundred writes."""

    def store(self, clock: Clock, deployed: Deployed) -> Store:
        return DynamoStore(clock, deployed.clients, prefix=deployed.name)
