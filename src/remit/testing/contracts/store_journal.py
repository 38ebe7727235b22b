"""The store's contract, first part: creating runs, appending to them, status and contents."""

from __future__ import annotations

import asyncio

import pytest

from remit.core import codec
from remit.core.errors import ConditionError, FencedError, InputError, RunExistsError
from remit.ports.store import (
    ABSENT,
    Delete,
    Entry,
    Put,
    RunHead,
    Signal,
    Store,
)
from remit.testing.contracts.store_setting import ITEMS, StoreSuite, entries, item


class JournalContract(StoreSuite):
    """Each docstring is a sentence of the port."""

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
