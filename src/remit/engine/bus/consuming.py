"""Working off a queue: messages are received in long polls, kept hidden while they are worked on, and then deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from remit.core.errors import RemitError
from remit.ports.bus import Stop
from remit.ports.clock import Clock
from remit.ports.queue import Queue, Received

log = logging.getLogger("remit.bus")

WAIT_S = 3.0
"""How long one poll waits for messages, and so how long stopping may take."""

HIDDEN_S = 60.0
REST_S = 2.0
AT_ONCE = 64
"""Messages in hand, at most, about."""

Some = Sequence[Received]
Work = Callable[[Some], Awaitable[list[str]]]
"""Works messages off, and returns the ids of those that shall come again."""


class Until:
    """A stop that comes by itself after some seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._until = clock.monotonic() + seconds

    def is_set(self) -> bool:
        """Whether the time is over."""
        return self._clock.monotonic() >= self._until

    async def wait(self) -> Literal[True]:
        """Until it is over."""
        await self._clock.sleep(max(0.0, self._until - self._clock.monotonic()))
        return True


class Consumer:
    """Works off one queue. `group_of` says which messages of a batch are worked off together; others wait for nobody."""

    def __init__(self, queue: Queue, clock: Clock, work: Work, group_of: Callable[[Received], str]) -> None:
        self._queue = queue
        self._clock = clock
        self._work = work
        self._group_of = group_of
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand = 0

    async def serve(self, stop: Stop) -> None:
        """Work messages off until `stop` is set; then finish what is in hand."""
        try:
            while not stop.is_set():
                if self._in_hand >= AT_ONCE:
                    await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                    continue
                try:
                    self._begin(await self._queue.receive(wait_s=WAIT_S, hidden_s=HIDDEN_S))
                except RemitError as error:
                    log.error("messages cannot be received now: %s", error)
                    await self._clock.sleep(REST_S)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()

    async def once(self) -> int:
        """Work off what one short poll brings, and return how many messages that were. Raises RemitError."""
        received = await self._queue.receive(hidden_s=HIDDEN_S)
        self._begin(received)
        if self._tasks:
            await asyncio.wait(self._tasks)
        return len(received)

    def _begin(self, received: Some) -> None:
        groups: dict[str, list[Received]] = {}
        for one in received:
            groups.setdefault(self._group_of(one), []).append(one)
        for some in groups.values():
            self._in_hand += len(some)
            task = asyncio.ensure_future(self._worked_off(some))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _worked_off(self, some: Some) -> None:
        keeping = asyncio.create_task(self._keep_hidden(some), name="heartbeat of messages")
        try:
            again = set(await self._work(some))
        except Exception:
            # They come again when they are no longer hidden; the others must not stop.
            log.exception("messages could not be worked off")
            return
        finally:
            keeping.cancel()
            self._in_hand -= len(some)
        try:
            await self._queue.delete([one for one in some if one.message_id not in again])
        except RemitError as error:
            log.warning("messages that were worked off come again: %s", error)

    async def _keep_hidden(self, some: Some) -> None:
        while True:
            await self._clock.sleep(HIDDEN_S / 3)
            for one in some:
                try:
                    await self._queue.hide(one, HIDDEN_S)
                except RemitError as error:
                    log.warning("a message may come again while it is worked off: %s", error)
