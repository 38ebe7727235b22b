"""The reference store keeps the contract."""

from __future__ import annotations

import sys

import pytest

from remit.adapters.store.memory import MemoryStore
from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.ports.store import Store
from remit.testing.contracts.store import StoreContract


class TestMemoryStore(StoreContract):
    """The contract, on memory."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore(self.clock)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the PostgreSQL store says what to install; nothing else minds."""
    for name in [name for name in sys.modules if name.startswith("remit.adapters.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError) as refusal:
        import remit.adapters.store.postgres  # noqa: F401
    assert refusal.value.code == "E210"
    assert how_to_install("postgres") in str(refusal.value)
