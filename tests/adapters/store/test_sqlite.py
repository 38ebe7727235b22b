import pytest, pytest_asyncio
from remit.adapters.store.sqlite import SqliteStore
from remit.testing.contracts.store import StoreContract
class TestSqlite(StoreContract):
    @pytest_asyncio.fixture(params=["normal","full"])
    async def store(self, tmp_path, request):
        store = SqliteStore(tmp_path / "r.db", self.clock, durability=request.param)
        await store.open(); yield store; await store.close()
