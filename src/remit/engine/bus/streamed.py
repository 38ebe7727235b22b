"""The bus with topics: turns are messages that a consumer group shares, and tasks and answers come by topics of their own.

All that a bus promises is kept by the store, as on the local bus; see `queued`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from remit.engine.bus.claims import CLAIM_S, Spoken
from remit.engine.bus.consuming import Consumer, Work
from remit.engine.bus.local import OUTLET
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.queued import SENT, TELL_S, QueuedBus, Read
from remit.engine.bus.records import Subscribed
from remit.ports.bus import EVERYBODY, Handler, Stop, Subscription
from remit.ports.clock import Clock
from remit.ports.store import Records
from remit.ports.telemetry import Telemetry
from remit.ports.topics import Topics

Patterns = tuple[dict[str, Any], ...]
Close = Callable[[], Awaitable[None]]


class StreamedBus(QueuedBus):
    """Publishes, delivers and keeps what could not be delivered; every process that serves is a member of the groups."""

    def __init__(
        self,
        store: Records,
        clock: Clock,
        queue: Topics,
        *,
        owner: str,
        deployment: str,
        close: Close,
        clean: Spoken = str,
        telemetry: Telemetry | None = None,
        outlets: Mapping[str, Handler] | None = None,
        inbound: Topics | None = None,
        read: Read | None = None,
        claim_s: float = CLAIM_S,
        most_writes: int = MOST_WRITES,
    ) -> None:
        """As `QueuedBus`. `close` lets go of the cluster."""
        super().__init__(
            store,
            clock,
            queue,
            owner=owner,
            deployment=deployment,
            clean=clean,
            telemetry=telemetry,
            outlets=outlets,
            inbound=inbound,
            read=read,
            claim_s=claim_s,
            most_writes=most_writes,
        )
        self._close = close
        self._topics: list[Topics] = [queue] if inbound is None else [queue, inbound]
        self._consumed: list[Topics] = []
        self._consumers: list[Consumer] = []

    def consume(self, topics: Topics, work: Work) -> None:
        """Have messages worked off while this process serves, those of different keys side by side."""
        self._topics.append(topics)
        self._consumed.append(topics)
        self._consumers.append(Consumer(topics, self._clock, work, lambda received: received.message_id))

    def send_out(self, name: str, patterns: Patterns, handler: Handler) -> None:
        """Have the events of all tenants that match handed to an outlet."""
        name = f"{OUTLET}:{name}"
        self._outlets[name] = handler
        subscription = Subscription(name, patterns, EVERYBODY, SENT)
        self.subscriptions.declare([Subscribed(EVERYBODY, name, OUTLET, subscription)])

    async def serve(self, stop: Stop) -> None:
        """Work off turns, tasks and answers until `stop` is set; then leave the groups, so that others go on at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(super().serve(stop))
                for consumer in self._consumers:
                    group.create_task(consumer.serve(stop))
        finally:
            await self._leave()

    async def drain(self) -> int:
        """Take what is on the topics now, and deliver what is ready or due; how much that was. Raises RemitError."""
        taken = sum(await asyncio.gather(*(consumer.once() for consumer in self._consumers)))
        return taken + await super().drain()

    async def redrive_messages(self) -> int:
        """Send once more the messages that were put aside; how many. Raises RemitError."""
        counts: Sequence[int] = [await topics.redrive() for topics in self._consumed]
        return sum(counts) + await super().redrive_messages()

    async def close(self) -> None:
        """Leave the groups and let go of the cluster."""
        if self._telling:
            await asyncio.wait(set(self._telling), timeout=TELL_S)
        await self._leave()
        await self._close()

    async def _leave(self) -> None:
        await asyncio.gather(*(topics.close() for topics in self._topics))
