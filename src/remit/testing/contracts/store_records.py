"""The store's contract, third part: collections of records, queries, opening and closing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from remit.core import codec
from remit.core.errors import ConditionError, ConfigError, InputError
from remit.ports.store import (
    ABSENT,
    Add,
    Collection,
    Delete,
    Index,
    Put,
    Signal,
    Store,
)
from remit.testing.contracts.store_setting import ENVELOPES, ITEMS, StoreSuite, item


class RecordsContract(StoreSuite):
    """Each docstring is a sentence of the port."""

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
