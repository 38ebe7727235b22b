"""The run queues as an operator sees them: how much waits, what was given up, and sending that once more."""

from __future__ import annotations

from msgspec import Struct

from remit.adapters.driving.calls import Calls, Clients
from remit.adapters.driving.names import DEAD, MOST_NAME, dead_queue, prefix, run_queue

A_BATCH = 10


class QueueState(Struct, frozen=True):
    """A run queue: messages that wait, that are delayed, that somebody holds, and that were given up."""

    agent: str
    waiting: int
    delayed: int
    in_flight: int
    dead: int


class RunQueues:
    """The run queues of a deployment."""

    def __init__(self, clients: Clients, deployment: str) -> None:
        self._calls = Calls(clients)
        self._deployment = deployment

    async def list(self) -> list[QueueState]:
        """All of them, by agent. Counts are SQS's, which are approximate. Raises ConfigError, StoreError."""
        begin = prefix(self._deployment)
        answer = await self._calls.do("ListQueues", begin, QueueNamePrefix=begin, MaxResults=1000)
        names = {url.rpartition("/")[2] for url in answer.get("QueueUrls", ())}
        own = sorted(n for n in names if not (n.endswith(DEAD) and n.removesuffix(DEAD) in names))
        return [await self._state(name) for name in own]

    async def redrive(self, agent: str) -> int:
        """Send what was given up once more, each message as it was; how many. Raises ConfigError, StoreError.

        A message is sent before it is taken out, so that a failure between the two sends it twice, which is harmless.
        """
        dead, back = dead_queue(self._deployment, agent), run_queue(self._deployment, agent)
        source, target = await self._calls.url(dead), await self._calls.url(back)
        sent = 0
        while True:
            taken = await self._calls.do(
                "ReceiveMessage", dead, QueueUrl=source, MaxNumberOfMessages=A_BATCH, WaitTimeSeconds=1
            )
            messages = taken.get("Messages", ())
            if not messages:
                return sent
            for message in messages:
                await self._calls.do("SendMessage", back, QueueUrl=target, MessageBody=message["Body"])
                await self._calls.do(
                    "DeleteMessage", dead, QueueUrl=source, ReceiptHandle=message["ReceiptHandle"]
                )
                sent += 1

    async def _state(self, name: str) -> QueueState:
        agent = name.removeprefix(prefix(self._deployment))
        waiting, delayed, held = await self._counts(name)
        dead = name[: MOST_NAME - len(DEAD)] + DEAD
        return QueueState(agent, waiting, delayed, held, sum(await self._counts(dead)))

    async def _counts(self, name: str) -> tuple[int, int, int]:
        kinds = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        )
        url = await self._calls.url(name)
        answer = await self._calls.do("GetQueueAttributes", name, QueueUrl=url, AttributeNames=list(kinds))
        found = answer.get("Attributes", {})
        waiting, delayed, held = (int(found.get(kind, 0)) for kind in kinds)
        return waiting, delayed, held
