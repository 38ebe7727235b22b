"""One partition of a subscription, served under a claim: what is ready or due is handled, and then taken out.

INVARIANT: every write about a partition stands in a transaction with its claim, so that whoever lost the claim writes
nothing. What was handled and not yet taken out when a process died is handled again: at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from remit.core.cloudevent import stored_event
from remit.core.errors import ConditionError, RemitError, StoreError
from remit.core.semconv import DELIVERIES, EVENT_LAG
from remit.engine.bus.claims import Claimed, Serving
from remit.engine.bus.portions import fits
from remit.engine.bus.records import (
    DEAD,
    HEADS,
    PARKED,
    QUEUE,
    READY,
    Item,
    alone_place,
    behind_place,
    behind_places,
    head_place,
    parked_item,
    parts_of,
    read_parked,
    ticket_ms,
)
from remit.ports.bus import Delivery, Handler, Later, Stop, Subscription, UndeliverableError
from remit.ports.store import Delete, Put, Write
from remit.ports.telemetry import Telemetry

log = logging.getLogger("remit.bus")

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


class Result(Struct):
    """What became of one event of a chain."""

    item: Item
    outcome: Outcome = "untouched"
    after_s: float = 0.0


class Partition:
    """Serves one partition of a subscription until nothing is left to do now.

    `next_due` is afterwards when something parked is next to be tried; `unfinished` whether it stopped before the end.
    """

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
        self._heads: dict[str, Item] = {}
        self._limit = 16
        self._alone_due: list[int] = []
        self.handled = 0
        self.unfinished = False

    @property
    def next_due(self) -> int | None:
        """When what this found or parked is next to be tried; None when that is nothing."""
        heads = [head.due_ts for head in self._heads.values() if head.due_ts is not None]
        alone = [due for due in self._alone_due if due > self._clock.now()]
        return min([*heads, *alone], default=None)

    async def serve(self) -> int | None:
        """Handle what there is; how many events were handled, or None when somebody else has it. Raises StoreError."""
        if not await self._claim.take():
            return None
        try:
            await self._load_heads()
            while await self._round():
                if self._stop.is_set():
                    self.unfinished = True
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

    async def _load_heads(self) -> None:
        cursor: str | None = None
        lower, upper = HEADS
        while True:
            page = await self._store.query(
                PARKED, "", (self._partition,), lower=lower, upper=upper, limit=MANY, cursor=cursor
            )
            for item in map(read_parked, page.items):
                self._heads[item.key] = item
            cursor = page.cursor
            if cursor is None:
                return

    # a round

    async def _round(self) -> bool:
        """Handle some of what is ready or due, and take it out. False when that was all."""
        due, more_due = await self._due()
        ready = await self._store.query(READY, "", (QUEUE, self._partition), limit=self._limit)
        if not due and not ready.items:
            return False
        began = self._clock.monotonic()
        chains = [await self._chain(item) for item in due]
        behind: dict[str, Items] = {}
        fresh: dict[str, Items] = {}
        for bundle in ready.items:
            for ticket, event in bundle["events"]:
                item = Item(ticket, event)
                if not item.key:
                    chains.append([Result(item)])
                elif item.key not in self._heads:
                    fresh.setdefault(item.key, []).append(item)
                elif (
                    self._heads[item.key].ticket != ticket
                ):  # its bundle outlived its parking: a process died between
                    behind.setdefault(item.key, []).append(item)
        chains += [[Result(item) for item in items] for items in fresh.values()]
        await self._handle(chains)
        writes: list[Write] = []
        freed = False
        for chain in chains:
            parked = bool(chain[0].item.place)
            writes += await self._taken(chain, behind)
            freed |= parked and chain[-1].outcome in ("done", "dead")
            freed |= next((r.outcome for r in chain if r.outcome not in ("done", "dead")), "") == "untouched"
        freed |= bool(behind)
        writes += [self._park(item, behind_place(key, item.ticket)) for key in behind for item in behind[key]]
        writes += [Delete(READY, (QUEUE, self._partition, bundle["ticket"])) for bundle in ready.items]
        if not fits(writes, self._serving.most_writes - 1):
            writes = [*_without_done(ready.items, chains), *writes]
        last = ready.cursor is None and not more_due and not freed
        await self._acknowledge(writes, last=last)
        if self._serving.telemetry is not None:
            _tell(self._serving.telemetry, self._clock.now(), chains)
        self._adapt(sum(len(chain) for chain in chains), self._clock.monotonic() - began)
        return not last

    async def _due(self) -> tuple[Items, bool]:
        """What is to be tried again now, and whether there is more of it."""
        now = self._clock.now()
        heads = [head for head in self._heads.values() if head.due_ts is not None and head.due_ts <= now]
        heads.sort(key=lambda head: head.due_ts or 0)
        page = await self._store.query(PARKED, "by_alone", (self._partition,), upper=now, limit=AT_ONCE)
        alone: Items = []
        for found in page.items:  # an index may lag behind: only what still stands is tried
            item = await self._store.get(PARKED, (self._partition, found["place"]))
            if item is not None and item["due_ts"] <= now:
                alone.append(read_parked(item))
        return [*heads[:AT_ONCE], *alone], len(heads) > AT_ONCE or page.cursor is not None

    async def _chain(self, item: Item) -> list[Result]:
        """What is due, with what stands behind it.

        That is all else of its key: whoever published it may have a slower clock, and so a lower ticket than the head.
        """
        if not item.key:
            return [Result(item)]
        return [Result(one) for one in [item, *await self._behind(item.key, BEHIND)]]

    async def _behind(self, key: str, limit: int) -> Items:
        lower, upper = behind_places(key)
        page = await self._store.query(PARKED, "", (self._partition,), lower=lower, upper=upper, limit=limit)
        return [read_parked(item) for item in page.items]

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
        """The writes that a chain's results mean: what ended goes, and the first that did not leads what is left."""
        ended = [result for result in chain if result.outcome in ("done", "dead")]
        left = [result for result in chain if result.outcome not in ("done", "dead")]
        writes = [write for result in ended if result.outcome == "dead" for write in self._dead(result)]
        if not chain[0].item.key:
            return [*writes, *self._taken_alone(chain[0])]
        key = chain[0].item.key
        gone = [result.item.place for result in ended if result.item.place]
        head = left[0].item if left else await self._next(key, chain, behind)
        if head is None:
            self._heads.pop(key, None)
        else:
            gone += [head.place] if head.place else []
            head.due_ts = self._clock.now() + (int(left[0].after_s * 1000) if left else 0)
            self._heads[key] = head
            writes.append(self._park(head, head_place(key)))
        writes += [
            self._park(result.item, behind_place(key, result.item.ticket))
            for result in left[1:]
            if not result.item.place
        ]
        kept = head_place(key) if head is not None else ""
        return [*writes, *(Delete(PARKED, (self._partition, place)) for place in gone if place != kept)]

    def _taken_alone(self, result: Result) -> list[Write]:
        item = result.item
        if result.outcome in ("done", "dead"):
            return [Delete(PARKED, (self._partition, item.place))] if item.place else []
        item.due_ts = self._clock.now() + int(result.after_s * 1000)
        self._alone_due.append(item.due_ts)
        return [self._park(item, alone_place(item.ticket))]

    async def _next(self, key: str, chain: Sequence[Result], behind: dict[str, Items]) -> Item | None:
        """The next one of a key whose chain has ended; None when the key is free again."""
        if len(chain) > BEHIND:
            seen = {result.item.ticket for result in chain}
            more = [item for item in await self._behind(key, len(chain) + 1) if item.ticket not in seen]
            if more:
                return more[0]
        waiting = behind.get(key)
        return waiting.pop(0) if waiting else None

    def _park(self, item: Item, place: str) -> Put:
        item.place = place
        return Put(PARKED, parked_item(self._partition, item))

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
        most = min(MANY, self._serving.most_writes // 2)
        if seconds > SLOW_S or count > MANY:
            self._limit = max(1, self._limit // 2)
        elif seconds < QUICK_S and count < MANY // 2:
            self._limit = min(most, self._limit * 2)


def _tell(telemetry: Telemetry, now: int, chains: Sequence[Sequence[Result]]) -> None:
    """Count what became of a portion, and say how old its oldest fresh event is."""
    results = [result for chain in chains for result in chain if result.outcome != "untouched"]
    for outcome, count in Counter(result.outcome for result in results).items():
        telemetry.count(DELIVERIES, count, {"outcome": outcome})
    fresh = [result.item.ticket for result in results if result.outcome == "done" and not result.item.place]
    if fresh:
        telemetry.observe(EVENT_LAG, max(0, now - ticket_ms(min(fresh))) / 1000, {})


def _without_done(bundles: Sequence[Mapping[str, Any]], chains: Sequence[Sequence[Result]]) -> list[Write]:
    """The ready items without what is done, to be written before anything else where one transaction does not take all.

    A process that dies in between would else leave a done event ready, while a later one of its key is parked already.
    """
    done = {result.item.ticket for chain in chains for result in chain if result.outcome == "done"}
    left = [{**b, "events": [one for one in b["events"] if one[0] not in done]} for b in bundles]
    return [Put(READY, now) for now, was in zip(left, bundles, strict=True) if now["events"] != was["events"]]


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
