"""Who wants the events of runs is looked up once for all who ask at the same time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.adapters.store.memory import MemoryStore
from remit.core.errors import StoreError
from remit.engine.bus.records import WAIT
from remit.testing import FakeClock, app_for_tests


class Counting(MemoryStore):
    """A store that counts the looks for waiting runs, and fails while `away`."""

    looks = 0
    away = False

    async def query(self, collection: str, *args: Any, **more: Any) -> Any:
        """The store's answer, later."""
        if collection == WAIT:
            self.looks += 1
            await asyncio.sleep(0)
            if self.away:
                raise StoreError("the store is away")
        return await super().query(collection, *args, **more)


async def test_a_thousand_calls_at_once_look_once() -> None:
    """The store is asked for each type of event once, and again when a second is over."""
    clock = FakeClock()
    store = Counting(clock)
    async with app_for_tests(store=store, clock=clock) as app:
        announcer = app.kit.announcer
        assert announcer is not None
        await asyncio.gather(*(announcer.look("local") for _ in range(1000)))
        assert store.looks == 3
        clock.advance(1)
        await asyncio.gather(*(announcer.look("local") for _ in range(1000)))
        assert store.looks == 6


async def test_a_look_that_fails_fails_for_all_and_is_tried_again() -> None:
    """Nobody goes on as if nobody wanted the events; a caller that is cancelled takes nobody with it."""
    clock = FakeClock()
    store = Counting(clock)
    async with app_for_tests(store=store, clock=clock) as app:
        announcer = app.kit.announcer
        assert announcer is not None
        store.away = True
        found = await asyncio.gather(*(announcer.look("local") for _ in range(3)), return_exceptions=True)
        assert [type(each) for each in found] == [StoreError] * 3
        store.away = False
        first, second = (asyncio.create_task(announcer.look("local")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await second
        with pytest.raises(asyncio.CancelledError):
            await first
