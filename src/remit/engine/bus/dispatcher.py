"""The dispatcher: finds partitions with something to do and serves them, beside others that do the same.

Nothing is held while nothing is to be done. What is published in this process is seen at once; what others publish, and
what becomes due, at the next look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from remit.core.errors import InputError, RemitError, StoreError
from remit.engine.bus.claims import Serving
from remit.engine.bus.partition import Partition
from remit.engine.bus.portions import portions
from remit.engine.bus.records import (
    DAY_MS,
    EVENT,
    KEPT_DAYS,
    PARKED,
    QUEUE,
    READY,
    WAITS,
    Subscribed,
    day_of,
    parts_of,
    ticket_ms,
)
from remit.engine.bus.subscriptions import Subscriptions
from remit.engine.bus.waits import serve_waits
from remit.ports.bus import Delivery, Handler, Later, Stop, Subscription, UndeliverableError
from remit.ports.store import Delete, Page

log = logging.getLogger("remit.bus")

POLL_S = 0.05
REST_S = 1.0
SERVED_AT_ONCE = 64
"""Partitions in hand, at most."""

PAGE = 200
MOST_WAITING = 500
"""Partitions that are found waiting at one look, about."""

REMEMBERED_MS = 5000

SWEEP_MS = 3_600_000
SWEPT_DAYS = 30

Answer = Literal["served", "busy", "elsewhere"]


class Attended(Struct, frozen=True):
    """What came of looking after a partition: it was served, somebody else has it, or nobody here can handle it.

    `next_due` is when something in it is next to be tried, Unix milliseconds; `unfinished`: more could have been done.
    """

    answer: Answer
    handled: int = 0
    next_due: int | None = None
    unfinished: bool = False


class Waiting(Struct, frozen=True):
    """A partition that has something to do, since `since_ts`; `sign` is another when something else is to be done."""

    partition: str
    since_ts: int
    sign: str


HandlerFor = Callable[[Subscribed], Handler | None]


class Dispatcher:
    """Serves partitions of all tenants. `handler_for` says who handles a subscription here; None: nobody in this process."""

    def __init__(self, serving: Serving, subscriptions: Subscriptions, handler_for: HandlerFor) -> None:
        self._serving = serving
        self._store, self._clock = serving.store, serving.clock
        self._subscriptions = subscriptions
        self._handler_for = handler_for
        self._busy: dict[str, asyncio.Task[int]] = {}
        self._resting: dict[str, float] = {}
        self._woken = asyncio.Event()
        self._stop: Stop = asyncio.Event()
        self._swept = 0
        self._behind = ""
        self._waiting_behind = ""
        self._later: str | None = None

    def wake(self) -> None:
        """Look at once: something was published here."""
        self._woken.set()

    async def serve(self, stop: Stop) -> None:
        """Deliver until `stop` is set; then finish what is in hand."""
        self._stop = stop
        stopped: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                pause_s = POLL_S
                self._woken.clear()
                try:
                    await self._look()
                    await self.forget_old()
                except RemitError as error:
                    log.error("events cannot be delivered now: %s", error)
                    pause_s = REST_S
                await self._pause(stopped, pause_s)
        finally:
            stopped.cancel()
            await self._finish()

    async def _pause(self, stopped: asyncio.Future[Any], seconds: float) -> None:
        woken: asyncio.Future[Any] = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({woken, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    async def _finish(self) -> None:
        """Wait for what is in hand; when that is cut short, let go of it: its claim runs out, and others take it up."""
        tasks = list(self._busy.values())
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def drain(self) -> int:
        """Deliver what is ready or due now, also what that leads to; how many deliveries that were. Raises StoreError."""
        handled = 0
        while await self._look() or self._busy:
            tasks = list(self._busy.values())
            handled += sum(await asyncio.gather(*tasks))
        return handled

    # when told

    async def attend(self, partition: str, stop: Stop, *, only_ready: bool = False) -> Attended:
        """Serve this partition now, until nothing is left to do or `stop` is set. Raises RemitError; then nothing is lost.

        `only_ready`: not if nothing is ready, whatever else there is; it costs one look to find that another did it.
        """
        if stop.is_set():
            return Attended("served", unfinished=True)
        if only_ready and not (await self._store.query(READY, "", (QUEUE, partition), limit=1)).items:
            return Attended("served")
        tenant_id, name = parts_of(partition)
        if name == WAITS:
            told = await serve_waits(self._serving, partition)
            return Attended("busy") if told is None else Attended("served", told)
        subscription, handler = await self._handled_by(tenant_id, name)
        if handler is None:
            return Attended("elsewhere")
        served = Partition(self._serving, partition, subscription, handler, stop)
        handled = await served.serve()
        if handled is None:
            return Attended("busy")
        return Attended("served", handled, await self._next_due(partition, served), served.unfinished)

    async def _next_due(self, partition: str, served: Partition) -> int | None:
        """When something in a partition that was served just now is next to be tried."""
        lower = self._clock.now() + 1
        page = await self._store.query(PARKED, "by_alone", (partition,), lower=lower, limit=1)
        dues = [item["due_ts"] for item in page.items]
        return min([*dues, *([] if served.next_due is None else [served.next_due])], default=None)

    async def waiting(self) -> list[Waiting]:
        """Partitions that have something to do now which can be done here; of many, others each time. Raises StoreError."""
        found: dict[str, Waiting] = {}
        page = await self._store.query(PARKED, "by_due", (QUEUE,), upper=self._clock.now(), limit=PAGE)
        for item in page.items:
            partition, due = item["partition"], item["due_ts"]
            found.setdefault(partition, Waiting(partition, due, f"due{due}"))
        behind, looked = self._waiting_behind, 0
        while looked < MOST_WAITING:
            ready = await self._after(behind)
            if not ready.items:
                behind = ""
                break
            looked += 1
            behind, ticket = ready.items[0]["partition"], ready.items[0]["ticket"]
            found.setdefault(behind, Waiting(behind, ticket_ms(ticket), ticket))
        self._waiting_behind = behind
        return [waiting for waiting in found.values() if await self._is_for_here(waiting.partition)]

    async def _is_for_here(self, partition: str) -> bool:
        tenant_id, name = parts_of(partition)
        if name == WAITS:
            return True
        try:
            return (await self._handled_by(tenant_id, name, max_age_ms=REMEMBERED_MS))[1] is not None
        except InputError as error:
            log.error("events of partition %r cannot be delivered now: %s", partition, error)
            return False

    # looking

    async def _look(self) -> int:
        """Begin to serve partitions that have something to do and are not served here; how many."""
        begun = 0
        for partition in [*await self._due(), *await self._ready()]:
            if len(self._busy) >= SERVED_AT_ONCE:
                break
            try:
                begun += await self._begin(partition)
            except StoreError:
                raise
            except Exception as error:
                # What is wrong with one tenant's subscription must not stop the others.
                self._trouble(partition, error)
        return begun

    async def _due(self) -> list[str]:
        """Partitions with something due: those that are due longest, and of the rest another page each time.

        So nobody is kept waiting by what cannot be delivered here, however much that is.
        """
        now = self._clock.now()
        page = await self._store.query(PARKED, "by_due", (QUEUE,), upper=now, limit=PAGE)
        items, behind = page.items, None
        if page.cursor is not None:
            after = self._later or page.cursor
            more = await self._store.query(PARKED, "by_due", (QUEUE,), upper=now, limit=PAGE, cursor=after)
            items, behind = [*items, *more.items], more.cursor
        self._later = behind
        return list(dict.fromkeys(item["partition"] for item in items))

    async def _ready(self) -> list[str]:
        """Partitions with something ready, from behind the last one of the look before, so that all have their turn."""
        found: list[str] = []
        behind, wrapped = self._behind, not self._behind
        while len(found) < SERVED_AT_ONCE:
            page = await self._after(behind)
            if not page.items:
                if wrapped:
                    break
                behind, wrapped = "", True
                continue
            behind = page.items[0]["partition"]
            if behind in found:
                break
            found.append(behind)
        self._behind = behind if len(found) >= SERVED_AT_ONCE else ""
        return found

    async def _after(self, partition: str) -> Page:
        lower = partition + "\x01" if partition else None
        return await self._store.query(READY, "", (QUEUE,), lower=lower, limit=1)

    async def _begin(self, partition: str) -> bool:
        if partition in self._busy or self._resting.get(partition, 0.0) > self._clock.monotonic():
            return False
        self._resting.pop(partition, None)
        tenant_id, name = parts_of(partition)
        if name == WAITS:
            self._busy[partition] = asyncio.ensure_future(self._served_waits(partition))
            return True
        subscription, handler = await self._handled_by(tenant_id, name)
        if handler is None:
            return False
        served = Partition(self._serving, partition, subscription, handler, self._stop)
        self._busy[partition] = asyncio.ensure_future(self._served(partition, served))
        return True

    async def _handled_by(
        self, tenant_id: str, name: str, *, max_age_ms: int = 0
    ) -> tuple[Subscription, Handler | None]:
        """A subscription, and who handles it: None is somebody elsewhere."""
        subscribed = (await self._subscriptions.of(tenant_id, max_age_ms=max_age_ms)).by_name.get(name)
        if subscribed is None:
            return Subscription(name, ()), _gone
        return subscribed.subscription, self._handler_for(subscribed) if subscribed.enabled else _gone

    async def _served_waits(self, partition: str) -> int:
        try:
            told = await serve_waits(self._serving, partition)
            if told is None:  # somebody else does it
                self._rest(partition, POLL_S)
            return told or 0
        except Exception as error:
            # Nothing was taken out, so nothing is lost; other tenants are served meanwhile.
            self._trouble(partition, error)
            return 0
        finally:
            self._over(partition)

    async def _served(self, partition: str, served: Partition) -> int:
        try:
            handled = await served.serve()
            if not handled:  # somebody else has it
                self._rest(partition, POLL_S)
            return handled or 0
        except Exception as error:
            # One subscription's trouble must not stop the others; nothing was lost.
            self._trouble(partition, error)
            return served.handled
        finally:
            self._over(partition)

    def _trouble(self, partition: str, error: Exception) -> None:
        log.error("events of partition %r cannot be delivered now: %s", partition, error)
        self._rest(partition, REST_S)

    def _rest(self, partition: str, seconds: float) -> None:
        self._resting[partition] = self._clock.monotonic() + seconds

    def _over(self, partition: str) -> None:
        self._busy.pop(partition, None)
        self._woken.set()

    # forgetting

    async def forget_old(self) -> None:
        """Forget events of the days before the last week, once an hour."""
        now = self._clock.now()
        if now - self._swept < SWEEP_MS:
            return
        self._swept = now
        for days in range(KEPT_DAYS + 1, KEPT_DAYS + 1 + SWEPT_DAYS):
            await self._forget(day_of(now - days * DAY_MS))

    async def _forget(self, day: str) -> None:
        while True:
            page = await self._store.query(EVENT, "by_day", (day,), limit=PAGE)
            if not page.items:
                return
            keys = [(item["tenant_id"], item["source"], item["id"]) for item in page.items]
            for portion in portions([Delete(EVENT, key) for key in keys], self._serving.most_writes):
                await self._store.transact(portion)


async def _gone(delivery: Delivery) -> Later | None:
    raise UndeliverableError(
        f"subscription `{delivery.subscription}` is gone or switched off",
        code="E668",
        help="bring it back, then redrive the dead letter",
    )
