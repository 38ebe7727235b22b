"""One partition of a subscription, served under a claim: what is ready or due is handled, and then taken out.

INVARIANT: every write about a partition stands in a transaction with its claim, so that whoever lost the claim writes
nothing. What was handled and not yet taken out when a process died is handled again: at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from remit.core.cloudevent import stored_event
from remit.core.errors import ConditionError, RemitError, StoreError
from remit.core.semconv import DELIVERIES, EVENT_LAG
from remit.engine.bus.records import (
    CLAIM,
    DEAD,
    PARKED,
    QUEUE,
    READY,
    Item,
    Tickets,
    parked_item,
    parts_of,
    read_parked,
    ticket_ms,
)
from remit.ports.bus import Delivery, Handler, Later, Stop, Subscription, UndeliverableError
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Delete, Put, Records, Write
from remit.ports.telemetry import Telemetry

log = logging.getLogger("remit.bus")

CLAIM_S = 15.0
AT_ONCE = 64
"""Deliveries of one partition in flight, at most."""

MANY = 1000
"""Events in hand at once, about; fewer when handling them takes long."""

SLOW_S, QUICK_S = 1.0, 0.2
ROUND_S = 5.0
"""How long handlers are begun before what they did is taken out."""

STORE_PAUSE_S = 1.0
BEHIND = 200
PROBLEM_CHARS = 500

Outcome = Literal["done", "failed", "later", "dead", "untouched"]
Items = list[Item]
Spoken = Callable[[str], str]


class Result(Struct):
    """What became of one event of a chain."""

    item: Item
    outcome: Outcome = "untouched"
    after_s: float = 0.0


class Serving(Struct, frozen=True):
    """Everything a partition is served with. `clean` takes secrets out of what a failure says; a claim is for `claim_s`."""

    store: Records
    clock: Clock
    owner: str
    clean: Spoken
    tickets: Tickets
    telemetry: Telemetry | None = None
    claim_s: float = CLAIM_S


class Claimed:
    """The right to serve a partition, until it runs out; `writes` renew it, or give it back."""

    def __init__(self, serving: Serving, partition: str) -> None:
        self._serving = serving
        self._partition = partition
        self._token = serving.clock.new_id("clm")
        self._until = 0.0
        self.held = False

    async def take(self) -> bool:
        """Take it, if nobody has it."""
        store, clock = self._serving.store, self._serving.clock
        there = await store.get(CLAIM, (self._partition,))
        if there is not None and there["until_ts"] > clock.now():
            return False
        asked = clock.monotonic()
        try:
            await store.transact([Put(CLAIM, self._item(), {"token": there["token"]} if there else ABSENT)])
        except ConditionError:
            return False
        self._until, self.held = asked + self._serving.claim_s, True
        return True

    async def write(self, writes: Sequence[Write], *, last: bool = False) -> None:
        """Write under the claim, and hold on to it; with `last` give it back. Raises ConditionError once it is lost."""
        asked = self._serving.clock.monotonic()
        expect = {"token": self._token}
        own: Write = Delete(CLAIM, (self._partition,), expect) if last else Put(CLAIM, self._item(), expect)
        try:
            await self._serving.store.transact([own, *writes])
        except ConditionError:
            self.held = False
            raise
        self.held = not last
        self._until = asked + self._serving.claim_s

    @property
    def fresh(self) -> bool:
        """Whether nobody else can have it."""
        return self.held and self._serving.clock.monotonic() < self._until

    def _item(self) -> dict[str, object]:
        until = self._serving.clock.now() + int(self._serving.claim_s * 1000)
        return {
            "partition": self._partition,
            "token": self._token,
            "owner": self._serving.owner,
            "until_ts": until,
        }


class Partition:
    """Serves one partition of a subscription until nothing is left to do now."""

    def __init__(
        self,
        serving: Serving,
        partition: str,
        subscription: Subscription,
        handler: Handler,
        stop: Stop,
    ) -> None:
        self._serving = serving
        self._store, self._clock = serving.store, serving.clock
        self._partition = partition
        self._tenant_id, _ = parts_of(partition)
        self._subscription = subscription
        self._handler = handler
        self._stop = stop
        self._claim = Claimed(serving, partition)
        self._blocked: set[str] = set()
        self._limit = 16
        self.handled = 0

    async def serve(self) -> int:
        """Handle what there is; how many events were handled. Raises StoreError."""
        if not await self._claim.take():
            return 0
        try:
            await self._load_blocked()
            while await self._round():
                if self._stop.is_set():
                    break
        except ConditionError:
            log.warning("partition %r was taken over by somebody else", self._partition)
        finally:
            if self._claim.held:
                await self._give_back()
        return self.handled

    async def _give_back(self) -> None:
        try:
            await self._claim.write([], last=True)
        except RemitError as error:
            log.warning("partition %r could not be given back: %s", self._partition, error)

    async def _load_blocked(self) -> None:
        cursor: str | None = None
        while True:
            page = await self._store.query(PARKED, "by_head", (self._partition,), limit=MANY, cursor=cursor)
            self._blocked.update(item["head"] for item in page.items)
            cursor = page.cursor
            if cursor is None:
                return

    # a round

    async def _round(self) -> bool:
        """Handle some of what is ready or due, and take it out. False when that was all."""
        due = await self._store.query(
            PARKED, "by_partition", (self._partition,), upper=self._clock.now(), limit=AT_ONCE
        )
        ready = await self._store.query(READY, "", (QUEUE, self._partition), limit=self._limit)
        if not due.items and not ready.items:
            return False
        began = self._clock.monotonic()
        chains = await self._chains([read_parked(item) for item in due.items])
        behind: dict[str, Items] = {}
        writes: list[Write] = []
        fresh: dict[str, Items] = {}
        for bundle in ready.items:
            writes.append(Delete(READY, (QUEUE, self._partition, bundle["ticket"])))
            for ticket, event in bundle["events"]:
                item = Item(ticket, event)
                if item.key in self._blocked and item.key:
                    behind.setdefault(item.key, []).append(item)
                elif item.key:
                    fresh.setdefault(item.key, []).append(item)
                else:
                    chains.append([Result(item)])
        chains += [[Result(item) for item in items] for items in fresh.values()]
        await self._handle(chains)
        for chain in chains:
            writes += await self._taken(chain, behind)
        for items in behind.values():
            writes += [Put(PARKED, parked_item(self._partition, item, None)) for item in items]
        last = ready.cursor is None and due.cursor is None and not self._again_now(chains, behind)
        await self._acknowledge(writes, last=last)
        if self._serving.telemetry is not None:
            _tell(self._serving.telemetry, self._clock.now(), chains)
        self._adapt(sum(len(chain) for chain in chains), self._clock.monotonic() - began)
        return not last

    def _again_now(self, chains: Sequence[Sequence[Result]], behind: dict[str, Items]) -> bool:
        """Whether something was let go on by what was handled just now."""
        return any(c and c[0].item.parked and c[-1].outcome in ("done", "dead") for c in chains) or bool(
            behind
        )

    async def _chains(self, due: Sequence[Item]) -> list[list[Result]]:
        """What is due, each with what stands behind it.

        That is all else of its key: whoever published it may have a slower clock, and so a lower ticket than the head.
        """
        chains = []
        for head in due:
            items = [head]
            if head.key:
                page = await self._store.query(
                    PARKED, "by_key", (self._partition, head.key), limit=BEHIND + 1
                )
                items += [read_parked(item) for item in page.items if item["ticket"] != head.ticket]
            chains.append([Result(item) for item in items])
        return chains

    async def _handle(self, chains: Sequence[Sequence[Result]]) -> None:
        """Handle all chains, some at a time; each from its head on. The claim is renewed meanwhile."""
        left = iter(chains)
        until = self._clock.monotonic() + ROUND_S

        async def work() -> None:
            for chain in left:
                await self._handle_chain(chain, until)

        workers = [asyncio.ensure_future(work()) for _ in range(min(AT_ONCE, len(chains)))]
        try:
            pending = set(workers)
            while pending:
                done, pending = await asyncio.wait(pending, timeout=self._serving.claim_s / 3)
                for worker in done:
                    worker.result()
                if pending:
                    await self._renew()
        finally:
            for worker in workers:
                worker.cancel()

    async def _renew(self) -> None:
        """Hold on to the claim while handlers work. A store that is away is asked again, as long as the claim is fresh."""
        try:
            await self._claim.write([])
        except StoreError:
            if not self._claim.fresh:
                raise

    async def _handle_chain(self, chain: Sequence[Result], until: float) -> None:
        for result in chain:
            # What is handled is taken out soon: a process that dies, or should end, leaves little that comes again.
            if not self._claim.fresh or self._stop.is_set() or self._clock.monotonic() >= until:
                return
            await self._handle_one(result)
            self.handled += 1
            if result.outcome not in ("done", "dead"):
                return

    async def _handle_one(self, result: Result) -> None:
        item, retry = result.item, self._subscription.retry
        event = stored_event(item.event)
        delivery = Delivery(
            self._subscription.name, self._tenant_id, event, item.attempt, item.memo, item.ticket
        )
        try:
            async with asyncio.timeout(self._subscription.timeout_s):
                answer = await self._handler(delivery)
        except UndeliverableError as error:
            result.outcome, item.problem = "dead", self._said(error)
            return
        except StoreError as error:
            # Nothing is wrong with the event: it is handled when the store is back, and this is no attempt.
            result.outcome, result.after_s, item.problem = "later", STORE_PAUSE_S, self._said(error)
            return
        except TimeoutError:
            item.problem = f"it took longer than {self._subscription.timeout_s:g} s"
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            item.problem = self._said(error)  # raised by the handler itself: nobody asked this to stop
        except Exception as error:
            item.problem = self._said(error)
        else:
            if isinstance(answer, Later):
                result.outcome, result.after_s, item.memo = "later", answer.after_s, answer.memo
            else:
                result.outcome = "done"
            return
        if item.attempt >= retry.attempts:
            result.outcome = "dead"
            return
        ceiling = min(retry.max_s, retry.base_s * 2 ** (item.attempt - 1))
        result.after_s = ceiling * (0.5 + self._clock.random() / 2)
        item.attempt += 1
        item.memo = ""
        result.outcome = "failed"

    def _said(self, error: BaseException) -> str:
        text = (
            f"[{error.code}] {error.message}"
            if isinstance(error, RemitError)
            else f"{type(error).__name__}: {error}"
        )
        return self._serving.clean(text)[:PROBLEM_CHARS]

    # taking out

    async def _taken(self, chain: Sequence[Result], behind: dict[str, Items]) -> list[Write]:
        """The writes that a chain's results mean; what is behind a head that is gone goes on."""
        writes: list[Write] = []
        key, was_parked = chain[0].item.key, chain[0].item.parked
        held = False
        for result in chain:
            item = result.item
            if result.outcome in ("failed", "later"):
                held = True
                due = self._clock.now() + int(result.after_s * 1000)
                writes.append(Put(PARKED, parked_item(self._partition, item, due)))
            elif result.outcome == "untouched":
                if not held and key:  # cut off before its turn: it leads what is left
                    held = True
                    writes.append(Put(PARKED, parked_item(self._partition, item, self._clock.now())))
                elif not item.parked:
                    due_ts = None if key else self._clock.now()
                    writes.append(Put(PARKED, parked_item(self._partition, item, due_ts)))
            else:
                writes += self._dead(result) if result.outcome == "dead" else ()
                if item.parked:
                    writes.append(Delete(PARKED, (self._partition, item.ticket)))
        if key and held:
            self._blocked.add(key)
        elif key and was_parked:
            writes += await self._next(key, chain, behind)
        return writes

    async def _next(self, key: str, chain: Sequence[Result], behind: dict[str, Items]) -> list[Write]:
        """The next one of a key, made its head; when there is none, the key is free again."""
        found = behind.get(key, [])[:1]
        if len(chain) > BEHIND:
            gone = {result.item.ticket for result in chain}
            page = await self._store.query(PARKED, "by_key", (self._partition, key), limit=len(chain) + 1)
            found = [read_parked(item) for item in page.items if item["ticket"] not in gone][:1] or found
        if not found:
            self._blocked.discard(key)
            return []
        if found[0] in behind.get(key, []):
            behind[key].pop(0)
        return [Put(PARKED, parked_item(self._partition, found[0], self._clock.now()))]

    def _dead(self, result: Result) -> list[Write]:
        item = result.item
        log.error(
            "event %s is given up for %s after %d attempts: %s",
            item.event["id"],
            self._subscription.name,
            item.attempt,
            item.problem,
        )
        if not self._subscription.dead_letter:
            return []
        return [Put(DEAD, dead_item(self._serving, self._tenant_id, self._subscription.name, item))]

    async def _acknowledge(self, writes: Sequence[Write], *, last: bool) -> None:
        """Take out what was handled. While the store is away it is offered again, as long as the claim is fresh."""
        pause = 0.05
        while True:
            try:
                await self._claim.write(writes, last=last)
                return
            except StoreError:
                if not self._claim.fresh:
                    raise
            await self._clock.sleep(pause)
            pause = min(2 * pause, 1.0)

    def _adapt(self, count: int, seconds: float) -> None:
        """Take more at once while it goes quickly, and less when it does not."""
        if seconds > SLOW_S or count > MANY:
            self._limit = max(1, self._limit // 2)
        elif seconds < QUICK_S and count < MANY // 2:
            self._limit = min(MANY, self._limit * 2)


def _tell(telemetry: Telemetry, now: int, chains: Sequence[Sequence[Result]]) -> None:
    """Count what became of a portion, and say how old its oldest fresh event is."""
    results = [result for chain in chains for result in chain if result.outcome != "untouched"]
    for outcome, count in Counter(result.outcome for result in results).items():
        telemetry.count(DELIVERIES, count, {"outcome": outcome})
    fresh = [result.item.ticket for result in results if result.outcome == "done" and not result.item.parked]
    if fresh:
        telemetry.observe(EVENT_LAG, max(0, now - ticket_ms(min(fresh))) / 1000, {})


def dead_item(serving: Serving, tenant_id: str, subscription: str, item: Item) -> dict[str, object]:
    """The item of a dead letter. Its id is a ticket, so that those of one key stay in order."""
    return {
        "tenant_id": tenant_id,
        "dead_letter_id": f"dead_{serving.tickets.next()}",
        "subscription": subscription,
        "event": item.event,
        "attempts": item.attempt,
        "problem": item.problem,
        "dead_ts": serving.clock.now(),
    }
