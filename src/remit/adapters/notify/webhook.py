"""A webhook of one's own: CloudEvents 1.0 in JSON, with the headers of Standard Webhooks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime

from remit.adapters.notify.http import Poster
from remit.core.codec import encode, plain
from remit.core.notification import Notification
from remit.ports.clock import Clock

TYPES = {
    "failure": "dev.remit.validation.failed",
    "recovery": "dev.remit.validation.recovered",
    "test": "dev.remit.notifier.test",
    "budget": "dev.remit.budget.reached",
}
_LEFT_OUT = ("status", "changed_ts", "receipt", "problem", "tenant_id", "channel")


class WebhookChannel:
    """Posts an event. The receiver knows a repetition by `webhook-id`, so sending again is safe."""

    def __init__(self, poster: Poster, clock: Clock) -> None:
        self._poster = poster
        self._clock = clock

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Post it, signed when there is a key."""
        body = encode(event_of(notification))
        moment = str(self._clock.now() // 1000)
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "Idempotency-Key": notification.notification_id,
            "webhook-id": notification.notification_id,
            "webhook-timestamp": moment,
        }
        if signing_key:
            headers["webhook-signature"] = signature(signing_key, notification.notification_id, moment, body)
        whom = f"the webhook of notifier `{notification.notifier_id}`"
        return await self._poster.post(target, body, headers, whom=whom)


def event_of(notification: Notification) -> dict[str, object]:
    """The notification as an event."""
    told = {name: value for name, value in plain(notification).items() if name not in _LEFT_OUT}
    return {
        "specversion": "1.0",
        "id": notification.notification_id,
        "source": f"/remit/{notification.tenant_id}",
        "type": TYPES[notification.kind],
        "subject": notification.table_id or notification.notifier_id,
        "time": datetime.fromtimestamp(notification.planned_ts / 1000, UTC).isoformat(
            timespec="milliseconds"
        ),
        "datacontenttype": "application/json",
        "data": told,
    }


def signature(key: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature as Standard Webhooks has it. A key may be `whsec_` and base64, or any text."""
    raw = key.encode()
    if key.startswith("whsec_"):
        try:
            raw = base64.b64decode(key.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raw = key.encode()
    signed = hmac.new(raw, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()
