"""The way out by Amazon SNS: every event on the topic `DEPLOYMENT-events.fifo`, for consumers with queues of their own.

The message is the CloudEvent as JSON; its attributes `type`, `source` and `tenant` are for filter policies. Events of one
tenant with one partition key are one message group, so that a consumer's FIFO queue gets them in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from remit.adapters.bus.calls import Calls, Clients
from remit.adapters.bus.together import Together
from remit.core.cloudevent import CloudEvent, to_json
from remit.core.codec import encode
from remit.core.errors import ToolError
from remit.ports.bus import DEPLOYMENT, Delivery, UndeliverableError

MOST_BYTES = 262_144
"""Of one message with its attributes, and of all of a request."""

Entry = dict[str, Any]


class SnsOutlet:
    """A handler of deliveries that publishes their events on a topic."""

    def __init__(self, clients: Clients, deployment: str) -> None:
        self.topic = f"{deployment}-events.fifo"
        self._deployment = deployment
        self._calls = Calls(clients, "sns", f"topic `{self.topic}`", attempts=1)
        self._identity = Calls(clients, "sts", "the identity of this process", threads=1)
        self._clients = clients
        self._arn = ""
        self._together: Together[Entry] = Together(self._publish, most_bytes=MOST_BYTES)

    async def __call__(self, delivery: Delivery) -> None:
        """Publish one event. Raises UndeliverableError for one that SNS never takes, else RemitError."""
        entry = self._entry(delivery.event)
        size = len(entry["Message"].encode()) + sum(
            len(name) + len("String") + len(value["StringValue"].encode())
            for name, value in entry["MessageAttributes"].items()
        )
        if size > MOST_BYTES:
            raise UndeliverableError(
                f"the event has {size} bytes, and SNS takes {MOST_BYTES}",
                code="E673",
                help="keep large content as an artifact, and say its digest",
            )
        await self._together.send(entry, size)

    def _entry(self, event: CloudEvent) -> Entry:
        once = _digest(event.tenantid, event.source, event.id)
        attributes = {"type": event.type, "source": event.source, "tenant": event.tenantid}
        return {
            "Message": encode({**to_json(event), DEPLOYMENT: self._deployment}).decode(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
            "MessageGroupId": _digest(event.tenantid, event.partitionkey) if event.partitionkey else once,
            "MessageDeduplicationId": once,
        }

    async def _publish(self, entries: Sequence[Entry]) -> Sequence[Exception | None]:
        batch = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
        answer = await self._calls(
            "publish_batch", TopicArn=await self._topic_arn(), PublishBatchRequestEntries=batch
        )
        failed = {int(entry["Id"]): str(entry.get("Code", "")) for entry in answer.get("Failed", ())}
        return [_problem(failed[number]) if number in failed else None for number in range(len(batch))]

    async def _topic_arn(self) -> str:
        """The topic of that name in the account and region of this process."""
        if not self._arn:
            _, partition, _, _, account, _ = (await self._identity("get_caller_identity"))["Arn"].split(
                ":", 5
            )
            region = self._clients("sns").meta.region_name
            self._arn = f"arn:{partition}:sns:{region}:{account}:{self.topic}"
        return self._arn


def _problem(code: str) -> Exception:
    return ToolError(
        f"SNS did not take the event ({code})", code="E673", help="it is sent again", retryable=True
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()
