"""The queues, the event bus and the topic of a deployment, as `remit deploy` makes them, on the emulator."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from tests.adapters.emulator import REGION

from remit.adapters.aws.session import Session
from remit.adapters.bus.sqs import SqsQueue
from remit.bootstrap.buses import aws_bus
from remit.engine.bus.portions import MOST_WRITES
from remit.engine.bus.queued import QueuedBus
from remit.ports.clock import Clock
from remit.ports.queue import Received
from remit.ports.store import Records

Clients = Callable[..., Any]


class Deployed:
    """A deployment of its own, with everything that the bus needs."""

    def __init__(self, clients: Clients, *, most_receives: int = 10, name: str = "") -> None:
        self.clients = clients
        self.name = name or self.new_name()
        self._most_receives = most_receives
        fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup"}
        fifo["FifoThroughputLimit"] = "perMessageGroupId"
        self.with_dead("deliveries", ".fifo", fifo)
        self.inbound_arn = self.with_dead("inbound", "", {})
        clients("events").create_event_bus(Name=self.name)

    @staticmethod
    def new_name() -> str:
        """A deployment's name that no other has."""
        return f"t{secrets.token_hex(4)}-test"

    def with_dead(self, part: str, ending: str, attributes: dict[str, str]) -> str:
        """A queue and its dead-letter queue; the ARN of the first."""
        dead = self._made(f"{self.name}-{part}-dead{ending}", attributes)
        redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": self._most_receives}
        return self._made(f"{self.name}-{part}{ending}", {**attributes, "RedrivePolicy": json.dumps(redrive)})

    def _made(self, name: str, attributes: dict[str, str]) -> str:
        sqs = self.clients("sqs")
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        return arn

    def topic(self) -> str:
        """The topic for consumers outside; its ARN."""
        arn: str = self.clients("sns").create_topic(
            Name=f"{self.name}-events.fifo", Attributes={"FifoTopic": "true"}
        )["TopicArn"]
        return arn

    def rule(self, name: str, pattern: dict[str, Any], target: str, **more: Any) -> None:
        """A rule of the event bus with a queue as its target."""
        events = self.clients("events")
        events.put_rule(Name=name, EventBusName=self.name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, EventBusName=self.name, Targets=[{"Id": "1", "Arn": target, **more}])

    def queue(self, part: str, clock: Clock) -> SqsQueue:
        """One of its queues."""
        return SqsQueue(self.clients, f"{self.name}-{part}", clock)

    def bus(
        self,
        store: Records,
        clock: Clock,
        owner: str,
        *,
        url: str = "",
        topic: bool = False,
        most_writes: int = MOST_WRITES,
    ) -> QueuedBus:
        """A process's bus, which reaches AWS at `url`."""
        clients = Session(region=REGION, endpoint_url=url) if url else self.clients
        return aws_bus(
            store, clock, clients, deployment=self.name, owner=owner, topic=topic, most_writes=most_writes
        )


async def deliver_all(bus: QueuedBus) -> None:
    """Send the turns that are due by the bus's clock, and take turns until there are none."""
    await bus.tick(grace_ms=0)
    while await bus.poll():
        pass


async def all_of(queue: SqsQueue) -> list[Received]:
    """Everything that can be received, deleted."""
    found: list[Received] = []
    while received := await queue.receive():
        await queue.delete(received)
        found += received
    return found
