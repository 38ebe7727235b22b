"""Topics of Amazon SNS: text for people, and an event in JSON for queues, functions and web addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from remit.adapters.notify.aws import not_sent
from remit.adapters.notify.smtp import text_of
from remit.adapters.notify.webhook import event_of
from remit.core.codec import encode
from remit.core.errors import ToolError
from remit.core.notification import Notification

SUBJECT = 100
"""Characters of a subject that SNS takes, of printable ASCII."""

FIFO = ".fifo"
_MACHINES = ("sqs", "lambda", "http", "https", "firehose")


class SnsChannel:
    """Publishes to a topic, once; a FIFO topic knows a repetition by its deduplication id. `tenants` may use the account.

    `clients(service, attempts=1)` is a boto3 client that never sends a request again by itself.
    """

    def __init__(self, clients: Callable[..., Any], tenants: frozenset[str]) -> None:
        self._clients = clients
        self._tenants = tenants

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Publish to the topic `target` (an ARN); the receipt is the id of the message."""
        whom = f"the topic of notifier `{notification.notifier_id}`"
        if notification.tenant_id not in self._tenants:
            raise ToolError(
                f"tenant `{notification.tenant_id}` may not use the AWS account of this server for {whom}",
                code="E685",
                help="name it under `aws_tenants` of `[workflow]` in remit.toml",
            )
        given = message_of(notification, fifo=target.endswith(FIFO))
        return await asyncio.to_thread(self._publish, {"TopicArn": target, **given}, whom)

    def _publish(self, given: dict[str, Any], whom: str) -> str:
        try:
            answer = self._clients("sns", attempts=1).publish(**given)
        except Exception as error:
            raise not_sent(error, "sns:Publish", whom) from None
        return f"SNS {answer['MessageId']}"


def message_of(notification: Notification, *, fifo: bool) -> dict[str, Any]:
    """What is published. Its attributes are for the filters of subscriptions."""
    text, event = text_of(notification), encode(event_of(notification)).decode()
    texts = {"default": text, "sms": notification.subject, **dict.fromkeys(_MACHINES, event)}
    attributes = {
        "tenant_id": notification.tenant_id,
        "kind": notification.kind,
        "notifier_id": notification.notifier_id,
        "table_id": notification.table_id,
    }
    once = {
        "MessageGroupId": notification.table_id or notification.notifier_id,
        "MessageDeduplicationId": notification.notification_id,
    }
    return {
        "Subject": _subject(notification.subject),
        "MessageStructure": "json",
        "Message": encode(texts).decode(),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        },
        **(once if fifo else {}),
    }


def _subject(text: str) -> str:
    """The text as SNS takes it: ASCII, no control characters, no space in front, and not too long."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text).strip()
    return plain if len(plain) <= SUBJECT else plain[: SUBJECT - 3] + "..."
