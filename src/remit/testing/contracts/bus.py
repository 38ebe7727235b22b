"""What every `Bus` must do, as tests. Subclass `BusContract`, override the fixture `world`, run pytest.

    class TestMine(BusContract):
        @pytest_asyncio.fixture
        async def world(self):
            ...
            yield BusWorld(bus, deliver, pass_time, another)

`deliver` lets the bus deliver everything that it can now, `pass_time` lets seconds pass for it, and `another` makes a
second bus on the same place, as another process would have.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import Struct

from remit.core.cloudevent import CloudEvent
from remit.core.errors import InputError, NotFoundError
from remit.core.rule import Redelivery
from remit.ports.bus import Bus, Delivery, Later, Subscription, UndeliverableError

TENANT, OTHER = "acme", "zeta"
ORDERS = ({"type": ["order.placed"]},)
TWICE = Redelivery(attempts=2, base_s=10.0, max_s=60.0)


class BusWorld(Struct):
    """A bus under test, and how it is driven."""

    bus: Bus
    deliver: Callable[[], Awaitable[Any]]
    pass_time: Callable[[float], Awaitable[Any]]
    another: Callable[[], Awaitable[tuple[Bus, Callable[[], Awaitable[Any]]]]]


def order(number: int, **fields: Any) -> CloudEvent:
    """The event that an order was placed."""
    given: dict[str, Any] = {
        "id": f"e{number}",
        "source": "shop",
        "type": "order.placed",
        "data": {"n": number},
    }
    return CloudEvent(**{**given, **fields})


class Taker:
    """A handler that writes down what it was given; `fail` says for which numbers it raises."""

    def __init__(self, fail: Callable[[Delivery], bool] = lambda delivery: False) -> None:
        self.taken: list[Delivery] = []
        self._fail = fail

    async def __call__(self, delivery: Delivery) -> Later | None:
        """Take one."""
        self.taken.append(delivery)
        if self._fail(delivery):
            raise ValueError(f"no thanks to {delivery.event.id}")
        return None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the orders, as they came."""
        return [d.event.data["n"] for d in self.taken]


class BusContract:
    """Each docstring is a sentence of the port."""

    @pytest.fixture
    async def world(self) -> BusWorld:
        """A bus on which nothing happened yet."""
        raise NotImplementedError

    async def test_a_subscription_gets_what_matches(self, world: BusWorld) -> None:
        """Events that match one of a subscription's patterns are handled once, whole; no others are."""
        taker = Taker()
        patterns = (*ORDERS, {"data": {"n": [{"numeric": [">", 7]}]}})
        await world.bus.subscribe(Subscription("orders", patterns, TENANT), taker)
        event = order(1, subject="s", traceparent="00-a-b-01", extensions={"color": "red"})
        published = await world.bus.publish(TENANT, [event, order(2, type="other"), order(8, type="other")])
        await world.deliver()
        await world.deliver()
        assert sorted(taker.numbers) == [1, 8]
        first = next(d for d in taker.taken if d.event.id == "e1")
        assert first.event == published[0].event
        assert (first.event.tenantid, first.event.subject, first.event.extensions) == (
            TENANT,
            "s",
            {"color": "red"},
        )
        assert (first.subscription, first.tenant_id, first.attempt) == ("orders", TENANT, 1)

    async def test_fan_out(self, world: BusWorld) -> None:
        """Every subscription gets its own copy, and one that fails keeps nothing from the others."""
        good, bad = Taker(), Taker(lambda d: True)
        await world.bus.subscribe(Subscription("good", ORDERS, TENANT), good)
        await world.bus.subscribe(Subscription("bad", ORDERS, TENANT, retry=TWICE), bad)
        await world.bus.publish(TENANT, [order(n) for n in range(20)])
        await world.deliver()
        assert Counter(good.numbers) == Counter(range(20))
        assert Counter(bad.numbers) == Counter(range(20))

    async def test_published_again_is_not_delivered_again(self, world: BusWorld) -> None:
        """An event is known by tenant, source and id; the second time nothing happens, also within one call."""
        taker = Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS), taker)
        first = await world.bus.publish(TENANT, [order(1), order(1, data={"n": 99}), order(2)])
        assert [p.fresh for p in first] == [True, False, True]
        again = await world.bus.publish(TENANT, [order(2), order(3)])
        assert [p.fresh for p in again] == [False, True]
        elsewhere = await world.bus.publish(OTHER, [order(1)])
        source = await world.bus.publish(TENANT, [order(1, source="till")])
        assert [p.fresh for p in (*elsewhere, *source)] == [True, True]
        await world.deliver()
        assert sorted((d.tenant_id, d.event.source, d.event.id) for d in taker.taken) == [
            (TENANT, "shop", "e1"),
            (TENANT, "shop", "e2"),
            (TENANT, "shop", "e3"),
            (TENANT, "till", "e1"),
            (OTHER, "shop", "e1"),
        ]

    async def test_many_publish_at_once(self, world: BusWorld) -> None:
        """Of many who publish the same event at the same time, one does."""
        taker = Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), taker)
        answers = await asyncio.gather(
            *(world.bus.publish(TENANT, [order(n % 10)]) for n in range(50)),
        )
        assert sum(answer[0].fresh for answer in answers) == 10
        await world.deliver()
        assert sorted(taker.numbers) == list(range(10))

    async def test_tenants_are_apart(self, world: BusWorld) -> None:
        """A tenant's subscription gets its own events only, whatever an event says about itself."""
        mine, theirs = Taker(), Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), mine)
        await world.bus.subscribe(Subscription("orders", ORDERS, OTHER), theirs)
        await world.bus.publish(TENANT, [order(1, tenantid=OTHER)])
        await world.deliver()
        assert (mine.numbers, theirs.numbers) == ([1], [])
        await world.bus.unsubscribe(OTHER, "orders")
        await world.bus.publish(TENANT, [order(2)])
        await world.deliver()
        assert mine.numbers == [1, 2]

    async def test_order_within_a_key(self, world: BusWorld) -> None:
        """Events of one partition key are handled one after the other, as they were published, over many calls."""
        running: set[str] = set()
        taken: dict[str, list[int]] = {}

        async def handler(delivery: Delivery) -> None:
            key = delivery.event.partitionkey
            assert key not in running
            running.add(key)
            await asyncio.sleep(0)
            taken.setdefault(key, []).append(delivery.event.data["n"])
            running.discard(key)

        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), handler)
        for start in range(0, 200, 20):
            await world.bus.publish(
                TENANT, [order(n, partitionkey=f"k{n % 7}") for n in range(start, start + 20)]
            )
        await world.deliver()
        assert taken == {f"k{k}": [n for n in range(200) if n % 7 == k] for k in range(7)}

    async def test_a_failure_holds_back_its_key_only(self, world: BusWorld) -> None:
        """What stands behind an event that failed waits until that one succeeds; other keys and keyless events do not."""
        refused = {("k", 1)}
        taker = Taker(lambda d: (d.event.partitionkey, d.event.data["n"]) in refused)
        retry = Redelivery(attempts=5, base_s=10.0, max_s=10.0)
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=retry), taker)
        keyed = [order(n, partitionkey="k") for n in range(4)]
        others = [order(n, partitionkey="other") for n in range(10, 13)]
        await world.bus.publish(TENANT, [*keyed, *others, order(20)])
        await world.deliver()
        await world.bus.publish(TENANT, [order(4, partitionkey="k"), order(13, partitionkey="other")])
        await world.deliver()
        assert [n for n in taker.numbers if n < 10] == [0, 1]
        assert sorted(n for n in taker.numbers if n >= 10) == [10, 11, 12, 13, 20]
        await world.pass_time(11)
        await world.deliver()
        assert [n for n in taker.numbers if n < 10] == [0, 1, 1]
        refused.clear()
        await world.pass_time(11)
        await world.deliver()
        assert [n for n in taker.numbers if n < 10] == [0, 1, 1, 1, 2, 3, 4]
        await world.bus.publish(TENANT, [order(5, partitionkey="k")])
        await world.deliver()
        assert taker.numbers[-1] == 5

    async def test_a_long_queue_behind_a_failure_keeps_its_order(self, world: BusWorld) -> None:
        """However many events wait behind one that failed, and whatever fails again among them, their order stays."""
        failed: set[int] = set()

        def fails_first(delivery: Delivery) -> bool:
            number = delivery.event.data["n"]
            if number % 150 == 0 and number not in failed:
                failed.add(number)
                return True
            return False

        taker = Taker(fails_first)
        retry = Redelivery(attempts=5, base_s=1.0, max_s=1.0)
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=retry), taker)
        for start in range(0, 600, 50):
            await world.bus.publish(TENANT, [order(n, partitionkey="k") for n in range(start, start + 50)])
            await world.deliver()
        for _ in range(12):
            await world.pass_time(2)
            await world.deliver()
        done = list(dict.fromkeys(reversed(taker.numbers)))[::-1]
        assert done == list(range(600))
        assert len(taker.numbers) == 604

    async def test_retries_then_a_dead_letter(self, world: BusWorld) -> None:
        """After its attempts, with a growing pause between them, an event is a dead letter that says why."""
        taker = Taker(lambda d: True)
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=TWICE), taker)
        await world.bus.publish(TENANT, [order(1)])
        await world.deliver()
        assert [d.attempt for d in taker.taken] == [1]
        await world.pass_time(1)
        await world.deliver()
        assert len(taker.taken) == 1, "not before its time"
        await world.pass_time(11)
        await world.deliver()
        assert [d.attempt for d in taker.taken] == [1, 2]
        (dead,) = (await world.bus.dead_letters(TENANT)).items
        assert (dead.subscription, dead.event.id, dead.attempts) == ("orders", "e1", 2)
        assert "no thanks to e1" in dead.problem
        assert await world.bus.dead_letter(TENANT, dead.dead_letter_id) == dead

    async def test_an_event_given_up_frees_its_key(self, world: BusWorld) -> None:
        """What stood behind a dead letter goes on, in order."""
        taker = Taker(lambda d: d.event.data["n"] == 0)
        retry = Redelivery(attempts=1)
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=retry), taker)
        await world.bus.publish(TENANT, [order(n, partitionkey="k") for n in range(4)])
        await world.deliver()
        assert taker.numbers == [0, 1, 2, 3]
        assert [d.event.id for d in (await world.bus.dead_letters(TENANT)).items] == ["e0"]

    async def test_never_means_never(self, world: BusWorld) -> None:
        """A handler that says `UndeliverableError` is not asked again."""
        asked = []

        async def never(delivery: Delivery) -> None:
            asked.append(delivery)
            raise UndeliverableError("this is not for me")

        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=TWICE), never)
        await world.bus.publish(TENANT, [order(1)])
        await world.deliver()
        assert len(asked) == 1
        assert "not for me" in (await world.bus.dead_letters(TENANT)).items[0].problem

    async def test_redrive_and_discard(self, world: BusWorld) -> None:
        """A dead letter that is sent again is handled from the start; one that is discarded is gone."""
        bad = True
        taker = Taker(lambda d: bad)
        retry = Redelivery(attempts=1)
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=retry), taker)
        await world.bus.publish(TENANT, [order(1), order(2)])
        await world.deliver()
        bad = False
        dead = {d.event.id: d.dead_letter_id for d in (await world.bus.dead_letters(TENANT)).items}
        await world.bus.redrive(TENANT, dead["e1"])
        await world.bus.discard(TENANT, dead["e2"])
        await world.deliver()
        assert (sorted(taker.numbers), taker.taken[-1].attempt) == ([1, 1, 2], 1)
        assert (await world.bus.dead_letters(TENANT)).items == []
        for verb in (world.bus.dead_letter, world.bus.redrive, world.bus.discard):
            with pytest.raises(NotFoundError):
                await verb(TENANT, dead["e1"])
            with pytest.raises(NotFoundError):
                await verb(OTHER, dead["e2"])

    async def test_dead_letters_are_paged(self, world: BusWorld) -> None:
        """Newest first, a page at a time, of one subscription or all; of one's own tenant."""
        bad = Taker(lambda d: True)
        for name in ("one", "two"):
            subscription = Subscription(name, ORDERS, retry=Redelivery(attempts=1))
            await world.bus.subscribe(subscription, bad)
        for n in range(5):
            await world.bus.publish(TENANT, [order(n)])
            await world.deliver()
        seen, cursor = [], None
        while True:
            page = await world.bus.dead_letters(TENANT, subscription="one", limit=2, cursor=cursor)
            seen += [d.event.id for d in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == ["e4", "e3", "e2", "e1", "e0"]
        assert len((await world.bus.dead_letters(TENANT)).items) == 10
        assert (await world.bus.dead_letters(OTHER)).items == []

    async def test_without_dead_letters(self, world: BusWorld) -> None:
        """A subscription that wants none loses what it cannot handle."""
        subscription = Subscription("orders", ORDERS, TENANT, retry=Redelivery(attempts=1), dead_letter=False)
        await world.bus.subscribe(subscription, Taker(lambda d: True))
        await world.bus.publish(TENANT, [order(1)])
        await world.deliver()
        assert (await world.bus.dead_letters(TENANT)).items == []

    async def test_later(self, world: BusWorld) -> None:
        """A handler may ask to be asked again with its memo; that is no attempt, and its key waits meanwhile."""
        asked: list[tuple[int, int, str]] = []

        async def handler(delivery: Delivery) -> Later | None:
            asked.append((delivery.event.data["n"], delivery.attempt, delivery.memo))
            return Later(5.0, "half") if not delivery.memo and delivery.event.data["n"] == 1 else None

        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT, retry=TWICE), handler)
        await world.bus.publish(TENANT, [order(1, partitionkey="k"), order(2, partitionkey="k")])
        await world.deliver()
        assert asked == [(1, 1, "")]
        await world.pass_time(6)
        await world.deliver()
        assert asked == [(1, 1, ""), (1, 1, "half"), (2, 1, "")]

    async def test_too_slow_is_a_failure(self, world: BusWorld) -> None:
        """A handler that does not answer in `timeout_s` has failed."""

        async def slow(delivery: Delivery) -> None:
            await asyncio.Event().wait()

        subscription = Subscription("slow", ORDERS, TENANT, retry=Redelivery(attempts=1), timeout_s=0.05)
        await world.bus.subscribe(subscription, slow)
        await world.bus.publish(TENANT, [order(1)])
        await world.deliver()
        assert "longer than" in (await world.bus.dead_letters(TENANT)).items[0].problem

    async def test_a_subscription_that_is_gone(self, world: BusWorld) -> None:
        """What was under way to a subscription that is forgotten becomes dead letters: nothing is lost."""
        taker = Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), taker)
        await world.bus.publish(TENANT, [order(1)])
        await world.bus.unsubscribe(TENANT, "orders")
        await world.bus.publish(TENANT, [order(2)])
        await world.deliver()
        assert taker.taken == []
        assert [d.event.id for d in (await world.bus.dead_letters(TENANT)).items] == ["e1"]

    async def test_two_processes_share_the_work(self, world: BusWorld) -> None:
        """Each event is handled by one of the processes that have the subscription, once, in order per key."""
        taken: list[tuple[str, int]] = []

        async def handler(delivery: Delivery) -> None:
            await asyncio.sleep(0)
            taken.append((delivery.event.partitionkey, delivery.event.data["n"]))

        other, deliver_there = await world.another()
        subscription = Subscription("orders", ORDERS, TENANT)
        await world.bus.subscribe(subscription, handler)
        await other.subscribe(subscription, handler)
        for start in range(0, 200, 50):
            bus = (world.bus, other)[start // 50 % 2]
            await bus.publish(TENANT, [order(n, partitionkey=f"k{n % 5}") for n in range(start, start + 50)])
        while len(taken) < 200:
            await asyncio.gather(world.deliver(), deliver_there())
        await asyncio.gather(world.deliver(), deliver_there())
        assert len(taken) == 200
        for key in range(5):
            mine = [n for k, n in taken if k == f"k{key}"]
            assert mine == sorted(mine)

    async def test_a_process_without_the_handler_leaves_it_to_others(self, world: BusWorld) -> None:
        """A subscription outlives its process: events wait until somebody has its handler again."""
        taker = Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), taker)
        other, deliver_there = await world.another()
        await other.publish(TENANT, [order(1)])
        await deliver_there()
        assert taker.taken == []
        await world.deliver()
        assert taker.numbers == [1]

    @pytest.mark.parametrize(
        "event",
        [
            order(1, id=""),
            order(1, source=""),
            order(1, type=""),
            order(1, time="yesterday"),
            order(1, id="x" * 401),
            order(1, extensions={"Bad-Name": 1}),
            order(1, datacontenttype="text/xml"),
            order(1, data="x" * 300_000),
        ],
        ids=["id", "source", "type", "time", "long", "extension", "content", "large"],
    )
    async def test_what_is_no_event(self, world: BusWorld, event: CloudEvent) -> None:
        """An event that breaks the rules of CloudEvents, or is too large, is refused with all that came with it."""
        taker = Taker()
        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), taker)
        with pytest.raises(InputError):
            await world.bus.publish(TENANT, [order(5), event])
        await world.deliver()
        assert taker.taken == []

    async def test_what_is_no_subscription(self, world: BusWorld) -> None:
        """A pattern that cannot be used is refused when it is subscribed, by a sentence for each mistake."""
        with pytest.raises(InputError, match="unknown operator"):
            await world.bus.subscribe(Subscription("bad", ({"type": [{"like": "x"}]},)), Taker())

    async def test_serving_until_told_to_stop(self, world: BusWorld) -> None:
        """While it serves, events are delivered as they come; told to stop, it finishes what is in hand."""
        got = asyncio.Event()

        async def handler(delivery: Delivery) -> None:
            got.set()

        await world.bus.subscribe(Subscription("orders", ORDERS, TENANT), handler)
        stop = asyncio.Event()
        serving = asyncio.create_task(world.bus.serve(stop))
        await world.bus.publish(TENANT, [order(1)])
        await asyncio.wait_for(got.wait(), 10)
        stop.set()
        await asyncio.wait_for(serving, 10)
