"""Queues of Amazon SQS: `remit.ports.queue.Queue`.

The dead-letter queue of one is named like it, with `-dead`; `redrive` sends what is in it once more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from remit.adapters.bus.calls import Calls, Clients
from remit.core.errors import StoreError
from remit.ports.clock import Clock
from remit.ports.queue import Message, Received

A_BATCH = 10
MOST_WAIT_S, MOST_HIDDEN_S = 20, 43_200
ATTEMPTS = 5
PAUSE_S = 0.1
FIFO, DEAD = ".fifo", "-dead"

Entries = list[dict[str, Any]]


def dead_name(name: str) -> str:
    """The name of a queue's dead-letter queue."""
    return f"{name.removesuffix(FIFO)}{DEAD}{FIFO if name.endswith(FIFO) else ''}"


class SqsQueue:
    """One queue, by its name; in order when the name ends in `.fifo`."""

    def __init__(self, clients: Clients, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._clients = clients
        self._calls = Calls(clients, "sqs", f"queue `{name}`", threads=16)
        self._known_url = ""

    async def send(self, messages: Sequence[Message]) -> None:
        """SendMessageBatch, ten at a time; those that SQS did not take are sent again."""
        for start in range(0, len(messages), A_BATCH):
            await self._send([self._entry(n, m) for n, m in enumerate(messages[start : start + A_BATCH])])

    async def _send(self, entries: Entries) -> None:
        pause = PAUSE_S
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._clock.sleep(pause * (0.5 + self._clock.random()))
                pause *= 2
            answer = await self._calls("send_message_batch", QueueUrl=await self._url(), Entries=entries)
            failed = {entry["Id"]: str(entry.get("Code", "")) for entry in answer.get("Failed", ())}
            if not failed:
                return
            entries = [entry for entry in entries if entry["Id"] in failed]
        codes = ", ".join(sorted(set(failed.values())))
        raise StoreError(
            f"{len(failed)} messages were not taken by queue `{self.name}` ({codes})",
            code="E658",
            help="try again",
        )

    def _entry(self, number: int, message: Message) -> dict[str, Any]:
        made = {"Id": str(number), "MessageBody": message.body}
        if self._is_fifo:
            made |= {"MessageGroupId": message.group, "MessageDeduplicationId": message.once}
        return made

    async def receive(self, *, wait_s: float = 0.0, hidden_s: float = 60.0) -> list[Received]:
        """ReceiveMessage, up to ten."""
        answer = await self._calls(
            "receive_message",
            QueueUrl=await self._url(),
            MaxNumberOfMessages=A_BATCH,
            WaitTimeSeconds=min(MOST_WAIT_S, math.ceil(wait_s)),
            VisibilityTimeout=math.ceil(hidden_s),
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Received(m["MessageId"], m["ReceiptHandle"], m["Body"], _receives(m.get("Attributes", {})))
            for m in answer.get("Messages", ())
        ]

    async def delete(self, received: Sequence[Received]) -> None:
        """DeleteMessageBatch. Those that could not be deleted come again."""
        entries = [{"Id": str(n), "ReceiptHandle": one.receipt} for n, one in enumerate(received)]
        for start in range(0, len(entries), A_BATCH):
            batch = entries[start : start + A_BATCH]
            await self._calls("delete_message_batch", QueueUrl=await self._url(), Entries=batch)

    async def hide(self, received: Received, seconds: float) -> None:
        """ChangeMessageVisibility, to twelve hours at most."""
        await self._calls(
            "change_message_visibility",
            QueueUrl=await self._url(),
            ReceiptHandle=received.receipt,
            VisibilityTimeout=min(MOST_HIDDEN_S, max(0, math.ceil(seconds))),
        )

    async def redrive(self) -> int:
        """Send what is in the dead-letter queue once more; how many messages that were. Raises ConfigError, StoreError."""
        dead = SqsQueue(self._clients, dead_name(self.name), self._clock)
        count = 0
        while received := await dead.receive(wait_s=1.0):
            sign = self._clock.new_id("again")
            await self.send([Message(r.body, f"{sign}-{n}", f"{sign}-{n}") for n, r in enumerate(received)])
            await dead.delete(received)
            count += len(received)
        return count

    @property
    def _is_fifo(self) -> bool:
        return self.name.endswith(FIFO)

    async def _url(self) -> str:
        if not self._known_url:
            self._known_url = (await self._calls("get_queue_url", QueueName=self.name))["QueueUrl"]
        return self._known_url


def _receives(attributes: Mapping[str, Any]) -> int:
    return int(attributes.get("ApproximateReceiveCount", 1))
