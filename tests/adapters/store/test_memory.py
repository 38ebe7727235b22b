"""The reference store keeps the contract."""

from __future__ import annotations

import pytest

from remit.adapters.store.memory import MemoryStore
from remit.ports.store import Store
from remit.testing.contracts.store import StoreContract


class TestMemoryStore(StoreContract):
    """The contract, on memory."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(self.clock)
