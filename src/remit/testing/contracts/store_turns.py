"""The store's contract, second part: whose turn it is. Leases, signals, due runs, waiting for news."""

from __future__ import annotations

import asyncio
import time

import pytest

from remit.core.errors import FencedError
from remit.ports.store import (
    Signal,
    Store,
    tail,
)
from remit.testing.contracts.store_setting import StoreSuite, entries


class TurnsContract(StoreSuite):
    """Each docstring is a sentence of the port."""

    # Journal: leases

    async def test_one_worker_holds_a_run(self, store: Store) -> None:
        """A lease raises the epoch and keeps others out until it is released."""
        await self.start(store, "r")
        lease = await self.take(store, "r", "w1")
        assert (lease.worker, lease.epoch) == ("w1", 1)
        assert await store.lease("r", "w2", ttl_ms=60_000) is None
        head = await self.head(store, "r")
        assert (head.owner, head.epoch, head.lease_until) == ("w1", 1, lease.until)
        await store.release(lease)
        assert (await self.take(store, "r", "w2")).epoch == 2

    async def test_the_same_worker_takes_again(self, store: Store) -> None:
        """A worker that comes back gets its run under a new epoch, so its old self is fenced."""
        await self.start(store, "r")
        old = await self.take(store, "r", "w1")
        new = await self.take(store, "r", "w1")
        assert new.epoch == old.epoch + 1
        with pytest.raises(FencedError):
            await store.append("r", seq=0, epoch=old.epoch, entries=entries("r", 1, first=1))

    async def test_a_lease_expires(self, store: Store) -> None:
        """After its time anybody may take the run; until then nobody."""
        await self.start(store, "r")
        old = await self.take(store, "r", "w1", ttl_ms=10_000)
        await self.pass_time(store, 5_000)
        assert await store.lease("r", "w2", ttl_ms=10_000) is None
        assert await store.due(limit=10) == []
        await self.pass_time(store, 5_001)
        assert await store.due(limit=10) == ["r"]
        new = await self.take(store, "r", "w2")
        assert new.epoch == 2
        assert await store.renew(old, ttl_ms=10_000) is None
        await store.release(old)
        assert (await self.head(store, "r")).owner == "w2"

    async def test_a_lease_tells_whether_the_one_before_was_given_back(self, store: Store) -> None:
        """It lapsed when another worker went without a word: not when it was given back, nor when the same one takes again."""
        await self.start(store, "r")
        first = await self.take(store, "r", "w1", ttl_ms=10_000)
        again = await self.take(store, "r", "w1", ttl_ms=10_000)
        assert (first.lapsed, again.lapsed) == (False, False)
        await self.pass_time(store, 10_001)
        third = await self.take(store, "r", "w2", ttl_ms=10_000)
        assert third.lapsed
        await store.release(third)
        assert not (await self.take(store, "r", "w3")).lapsed

    async def test_renew_holds_on(self, store: Store) -> None:
        """A renewed lease keeps its epoch and lasts longer, even when it was late but nobody came."""
        await self.start(store, "r")
        lease = await self.take(store, "r", "w1", ttl_ms=10_000)
        await self.pass_time(store, 20_000)
        longer = await store.renew(lease, ttl_ms=10_000)
        assert longer is not None
        assert longer.epoch == lease.epoch
        assert longer.until >= await self.now(store) + 9_000
        assert await store.lease("r", "w2", ttl_ms=10_000) is None

    async def test_many_workers_one_lease(self, store: Store) -> None:
        """Of many workers that reach for a run, one gets it."""
        await self.start(store, "r")
        leases = await asyncio.gather(*(store.lease("r", f"w{n}", ttl_ms=60_000) for n in range(20)))
        assert len([lease for lease in leases if lease]) == 1

    # Journal: signals

    async def test_signals_wait_in_order(self, store: Store) -> None:
        """Signals come oldest first, and consuming removes exactly those named."""
        await self.start(store, "r")
        await store.transact([Signal("r", "b", b"1"), Signal("r", "a", b"2")])
        await store.transact([Signal("r", "c", b"\x00\xff")])
        expected = [Signal("r", "b", b"1"), Signal("r", "a", b"2"), Signal("r", "c", b"\x00\xff")]
        assert await store.inbox("r") == expected
        assert (await self.head(store, "r")).inbox == 3
        assert await self.go_on(store, "r", consumed=["a", "unknown"]) == 2
        assert await store.inbox("r") == [expected[0], expected[2]]

    async def test_signals_are_idempotent(self, store: Store) -> None:
        """A signal counts once by its id, also after it was consumed; the first body stays."""
        await self.start(store, "r")
        await store.transact([Signal("r", "s", b"first"), Signal("r", "s", b"second")])
        await store.transact([Signal("r", "s", b"third")])
        assert await store.inbox("r") == [Signal("r", "s", b"first")]
        assert await self.go_on(store, "r", consumed=["s"], status="waiting") == 0
        await store.transact([Signal("r", "s", b"fourth")])
        assert await store.inbox("r") == []
        head = await self.head(store, "r")
        assert (head.status, head.inbox) == ("waiting", 0)

    async def test_a_signal_to_nobody_is_dropped(self, store: Store) -> None:
        """A signal to an unknown or an ended run changes nothing and fails nothing."""
        await self.start(store, "r")
        await self.go_on(store, "r", status="ended")
        await store.transact([Signal("r", "s", b""), Signal("none", "s", b"")])
        assert await store.inbox("r") == []
        assert (await self.head(store, "r")).status == "ended"
        await self.start(store, "none")
        assert await store.inbox("none") == []

    async def test_a_signal_wakes_a_waiting_run(self, store: Store) -> None:
        """A waiting run becomes ready, and due, by a signal from wherever it is sent."""
        for name in ("by_transact", "by_append", "by_create"):
            await self.start(store, name)
            await self.go_on(store, name, status="waiting")
        assert await store.due(limit=10) == []
        await store.transact([Signal("by_transact", "s", b"")])
        await self.start(store, "sender", writes=[Signal("by_create", "s", b"")])
        await self.go_on(store, "sender", writes=[Signal("by_append", "s", b"")], status="ended")
        assert set(await store.due(limit=10)) == {"by_transact", "by_append", "by_create"}
        assert (await self.head(store, "by_append")).status == "ready"

    async def test_a_run_does_not_wait_while_signals_do(self, store: Store) -> None:
        """The race between a signal and going to sleep is won by the signal."""
        await self.start(store, "r")
        await store.transact([Signal("r", "s", b"")])
        assert await self.go_on(store, "r", status="waiting") == 1
        assert (await self.head(store, "r")).status == "ready"
        assert await self.go_on(store, "r", consumed=["s"], status="waiting") == 0
        assert (await self.head(store, "r")).status == "waiting"

    async def test_a_signal_to_oneself(self, store: Store) -> None:
        """A run may signal itself in the append that lets it wait, and is ready then."""
        await self.start(store, "r")
        assert await self.go_on(store, "r", status="waiting", writes=[Signal("r", "s", b"")]) == 1
        assert (await self.head(store, "r")).status == "ready"

    async def test_signals_race_with_waiting(self, store: Store) -> None:
        """However signals and parking interleave, no run sleeps on an unread signal."""
        names = [f"r{number}" for number in range(30)]
        await asyncio.gather(*(self.start(store, name) for name in names))
        parks = [self.go_on(store, name, status="waiting") for name in names]
        sends = [store.transact([Signal(name, "s", b"")]) for name in names]
        await asyncio.gather(*parks, *sends)
        assert set(await store.due(limit=100)) == set(names)

    # Journal: due

    async def test_due_by_time(self, store: Store) -> None:
        """A waiting run is due from its wake time on."""
        await self.start(store, "r")
        await self.go_on(store, "r", status="waiting", wake_ts=await self.now(store) + 10_000)
        assert await store.due(limit=10) == []
        await self.pass_time(store, 10_001)
        assert await store.due(limit=10) == ["r"]

    async def test_tenants_take_turns(self, store: Store) -> None:
        """A tenant with many runs does not keep another's waiting, and its own oldest go first."""
        for number in range(6):
            await self.start(store, f"big{number}", tenant="big", now=number)
        await self.start(store, "small", tenant="small", now=100)
        await self.start(store, "tiny", tenant="tiny", now=101)
        assert await store.due(limit=3) == ["big0", "small", "tiny"]
        assert await store.due(limit=5) == ["big0", "small", "tiny", "big1", "big2"]

    async def test_due_filters(self, store: Store) -> None:
        """Due runs of one tenant, or of one root run."""
        await self.start(store, "a", tenant="t1", root_run="x")
        await self.start(store, "b", tenant="t1", root_run="y")
        await self.start(store, "c", tenant="t2", root_run="x")
        assert set(await store.due(limit=10, tenant_id="t1")) == {"a", "b"}
        assert set(await store.due(limit=10, root_run="x")) == {"a", "c"}
        assert await store.due(limit=10, tenant_id="t1", root_run="x") == ["a"]

    # Journal: changed and tail

    async def test_changed_sees_what_is_there(self, store: Store) -> None:
        """It returns at once when the entry exists."""
        await self.start(store, "r")
        assert await store.changed("r", after=-1, timeout_s=30)

    async def test_changed_waits(self, store: Store) -> None:
        """It is woken by the next append, and by the creation of the run."""
        waiting = asyncio.ensure_future(self._until_changed(store, "r", -1))
        await asyncio.sleep(0)
        await self.start(store, "r")
        assert await asyncio.wait_for(waiting, 10)
        waiting = asyncio.ensure_future(self._until_changed(store, "r", 0))
        await asyncio.sleep(0)
        await self.go_on(store, "r")
        assert await asyncio.wait_for(waiting, 10)

    async def _until_changed(self, store: Store, run_id: str, after: int) -> bool:
        while not await store.changed(run_id, after=after, timeout_s=30):
            pass
        return True

    async def test_changed_gives_up(self, store: Store) -> None:
        """It never waits longer than asked."""
        await self.start(store, "r")
        started = time.monotonic()
        assert not await store.changed("r", after=0, timeout_s=0.02)
        assert time.monotonic() - started < 5

    async def test_tail_follows(self, store: Store) -> None:
        """A tail gives the stored entries first, then each new one, without a gap."""
        await self.start(store, "r")
        await self.go_on(store, "r", 3)
        seen: list[int] = []

        async def follow() -> None:
            async for entry in tail(store, "r", after=0, poll_s=5):
                seen.append(entry.seq)
                if entry.seq == 9:
                    return

        following = asyncio.ensure_future(follow())
        for _ in range(3):
            await self.go_on(store, "r", 2)
        await asyncio.wait_for(following, 20)
        assert seen == list(range(1, 10))
