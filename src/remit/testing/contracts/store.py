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

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from remit.core import codec
from remit.core.errors import ConditionError, ConfigError, FencedError, InputError, RunExistsError
from remit.ports.store import (
    ABSENT,
    Add,
    Collection,
    Delete,
    Entry,
    Index,
    Lease,
    Put,
    RunHead,
    Signal,
    Store,
    tail,
)

ITEMS = Collection(
    name="contract_items",
    key=("tenant", "item_id"),
    indexes=(
        Index(name="status", fields=("tenant", "status", "rank")),
        Index(name="rank", fields=("rank",)),
    ),
)
ENVELOPES = Collection(name="contract_envelopes", key=("envelope_id",))


class HandClock:
    """A clock that moves only when told."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now
        self._ids = 0

    def now(self) -> int:
        """Unix time in milliseconds."""
        return self._now

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self._now += ms

    def monotonic(self) -> float:
        """Seconds."""
        return self._now / 1000

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self._now += int(seconds * 1000)
        await asyncio.sleep(0)

    def new_id(self, prefix: str) -> str:
        """Ids count up."""
        self._ids += 1
        return f"{prefix}_{self._ids:026d}"

    def random(self) -> float:
        """Always the middle."""
        return 0.5


def entries(run_id: str, count: int, *, first: int = 0, previous: bytes | None = None) -> list[Entry]:
    """Entries with true chain hashes."""
    made = []
    link = codec.genesis(run_id) if previous is None else previous
    for seq in range(first, first + count):
        body = b'{"seq":%d,"run":"%s"}' % (seq, run_id.encode())
        link = codec.link(link, body)
        made.append(Entry(seq=seq, body=body, hash=link))
    return made


def item(number: int, **more: Any) -> dict[str, Any]:
    """An item of `contract_items`."""
    return {"tenant": "t", "item_id": f"i{number:03d}", "status": "open", "rank": number, **more}


class StoreContract:
    """The suite. Each test's docstring is a sentence of the port."""

    pytestmark = pytest.mark.asyncio
    clock: HandClock

    @pytest.fixture(autouse=True)
    def _clock(self) -> None:
        self.clock = HandClock()

    @pytest.fixture
    def store(self) -> Store:
        """An open, empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def now(self, store: Store) -> int:
        """The time as this store sees it."""
        del store
        return self.clock.now()

    async def pass_time(self, store: Store, ms: int) -> None:
        """Let this store's time pass."""
        del store
        self.clock.advance(ms)

    async def reopen(self, store: Store) -> Store:
        """The same store, closed and opened again."""
        await store.close()
        await store.open()
        return store

    async def start(self, store: Store, run_id: str, *, tenant: str = "t", **more: Any) -> list[Entry]:
        """Create a run with one entry."""
        first = entries(run_id, 1)
        given = {"root_run": run_id, "agent": "a", "entries": first, "now": 1, **more}
        await store.create(run_id, tenant_id=tenant, **given)
        return first

    async def head(self, store: Store, run_id: str) -> RunHead:
        """The head of a run that exists."""
        found = await store.head(run_id)
        assert found is not None
        return found

    async def go_on(self, store: Store, run_id: str, count: int = 1, **more: Any) -> int:
        """Append correct entries at the head."""
        head = await self.head(store, run_id)
        fresh = entries(run_id, count, first=head.seq + 1, previous=head.hash)
        given = {"seq": head.seq, "epoch": head.epoch, "entries": fresh, **more}
        return await store.append(run_id, **given)

    async def take(self, store: Store, run_id: str, worker: str = "w", ttl_ms: int = 60_000) -> Lease:
        """Lease a run that is free."""
        lease = await store.lease(run_id, worker, ttl_ms=ttl_ms)
        assert lease is not None
        return lease

    # Journal: create, read, head

    async def test_create_starts_a_ready_run(self, store: Store) -> None:
        """A created run is ready at epoch 0, owned by nobody, at its last entry."""
        first = entries("r", 2)
        await store.create("r", tenant_id="t", root_run="root", agent="a", entries=first, now=77)
        assert await store.head("r") == RunHead(
            run_id="r",
            tenant_id="t",
            root_run="root",
            agent="a",
            status="ready",
            seq=1,
            hash=first[-1].hash,
            epoch=0,
            owner="",
            lease_until=0,
            wake_ts=None,
            inbox=0,
            created_ts=77,
        )
        assert await store.read("r") == first

    async def test_create_twice_is_refused(self, store: Store) -> None:
        """A second run with the id is refused and leaves the first, and the records, as they were."""
        await store.declare([ITEMS])
        first = await self.start(store, "r")
        with pytest.raises(RunExistsError):
            await self.start(store, "r", tenant="other", writes=[Put("contract_items", item(1))])
        assert await store.read("r") == first
        assert (await self.head(store, "r")).tenant_id == "t"
        assert await store.get("contract_items", ("t", "i001")) is None

    async def test_create_with_a_failing_write_starts_nothing(self, store: Store) -> None:
        """A write whose condition fails means that there is no run."""
        await store.declare([ITEMS])
        with pytest.raises(ConditionError):
            await self.start(store, "r", writes=[Put("contract_items", item(1), expect={"rank": 1})])
        assert await store.head("r") is None
        assert await store.read("r") == []

    async def test_an_unknown_run_has_nothing(self, store: Store) -> None:
        """An unknown run has no entries, no head, no signals and no lease."""
        assert await store.read("none") == []
        assert await store.head("none") is None
        assert await store.inbox("none") == []
        assert await store.lease("none", "w", ttl_ms=1000) is None

    async def test_read_pages_by_seq(self, store: Store) -> None:
        """Entries come in order, after a seq, at most `limit`."""
        await self.start(store, "r")
        await self.go_on(store, "r", 9)
        assert [entry.seq for entry in await store.read("r")] == list(range(10))
        assert [entry.seq for entry in await store.read("r", after=3, limit=4)] == [4, 5, 6, 7]
        assert await store.read("r", after=9) == []

    async def test_bytes_come_back_exactly(self, store: Store) -> None:
        """An event's body and hash are bytes, whatever they hold."""
        odd = Entry(seq=0, body=bytes(range(256)) * 50, hash=bytes(32))
        await store.create("r", tenant_id="t", root_run="r", agent="a", entries=[odd], now=1)
        assert await store.read("r") == [odd]

    # Journal: append and its fence

    async def test_append_advances_the_head(self, store: Store) -> None:
        """An append adds its entries and moves seq and hash."""
        first = await self.start(store, "r")
        more = entries("r", 3, first=1, previous=first[-1].hash)
        assert await store.append("r", seq=0, epoch=0, entries=more) == 0
        head = await self.head(store, "r")
        assert (head.seq, head.hash) == (3, more[-1].hash)
        assert await store.read("r") == first + more

    @pytest.mark.parametrize(("seq", "epoch"), [(-1, 1), (1, 1), (0, 0), (0, 2)])
    async def test_stale_appends_are_fenced(self, store: Store, seq: int, epoch: int) -> None:
        """Another seq or epoch than the head's is fenced, and nothing of the append is there."""
        await store.declare([ITEMS])
        first = await self.start(store, "r")
        await self.take(store, "r")
        with pytest.raises(FencedError):
            await store.append(
                "r",
                seq=seq,
                epoch=epoch,
                entries=entries("r", 1, first=seq + 1),
                contents={codec.digest(b"x"): b"x"},
                writes=[Put("contract_items", item(1))],
                status="ended",
            )
        assert await store.read("r") == first
        assert (await self.head(store, "r")).status == "ready"
        assert await store.get("contract_items", ("t", "i001")) is None
        assert await store.contents([codec.digest(b"x")]) == {}

    async def test_append_to_an_unknown_run_is_fenced(self, store: Store) -> None:
        """There is no head to be at."""
        with pytest.raises(FencedError):
            await store.append("none", seq=-1, epoch=0, entries=entries("none", 1))

    async def test_of_two_equal_appends_one_wins(self, store: Store) -> None:
        """Two workers can never both advance a run from the same seq."""
        await self.start(store, "r")
        tries = [self.go_on(store, "r") for _ in range(8)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        won = [result for result in results if result == 0]
        lost = [result for result in results if isinstance(result, FencedError)]
        head = await self.head(store, "r")
        assert len(won) + len(lost) == 8
        assert head.seq == len(won)
        codec_hash = codec.genesis("r")
        for entry in await store.read("r"):
            codec_hash = codec.link(codec_hash, entry.body)
            assert entry.hash == codec_hash

    async def test_an_ended_run_takes_nothing_more(self, store: Store) -> None:
        """`ended` means that nothing more happens."""
        await self.start(store, "r")
        await self.go_on(store, "r", status="ended")
        with pytest.raises(FencedError):
            await self.go_on(store, "r")

    async def test_entries_must_follow(self, store: Store) -> None:
        """Entries that leave a gap are refused before anything is written."""
        await self.start(store, "r")
        with pytest.raises(InputError):
            await store.append("r", seq=0, epoch=0, entries=entries("r", 1, first=2))
        with pytest.raises(InputError):
            await store.create("s", tenant_id="t", root_run="s", agent="a", entries=[], now=1)

    async def test_a_failing_write_undoes_the_whole_append(self, store: Store) -> None:
        """Events, contents, writes, consumed signals and status land together or not at all."""
        await store.declare([ITEMS])
        first = await self.start(store, "r")
        await self.start(store, "other")
        await store.transact([Signal("r", "s1", b"1"), Put("contract_items", item(1))])
        with pytest.raises(ConditionError) as refusal:
            await self.go_on(
                store,
                "r",
                contents={codec.digest(b"c"): b"c"},
                writes=[
                    Put("contract_items", item(2)),
                    Signal("other", "s2", b"2"),
                    Delete("contract_items", ("t", "i001")),
                    Put("contract_items", item(1), expect={"rank": 7}),
                ],
                consumed=["s1"],
                status="ended",
            )
        assert "write 3" in refusal.value.message
        assert await store.read("r") == first
        head = await self.head(store, "r")
        assert (head.status, head.inbox) == ("ready", 1)
        assert await store.inbox("other") == []
        assert await store.contents([codec.digest(b"c")]) == {}
        assert await store.get("contract_items", ("t", "i001")) == item(1)
        assert await store.get("contract_items", ("t", "i002")) is None

    @pytest.mark.parametrize("durable", [False, True])
    async def test_group_commit_isolates(self, store: Store, durable: bool) -> None:
        """Of a hundred appends at once the bad ones fail, and only they."""
        await store.declare([ITEMS])
        names = [f"r{number:03d}" for number in range(100)]
        await asyncio.gather(*(self.start(store, name) for name in names))

        def writes(number: int) -> list[Put]:
            wrong = {"rank": -1} if number == 41 else ABSENT
            return [
                Put("contract_items", item(number)),
                Put("contract_items", item(500 + number), expect=wrong),
            ]

        async def advance(number: int) -> int:
            epoch = 9 if number == 77 else 0
            fresh = entries(names[number], 2, first=1)
            return await store.append(
                names[number], seq=0, epoch=epoch, entries=fresh, writes=writes(number), durable=durable
            )

        results = await asyncio.gather(*(advance(number) for number in range(100)), return_exceptions=True)
        assert isinstance(results[41], ConditionError)
        assert isinstance(results[77], FencedError)
        assert [result for number, result in enumerate(results) if number not in (41, 77)] == [0] * 98
        for number, name in enumerate(names):
            good = number not in (41, 77)
            assert (await self.head(store, name)).seq == (2 if good else 0)
            assert (await store.get("contract_items", ("t", f"i{number:03d}")) is not None) == good

    # Journal: status, waking, contents

    async def test_status_and_wake_time_are_set_together(self, store: Store) -> None:
        """Status and wake time change only when a status is given."""
        await self.start(store, "r")
        await self.go_on(store, "r", status="waiting", wake_ts=123)
        await self.go_on(store, "r", wake_ts=9)
        head = await self.head(store, "r")
        assert (head.status, head.wake_ts) == ("waiting", 123)

    async def test_an_append_may_have_no_entries(self, store: Store) -> None:
        """A status can change without an event; seq and hash stay."""
        first = await self.start(store, "r")
        await store.append("r", seq=0, epoch=0, entries=[], status="waiting")
        head = await self.head(store, "r")
        assert (head.status, head.seq, head.hash) == ("waiting", 0, first[0].hash)

    async def test_ended_clears_the_lease(self, store: Store) -> None:
        """An ended run is nobody's, cannot be leased or renewed, and is never due."""
        await self.start(store, "r")
        lease = await self.take(store, "r")
        await self.go_on(store, "r", status="ended")
        head = await self.head(store, "r")
        assert (head.status, head.owner, head.lease_until) == ("ended", "", 0)
        assert await store.lease("r", "w", ttl_ms=1000) is None
        assert await store.renew(lease, ttl_ms=1000) is None
        assert await store.due(limit=10) == []

    async def test_contents_are_stored_once(self, store: Store) -> None:
        """Contents are by digest: shared, deduplicated, exact, and absent ones are left out."""
        bodies = [b"", b"small", b"text " * 5000, bytes(range(256)) * 8]
        contents = {codec.digest(body): body for body in bodies}
        await self.start(store, "r", contents=contents)
        once = (await store.sizes())["contents"]
        await self.go_on(store, "r", contents=contents)
        assert (await store.sizes())["contents"] == once
        assert await store.contents([*contents, codec.digest(b"never")]) == contents
        assert await store.contents([]) == {}

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

    # Records

    async def test_put_get_delete(self, store: Store) -> None:
        """An item is the JSON object last put under its key, until it is deleted."""
        await store.declare([ITEMS])
        rich = item(1, nested={"a": [1, 2.5, None, True, "ü\x00"]}, none=None)
        await store.transact([Put("contract_items", item(1)), Put("contract_items", rich)])
        assert await store.get("contract_items", ("t", "i001")) == rich
        await store.transact(
            [Delete("contract_items", ("t", "i001")), Delete("contract_items", ("t", "i009"))]
        )
        assert await store.get("contract_items", ("t", "i001")) is None

    @pytest.mark.parametrize(
        ("expect", "there", "fine"),
        [
            (None, False, True),
            (None, True, True),
            (ABSENT, False, True),
            (ABSENT, True, False),
            ({"rank": 1}, True, True),
            ({"rank": 1, "status": "open"}, True, True),
            ({"rank": 1, "status": "shut"}, True, False),
            ({"rank": True}, True, False),
            ({"rank": 1}, False, False),
            ({"other": "x"}, True, False),
        ],
    )
    async def test_conditions(self, store: Store, expect: Any, there: bool, fine: bool) -> None:
        """Put and Delete happen only when what is there is as expected."""
        await store.declare([ITEMS])
        if there:
            await store.transact([Put("contract_items", item(1))])
        for write in (
            Put("contract_items", item(1), expect=expect),
            Delete("contract_items", ("t", "i001"), expect=expect),
        ):
            if fine or (expect is ABSENT and isinstance(write, Delete) and not there):
                if not (isinstance(write, Delete) and expect is ABSENT):
                    await store.transact([write])
                if there:
                    await store.transact([Put("contract_items", item(1))])
                elif expect is None:
                    await store.transact([Delete("contract_items", ("t", "i001"))])
            else:
                with pytest.raises(ConditionError):
                    await store.transact([write])

    async def test_a_transaction_is_all_or_nothing(self, store: Store) -> None:
        """One failing condition undoes the writes before it and the signals, and is named."""
        await store.declare([ITEMS, ENVELOPES])
        await self.start(store, "r")
        with pytest.raises(ConditionError) as refusal:
            await store.transact(
                [
                    Put("contract_items", item(1)),
                    Signal("r", "s", b""),
                    Add("contract_envelopes", ("missing",), {"usd": -1}),
                ]
            )
        assert "write 2" in refusal.value.message
        assert "contract_envelopes" in refusal.value.message
        assert await store.get("contract_items", ("t", "i001")) is None
        assert await store.inbox("r") == []

    async def test_later_writes_see_earlier_ones(self, store: Store) -> None:
        """Within a transaction the writes happen in order."""
        await store.declare([ENVELOPES])
        key = ("e",)
        await store.transact(
            [
                Put("contract_envelopes", {"envelope_id": "e", "left": 5}, expect=ABSENT),
                Add("contract_envelopes", key, {"left": -5}, floor={"left": 0}),
                Put("contract_envelopes", {"envelope_id": "e", "left": 1}, expect={"left": 0}),
            ]
        )
        assert await store.get("contract_envelopes", key) == {"envelope_id": "e", "left": 1}

    async def test_add_respects_its_floor(self, store: Store) -> None:
        """An Add that would fall below a floor changes nothing; fields that are not there start at 0."""
        await store.declare([ENVELOPES])
        await store.transact([Put("contract_envelopes", {"envelope_id": "e", "left": 10, "note": "n"})])
        await store.transact(
            [Add("contract_envelopes", ("e",), {"left": -10, "used": 10}, floor={"left": 0})]
        )
        with pytest.raises(ConditionError):
            await store.transact(
                [Add("contract_envelopes", ("e",), {"left": -1, "used": 1}, floor={"left": 0})]
            )
        with pytest.raises(ConditionError):
            await store.transact([Add("contract_envelopes", ("e",), {"note": 1})])
        expected = {"envelope_id": "e", "left": 0, "used": 10, "note": "n"}
        assert await store.get("contract_envelopes", ("e",)) == expected

    async def test_concurrent_adds_never_overspend(self, store: Store) -> None:
        """A hundred reservations of a shared envelope that holds forty: forty get one."""
        await store.declare([ENVELOPES])
        await store.transact([Put("contract_envelopes", {"envelope_id": "e", "left": 40})])
        reserve = [Add("contract_envelopes", ("e",), {"left": -1}, floor={"left": 0})]
        results = await asyncio.gather(*(store.transact(reserve) for _ in range(100)), return_exceptions=True)
        assert results.count(None) == 40
        assert sum(isinstance(result, ConditionError) for result in results) == 60
        assert await store.get("contract_envelopes", ("e",)) == {"envelope_id": "e", "left": 0}

    async def test_concurrent_puts_of_an_absent_item(self, store: Store) -> None:
        """Of many who create the same item, one does."""
        await store.declare([ITEMS])
        puts = [store.transact([Put("contract_items", item(1, by=n), expect=ABSENT)]) for n in range(30)]
        results = await asyncio.gather(*puts, return_exceptions=True)
        assert results.count(None) == 1

    @pytest.mark.parametrize(
        "bad",
        [
            {"item_id": "x"},
            {"tenant": "t", "item_id": 1.5},
            {"tenant": "t", "item_id": True},
            {"tenant": "t", "item_id": 2**63},
            {"tenant": "t", "item_id": "nul\x00"},
            {"tenant": "t", "item_id": "x" * 1025},
            {"tenant": "t", "item_id": "x", "rank": 1.5},
            {"tenant": "t", "item_id": "x", "other": object()},
        ],
    )
    async def test_items_that_cannot_be_kept(self, store: Store, bad: dict[str, Any]) -> None:
        """A key or index field that is no string or integer is refused, and so is what JSON cannot hold."""
        await store.declare([ITEMS])
        with pytest.raises(InputError):
            await store.transact([Put("contract_items", bad)])

    async def test_undeclared(self, store: Store) -> None:
        """Collections, indexes and keys that were not declared are refused."""
        await store.declare([ITEMS])
        with pytest.raises(InputError):
            await store.transact([Put("contract_nothing", {"a": "b"})])
        with pytest.raises(InputError):
            await store.get("contract_nothing", ("a",))
        with pytest.raises(InputError):
            await store.get("contract_items", ("t",))
        with pytest.raises(InputError):
            await store.query("contract_items", "nothing", ("t",))
        with pytest.raises(InputError):
            await store.query("contract_items", "status", ("t",))

    # Queries

    async def fill(self, store: Store, count: int) -> list[dict[str, Any]]:
        """Items of two statuses, some of them outside the index, put in a mixed order."""
        await store.declare([ITEMS])
        made = [item(n, rank=n // 3, status="open" if n % 2 else "shut") for n in range(count)]
        outside = [item(900, status=None), {"tenant": "t", "item_id": "i901", "rank": 1}]
        other = [item(n, tenant="u", status="open") for n in range(5)]
        writes = [Put("contract_items", each) for each in reversed(made + outside + other)]
        await store.transact(writes)
        return made

    async def pages(self, store: Store, index: str, equals: tuple[Any, ...], **more: Any) -> list[list[str]]:
        """The ids on each page of a query."""
        found, cursor = [], None
        while True:
            page = await store.query("contract_items", index, equals, cursor=cursor, **more)
            found.append([each["item_id"] for each in page.items])
            cursor = page.cursor
            if cursor is None:
                return found

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [1, 4, 50])
    async def test_pages_lose_and_repeat_nothing(self, store: Store, descending: bool, limit: int) -> None:
        """Following the cursors gives each item of the index once, by the next field and then the key."""
        made = await self.fill(store, 23)
        open_ones = [each for each in made if each["status"] == "open"]
        wanted = sorted(open_ones, key=lambda each: (each["rank"], each["item_id"]), reverse=descending)
        found = await self.pages(store, "status", ("t", "open"), descending=descending, limit=limit)
        assert [one for page in found for one in page] == [each["item_id"] for each in wanted]
        assert all(len(page) <= limit for page in found)
        assert all(found) or len(found) == 1

    @pytest.mark.parametrize("descending", [False, True])
    async def test_bounds_are_inclusive(self, store: Store, descending: bool) -> None:
        """`lower` and `upper` bound the next field, both inclusive, on every page."""
        made = await self.fill(store, 23)
        wanted = [each["item_id"] for each in made if each["status"] == "open" and 2 <= each["rank"] <= 5]
        more: dict[str, Any] = {"lower": 2, "upper": 5, "limit": 2, "descending": descending}
        found = [one for page in await self.pages(store, "status", ("t", "open"), **more) for one in page]
        assert found == (wanted[::-1] if descending else wanted)

    async def test_equality_on_all_fields(self, store: Store) -> None:
        """With every field of the index given, items come by key."""
        await self.fill(store, 23)
        assert await self.pages(store, "status", ("t", "shut", 2), limit=1) == [["i006"], ["i008"]]

    async def test_the_key_itself(self, store: Store) -> None:
        """The empty index name asks the key: all of it, a prefix, or nothing."""
        made = await self.fill(store, 6)
        assert await self.pages(store, "", ("t", "i002")) == [["i002"]]
        more: dict[str, Any] = {"lower": "i001", "upper": "i003"}
        assert await self.pages(store, "", ("t",), **more) == [["i001", "i002", "i003"]]
        everything = [one for page in await self.pages(store, "", (), limit=4) for one in page]
        assert len(everything) == len(made) + 2 + 5

    async def test_an_item_moves_in_its_indexes(self, store: Store) -> None:
        """A changed item is found by what it is now, and a deleted one no more."""
        await self.fill(store, 4)
        await store.transact([Put("contract_items", item(1, status="shut", rank=9))])
        await store.transact([Delete("contract_items", ("t", "i002"))])
        assert await self.pages(store, "status", ("t", "open")) == [["i003"]]
        assert await self.pages(store, "status", ("t", "shut")) == [["i000", "i001"]]
        await store.transact([Add("contract_items", ("t", "i001"), {"rank": -5})])
        assert await self.pages(store, "status", ("t", "shut", 4)) == [["i001"]]

    async def test_order_of_integers_and_strings(self, store: Store) -> None:
        """Integers are ordered as numbers and before strings, strings by their code points."""
        await store.declare([ITEMS])
        ranks: Sequence[Any] = [
            -(2**63),
            -10,
            -9,
            0,
            5,
            40,
            2**63 - 1,
            "",
            "A",
            "a",
            "aa",
            "b",
            "é",
            "\uffff",
            "😀",
        ]
        writes = [Put("contract_items", item(n, rank=rank)) for n, rank in enumerate(ranks)]
        await store.transact(writes[::-1])
        page = await store.query("contract_items", "rank", ())
        assert [each["rank"] for each in page.items] == list(ranks)
        found = await self.pages(store, "rank", (), limit=2, descending=True)
        assert [one for page in found for one in page] == [f"i{n:03d}" for n in reversed(range(len(ranks)))]

    @pytest.mark.parametrize(
        "cursor", ["nonsense", "", "AAAA", "WzFd", "W10=", "bnVsbA==", "é", "WzEuNSwiYSJd"]
    )
    async def test_a_bad_cursor_is_refused(self, store: Store, cursor: str) -> None:
        """A cursor that no query returned is an InputError E103."""
        await self.fill(store, 3)
        with pytest.raises(InputError) as refusal:
            await store.query("contract_items", "status", ("t", "open"), cursor=cursor)
        assert refusal.value.code == "E103"

    # Declarations, opening, sizes

    async def test_declare_again(self, store: Store) -> None:
        """Declaring twice changes nothing; a new index is filled from the items that are there."""
        bare = Collection(name="contract_items", key=ITEMS.key)
        await store.declare([bare, ENVELOPES])
        await store.transact([Put("contract_items", item(n)) for n in range(5)])
        await store.declare([bare, ENVELOPES])
        await store.declare([ITEMS])
        await store.declare([ITEMS])
        found = await store.query("contract_items", "status", ("t", "open"), lower=3)
        assert [each["rank"] for each in found.items] == [3, 4]

    async def test_an_index_may_change(self, store: Store) -> None:
        """An index declared anew under its name answers by its new fields."""
        await store.declare([ITEMS])
        await store.transact(
            [Put("contract_items", item(n, colour="red" if n % 2 else "blue")) for n in range(6)]
        )
        changed = Collection(
            name=ITEMS.name, key=ITEMS.key, indexes=(Index(name="status", fields=("colour", "rank")),)
        )
        await store.declare([changed])
        found = await store.query("contract_items", "status", ("red",))
        assert [each["rank"] for each in found.items] == [1, 3, 5]

    async def test_a_key_may_not_change(self, store: Store) -> None:
        """A collection's key is for ever; names must be plain."""
        await store.declare([ITEMS])
        with pytest.raises(ConfigError):
            await store.declare([Collection(name=ITEMS.name, key=("item_id",))])
        with pytest.raises(ConfigError):
            await store.declare([Collection(name='x"; DROP TABLE runs', key=("id",))])

    async def test_all_is_there_after_reopening(self, store: Store) -> None:
        """What was acknowledged survives closing and opening."""
        await store.declare([ITEMS])
        await self.start(store, "r", contents={codec.digest(b"c"): b"c"})
        await self.take(store, "r")
        await self.go_on(store, "r", 3, writes=[Put("contract_items", item(1)), Signal("r", "s", b"x")])
        head, stored = await store.head("r"), await store.read("r")
        again = await self.reopen(store)
        assert await again.head("r") == head
        assert await again.read("r") == stored
        assert await again.inbox("r") == [Signal("r", "s", b"x")]
        assert await again.contents([codec.digest(b"c")]) == {codec.digest(b"c"): b"c"}
        assert await again.get("contract_items", ("t", "i001")) == item(1)
        await again.transact([Put("contract_items", item(2))])
        assert (await again.query("contract_items", "rank", ())).items == [item(1), item(2)]

    async def test_sizes_grow(self, store: Store) -> None:
        """Sizes count the bytes of events, contents and records."""
        await store.declare([ITEMS])
        empty = await store.sizes()
        await self.start(
            store, "r", contents={codec.digest(b"c"): b"c"}, writes=[Put("contract_items", item(1))]
        )
        full = await store.sizes()
        assert all(full[name] > empty[name] for name in ("events", "contents", "records"))

    async def test_ping(self, store: Store) -> None:
        """A store that would take a write says nothing."""
        await store.ping()
