"""Topics of Kafka as queues: `remit.ports.topics.Topics`, by a consumer group.

Messages of one key are received one after the other, others side by side. An offset is committed when everything before it
is deleted or put aside, so that whoever has the partition next begins with the first that was not. What is put aside goes to
the topic `TOPIC.dead`; `redrive` sends it once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.adapters.bus.kafka import Kafka
from remit.core.errors import RemitError
from remit.ports.clock import Clock
from remit.ports.queue import Message, Received
from remit.ports.topics import FromTopic, ToTopic

log = logging.getLogger("remit.bus")

AT_ONCE = 64
"""Messages of one `receive`, at most."""

MOST_HELD, MOST_BYTES = 500, 8_000_000
"""Messages of a partition that are in memory before it is read on, and their bytes."""

JOIN_S = 10.0
"""How long joining a group may take."""

SESSION_S = 10.0
MOST_REDRIVE_S = 60.0
"""How long sending some messages once more may take."""

READ_S = 0.2
DEAD = ".dead"
REASON, ORIGIN = "remit-reason", "remit-origin"
"""Headers of a message in a dead-letter topic: why it is there, and where it was."""

Place = tuple[str, int]


class _Held(Struct):
    """A message in memory. It can be received from `visible` on, a monotonic time."""

    offset: int
    message: FromTopic
    receives: int = 0
    visible: float = 0.0


class _Part(Struct):
    """What is in memory of a partition, by offset, and up to where it was read."""

    held: dict[int, _Held] = {}
    read: int = 0
    committed: int = -1

    @property
    def done(self) -> int:
        """The offset before which nothing is left."""
        return next(iter(self.held), self.read)

    @property
    def full(self) -> bool:
        """Whether some of it is to be done before more is read."""
        return (
            len(self.held) >= MOST_HELD or sum(len(h.message.raw) for h in self.held.values()) >= MOST_BYTES
        )


class KafkaQueue:
    """Some topics as one queue, shared by all who are in `group`. `body_of` says what the body of a message is."""

    def __init__(
        self,
        kafka: Kafka,
        topics: Sequence[str],
        group: str,
        clock: Clock,
        *,
        most_receives: int = 0,
        session_s: float = SESSION_S,
        body_of: Callable[[FromTopic], str] | None = None,
    ) -> None:
        """The first topic is what `send` sends to.

        A message that came more than `most_receives` times is put aside; 0: whoever works on it sees to that.
        """
        self.topics = tuple(topics)
        self._kafka = kafka
        self._group = group
        self._clock = clock
        self._most_receives = most_receives
        self._session_s = session_s
        self._body_of = body_of
        self._consumer: Any = None
        self._joining = asyncio.Lock()
        self._assigned = asyncio.Event()
        self._parts: dict[Place, _Part] = {}
        self._polling: asyncio.Task[None] | None = None
        self._freed = asyncio.Event()
        self._committing = asyncio.Lock()
        kafka.want(*topics, *self.dead_topics)

    @property
    def dead_topics(self) -> tuple[str, ...]:
        """Where messages are put aside."""
        return tuple(topic + DEAD for topic in self.topics)

    # sending

    async def send(self, messages: Sequence[Message]) -> None:
        """Produce, keyed by group. Sent again it is there again: Kafka does not know `once`."""
        made = [ToTopic(self.topics[0], one.body.encode(), one.group) for one in messages]
        await asyncio.gather(*(self._kafka.produce(one) for one in made))

    # receiving

    async def receive(self, *, wait_s: float = 0.0, hidden_s: float = 60.0) -> list[Received]:
        """Some messages, at most one of a key. Without `wait_s`, what is there now: an end is asked for."""
        return [*await self._receive(wait_s, hidden_s)]

    async def _receive(self, wait_s: float, hidden_s: float) -> list[FromTopic]:
        await self._join()
        received = await self._out(hidden_s)
        if received:
            return received
        try:
            if wait_s:
                await self._poll(wait_s)
            else:
                await self._read_to_the_end()
        except RemitError:
            await self.close()  # and join anew: a member that failed once may not recover
            raise
        return await self._out(hidden_s)

    async def _poll(self, wait_s: float) -> None:
        """Until something was read or freed, or becomes visible; `wait_s` seconds at most."""
        self._freed.clear()
        polling = self._polling = self._polling or asyncio.ensure_future(self._read(wait_s))
        now = self._clock.monotonic()
        dues = [h.visible - now for part in self._parts.values() for h in part.held.values()]
        wait_s = min([wait_s, *(due for due in dues if due > 0)])
        freed: asyncio.Future[Any] = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({polling, freed}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            freed.cancel()
        if polling.done():
            self._polling = None
            polling.result()

    async def _read(self, wait_s: float) -> None:
        """Read what there is. Nothing may come between reading and holding: a rebalance would be in between."""
        full = [tp for tp in self._consumer.assignment() if self._part(tp).full]
        self._consumer.resume(*(self._consumer.paused() - set(full)))
        self._consumer.pause(*full)
        try:
            read = await self._consumer.getmany(timeout_ms=int(wait_s * 1000))
        except Exception as error:
            raise self._kafka.failure(error, f"group `{self._group}`") from error
        for tp, records in read.items():
            part = self._part(tp)
            for record in records:
                part.held[record.offset] = _Held(record.offset, self._message(record))
                part.read = record.offset + 1

    async def _read_to_the_end(self) -> None:
        await self._polled()
        try:
            async with asyncio.timeout(JOIN_S):
                for tp, end in (await self._ends()).items():
                    while (
                        tp in self._consumer.assignment()
                        and not self._part(tp).full
                        and await self._consumer.position(tp) < end
                    ):
                        await self._read(READ_S)
        except TimeoutError:
            return
        except Exception as error:
            raise self._kafka.failure(error, f"group `{self._group}`") from error

    async def ends(self) -> dict[Place, int]:
        """The offset behind the last message of each partition that is this member's. Raises ConfigError, StoreError."""
        await self._join()
        try:
            async with asyncio.timeout(JOIN_S):
                return {(tp.topic, tp.partition): end for tp, end in (await self._ends()).items()}
        except Exception as error:
            raise self._kafka.failure(error, f"group `{self._group}`") from error

    async def _ends(self) -> dict[Any, int]:
        await self._assigned.wait()
        ends: dict[Any, int] = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return ends

    async def _polled(self) -> None:
        """Until nothing is being read."""
        if self._polling is not None:
            await asyncio.wait({self._polling})
            if not self._polling.cancelled():
                self._polling.exception()
            self._polling = None

    def _part(self, tp: Any) -> _Part:
        return self._parts.setdefault((tp.topic, tp.partition), _Part())

    def _message(self, record: Any) -> FromTopic:
        raw, body, problem = record.value or b"", "", ""
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            problem = "it is no UTF-8"
        id_ = f"{record.topic}/{record.partition}/{record.offset}"
        headers = {name.lower(): (value or b"").decode(errors="replace") for name, value in record.headers}
        key = (record.key or b"").decode(errors="backslashreplace")
        made = FromTopic(id_, id_, body, 0, record.topic, key, headers, raw, problem)
        return made if self._body_of is None else replace(made, body=self._body_of(made))

    async def _out(self, hidden_s: float) -> list[FromTopic]:
        """What can be received now: of each key the first that is held."""
        now = self._clock.monotonic()
        found: list[FromTopic] = []
        weary: list[FromTopic] = []
        for part in self._parts.values():
            keys: set[str] = set()
            for held in part.held.values():
                key = held.message.key
                if key in keys:
                    continue
                if key:
                    keys.add(key)
                if held.visible > now or len(found) >= AT_ONCE:
                    continue
                held.receives += 1
                held.visible = now + hidden_s
                one = replace(held.message, receives=held.receives)
                if self._most_receives and held.receives > self._most_receives:
                    weary.append(one)
                else:
                    found.append(one)
        for one in weary:
            try:
                await self.put_aside(one, f"it came {self._most_receives} times, and could not be worked off")
            except RemitError as error:  # it comes once more, and the others do not wait for it
                log.error("message %s cannot be put aside now: %s", one.message_id, error)
        return found

    # the end of a message

    async def delete(self, received: Sequence[Received]) -> None:
        """It is done with: its offset is committed as soon as all before it are."""
        for one in received:
            part, offset = self._found(one)
            if part is not None:
                part.held.pop(offset, None)
        self._freed.set()
        await self._commit()

    async def hide(self, received: Received, seconds: float) -> None:
        """Have it come again after `seconds`, here, or where its partition is by then."""
        part, offset = self._found(received)
        if part is not None and offset in part.held:
            part.held[offset].visible = self._clock.monotonic() + seconds

    async def put_aside(self, received: Received, why: str) -> None:
        """Move it to `TOPIC.dead`. If this process dies in between, it is there twice."""
        log.error("message %s is put aside: %s", received.message_id, why)
        part, offset = self._found(received)
        if part is not None and offset in part.held:
            given = part.held[offset].message
            headers = {**given.headers, REASON: why[:1000], ORIGIN: given.message_id}
            await self._kafka.produce(ToTopic(given.topic + DEAD, given.raw, given.key, headers))
        await self.delete([received])

    def _found(self, received: Received) -> tuple[_Part | None, int]:
        """The partition that holds it, if it is this member's still, and its offset."""
        place, offset = _place(received)
        return self._parts.get(place), offset

    async def _commit(self) -> None:
        """Commit what is done with. What could not be committed comes again, to whoever has the partition then."""
        async with self._committing:
            consumer = self._consumer
            if consumer is None:
                return
            there = {(tp.topic, tp.partition): tp for tp in consumer.assignment()}
            done = {
                there[place]: part.done
                for place, part in self._parts.items()
                if place in there and part.read and part.done > part.committed
            }
            if not done:
                return
            try:
                await consumer.commit(done)
            except Exception as error:
                failed = self._kafka.failure(error, f"group `{self._group}`")
                log.warning("messages that were worked off may come again: %s", failed.message)
                return
            for tp, offset in done.items():
                self._part(tp).committed = offset

    # what was put aside

    async def redrive(self) -> int:
        """Send what is in the dead-letter topics once more, each to where it was; how many messages that were."""
        if not self.dead_topics:
            return 0
        dead = Dead(
            self._kafka, self.dead_topics, f"{self._group}{DEAD}", self._clock, session_s=self._session_s
        )
        count = 0
        try:
            ends = await dead.ends()  # what is put aside again meanwhile is left for the next time
            while received := [r for r in await dead._receive(0.0, MOST_REDRIVE_S) if _is_before(r, ends)]:
                for one in received:
                    headers = {n: v for n, v in one.headers.items() if n not in (REASON, ORIGIN)}
                    topic = one.topic.removesuffix(DEAD)
                    await self._kafka.produce(ToTopic(topic, one.raw, one.key, headers))
                await dead.delete(received)
                count += len(received)
        finally:
            await dead.close()
        return count

    # the group

    async def _join(self) -> None:
        async with self._joining:
            if self._consumer is not None:
                return
            await self._kafka.ready()
            consumer = self._kafka.consumer(self._group, self._session_s)
            consumer.subscribe(list(self.topics), listener=_listener(self))
            self._assigned.clear()
            await self._kafka.begun(consumer)
            self._consumer = consumer

    async def revoked(self) -> None:
        """Others may have the partitions next: commit what is done with, and forget the rest. Called by the group."""
        await self._commit()
        self._parts.clear()

    def assigned(self) -> None:
        """The partitions are known. Called by the group."""
        self._parts.clear()
        self._assigned.set()

    async def close(self) -> None:
        """Leave the group."""
        async with self._joining:
            consumer = self._consumer
            if consumer is None:
                return
            await self._commit()
            self._consumer = None
            if self._polling is not None:
                self._polling.cancel()
            await self._polled()
            self._parts.clear()
            with suppress(Exception):
                await asyncio.wait_for(consumer.stop(), JOIN_S)


def _place(received: Received) -> tuple[Place, int]:
    """The partition and the offset of a message."""
    topic, partition, offset = received.receipt.rsplit("/", 2)
    return (topic, int(partition)), int(offset)


def _is_before(received: Received, ends: dict[Place, int]) -> bool:
    place, offset = _place(received)
    return offset < ends.get(place, 0)


def _listener(queue: KafkaQueue) -> Any:
    """What the group tells, as the package wants it."""
    from aiokafka.abc import ConsumerRebalanceListener

    @ConsumerRebalanceListener.register
    class Listener:
        async def on_partitions_revoked(self, revoked: Any) -> None:
            await queue.revoked()

        async def on_partitions_assigned(self, assigned: Any) -> None:
            queue.assigned()

    return Listener()


class Dead(KafkaQueue):
    """Topics of messages that were put aside: from these nothing is."""

    @property
    def dead_topics(self) -> tuple[str, ...]:
        """None."""
        return ()


class TurnQueue(Dead):
    """A queue for messages that may be lost, since what they tell is found otherwise: none is put aside, none hidden for long."""

    MOST_HIDDEN_S = 5.0

    async def hide(self, received: Received, seconds: float) -> None:
        """Have it come again soon, or not at all."""
        if seconds <= self.MOST_HIDDEN_S:
            await super().hide(received, seconds)
        else:
            await self.delete([received])

    async def put_aside(self, received: Received, why: str) -> None:
        """Forget it."""
        await self.delete([received])
