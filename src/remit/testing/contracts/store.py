"""What every `Store` must do, as tests. Subclass `StoreContract`, override the fixture `store`, run pytest.

    class TestMine(StoreContract):
        @pytest_asyncio.fixture
        async def store(self):
            store = MyStore(..., clock=self.clock)
            await store.open()
            yield store
            await store.close()

A store that goes by a server's clock overrides `now` and `pass_time` too; one that forgets when closed, `reopen`.
"""

from __future__ import annotations

from remit.testing.contracts.store_journal import JournalContract
from remit.testing.contracts.store_records import RecordsContract
from remit.testing.contracts.store_setting import ENVELOPES, ITEMS, HandClock, entries, item
from remit.testing.contracts.store_turns import TurnsContract

__all__ = ["ENVELOPES", "ITEMS", "HandClock", "StoreContract", "entries", "item"]


class StoreContract(JournalContract, TurnsContract, RecordsContract):
    """The whole suite."""
