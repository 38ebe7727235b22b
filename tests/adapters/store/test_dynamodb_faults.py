"""DynamoDB on bad days: what is throttled, failed, cut off or late happens once, or it is told that nobody knows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.adapters.store.dynamo_world import opened, session, url_of
from tests.adapters.store.faulty_http import FAULTS, Fault, Faulty, faulty

from remit.adapters.store.dynamodb import DynamoStore, calls
from remit.core.errors import CommitUnknownError, FencedError, StoreError
from remit.ports.store import ABSENT, Add, Delete, Put, Signal
from remit.testing.contracts.store import ENVELOPES, ITEMS, HandClock, entries, item

LEFT = 1000
KEY = ("e",)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between tries are short here; how often it is tried stays."""
    monkeypatch.setattr(calls, "CAP_S", 0.01)


SOON = [
    pytest.param("ministack", marks=pytest.mark.service),
    pytest.param("local", marks=[pytest.mark.service, pytest.mark.nightly]),
]


@pytest.fixture(params=SOON)
def proxy(request: pytest.FixtureRequest) -> Iterator[Faulty]:
    with faulty(url_of(request.param)) as made:
        yield made
    session.cache_clear()


async def prepare(store: DynamoStore) -> None:
    """A run `r`, and an envelope that holds `LEFT`."""
    await store.declare([ITEMS, ENVELOPES])
    await store.create("r", tenant_id="t", root_run="r", agent="a", entries=entries("r", 1), now=1)
    await store.transact([Put("contract_envelopes", {"envelope_id": "e", "left": LEFT})])


async def go_on(store: DynamoStore, *writes: Any, **more: Any) -> None:
    """Append one entry at the head, together with writes."""
    head = await store.head("r")
    assert head is not None
    fresh = entries("r", 1, first=head.seq + 1, previous=head.hash)
    await store.append("r", seq=head.seq, epoch=head.epoch, entries=fresh, writes=writes, **more)


def spend(number: int = 1) -> Add:
    return Add("contract_envelopes", KEY, {"left": -number}, floor={"left": 0})


async def left(store: DynamoStore) -> int:
    found = await store.get("contract_envelopes", KEY)
    assert found is not None
    return int(found["left"])


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_write_happens_once(proxy: Faulty, fault: Fault) -> None:
    """Every kind of write, with every kind of trouble on its way, is done exactly once when it returns."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        proxy.once(fault)
        await go_on(store, spend())
        assert [entry.seq for entry in await store.read("r")] == [0, 1]
        assert await left(store) == LEFT - 1
        proxy.once(fault, times=2)
        await store.transact([spend()])
        assert await left(store) == LEFT - 2
        proxy.once(fault)
        await store.transact([spend(), Put("contract_items", item(1), expect=ABSENT)])
        assert await left(store) == LEFT - 3
        proxy.once(fault)
        await store.transact([Signal("r", "s", b"x")])
        assert await store.inbox("r") == [Signal("r", "s", b"x")]
        head = await store.head("r")
        assert head is not None
        assert head.inbox == 1
        proxy.once(fault)
        lease = await store.lease("r", "w", ttl_ms=1000)
        assert lease is not None
        assert lease.epoch in (1, 2)
        proxy.once(fault)
        await store.create("s", tenant_id="t", root_run="s", agent="a", entries=entries("s", 2), now=1)
        assert await store.read("s") == entries("s", 2)


async def test_what_was_never_done_is_a_plain_failure(proxy: Faulty) -> None:
    """Throttled to the end: a StoreError that is no CommitUnknownError, and nothing is there."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        proxy.always("throttle")
        with pytest.raises(StoreError) as raised:
            await go_on(store, spend())
        assert not isinstance(raised.value, CommitUnknownError)
        assert raised.value.code == "E651"
        proxy.once("")
        assert len(await store.read("r")) == 1
        assert await left(store) == LEFT
        await go_on(store, spend())


@pytest.mark.parametrize("fault", ["fail", "cut"])
async def test_a_fate_that_cannot_be_found_out_is_told(proxy: Faulty, fault: Fault) -> None:
    """When no try was answered and nothing is there yet, the caller learns that nobody knows."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        proxy.always(fault)
        with pytest.raises(CommitUnknownError):
            await go_on(store, spend())
        proxy.once("")
        await go_on(store, spend())
        assert len(await store.read("r")) == 2


@pytest.mark.parametrize("fault", ["fail_after", "cut_after"])
async def test_a_commit_that_nobody_answered_is_found(proxy: Faulty, fault: Fault) -> None:
    """When all answers are lost but the items are there, it was done."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        proxy.always(fault)
        await go_on(store, spend())
        await store.transact([spend()])
        assert len(await store.read("r")) == 2
        assert await left(store) == LEFT - 2


async def test_a_lost_answer_and_another_writer(proxy: Faulty) -> None:
    """An item that was written, its answer lost, and written by another before the next try: nobody knows, and it is told."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        direct = DynamoStore(
            HandClock(), session(f"http://{proxy.address[0]}:{proxy.address[1]}"), prefix=store._prefix
        )
        await direct.open()
        await direct.declare([ITEMS, ENVELOPES])
        state = {"cut": False}

        def meddle(operation: str) -> Fault:
            if operation == "PutItem" and not state["cut"]:
                state["cut"] = True
                return "cut_after"
            if operation == "PutItem":
                # before the second try arrives, somebody else has spent too
                asyncio.run_coroutine_threadsafe(direct.transact([spend(10)]), loop).result(10)
            return ""

        loop = asyncio.get_running_loop()
        proxy.fault = meddle
        with pytest.raises(CommitUnknownError):
            await store.transact([spend()])
        assert await left(store) == LEFT - 11
        await direct.close()


async def _writer(store: DynamoStore, count: int, chance: random.Random, told: list[int]) -> None:
    """Append and spend together, `count` times; `told` counts those whose fate is unknown."""
    done = 0
    while done < count:
        try:
            await go_on(store, spend())
            done += 1
        except FencedError:
            await asyncio.sleep(0)
        except CommitUnknownError:
            told.append(1)
            done += 1
        except StoreError:  # more faults in a row than are retried: nothing was written
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, 8))])
async def test_a_storm(proxy: Faulty, seed: int) -> None:
    """Two processes' writers race through random faults: every entry is there once and has spent once, in an unbroken chain."""
    chance = random.Random(seed)
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        other = DynamoStore(HandClock(), session(proxy.url), prefix=store._prefix)
        await other.open()
        await other.declare([ITEMS, ENVELOPES])
        proxy.fault = lambda operation: chance.choice(FAULTS) if chance.random() < 0.3 else ""
        told: list[int] = []
        await asyncio.gather(*(_writer(each, 12, chance, told) for each in (store, other, store)))
        proxy.once("")
        found = await store.read("r")
        assert found == entries("r", len(found))
        assert LEFT - await left(store) == len(found) - 1
        assert 36 - len(told) <= len(found) - 1 <= 36
        await other.close()


async def test_deletes_happen_once(proxy: Faulty) -> None:
    """A delete whose answer was lost is not told as a failure."""
    async with opened(HandClock(), proxy.url) as store:
        await prepare(store)
        await store.transact([Put("contract_items", item(1))])
        proxy.once("cut_after")
        await store.transact([Delete("contract_items", ("t", "i001"))])
        assert await store.get("contract_items", ("t", "i001")) is None
