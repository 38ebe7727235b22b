"""Events that come in by a queue: what EventBridge and SNS put there, and CloudEvents as they are.

The tenant is the deployment's own unless a rule says another: its input transformer wraps the event as
`{"tenant_id": "acme", "event": <aws.events.event.json>}`, with `"trusted": true` if what the rule lets in may be trusted.
No event says its tenant itself.

Sources: Amazon EventBridge User Guide, "AWS service event metadata"; Amazon SNS Developer Guide, "Amazon SNS message
delivery with Amazon SQS".
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from remit.core.cloudevent import MOST_TEXT, CloudEvent, Extension, checked, from_json
from remit.core.errors import InputError
from remit.ports.bus import INGRESS, Arrived

_WRAPPED = frozenset({"tenant_id", "trusted", "event"})
_EVENTBRIDGE = frozenset({"id", "source", "detail-type", "detail"})
_SNS = frozenset({"Type", "MessageId", "TopicArn", "Message"})


class Reader:
    """Reads events for one deployment; `tenant_id` is whose they are unless a rule says another."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id

    def __call__(self, body: str) -> Arrived:
        """The event that a message's body says. Raises InputError E660, E661, E672."""
        try:
            raw = json.loads(body)
        except ValueError as error:
            raise _refused("it is no JSON") from error
        if not isinstance(raw, dict):
            raise _refused("it is no JSON object")
        tenant_id, trusted = self._tenant_id, False
        if "event" in raw and raw.keys() <= _WRAPPED:
            tenant_id, trusted, raw = raw.get("tenant_id", tenant_id), raw.get("trusted", False), raw["event"]
            if not isinstance(tenant_id, str) or not tenant_id or not isinstance(trusted, bool):
                raise _refused("`tenant_id` is no tenant, or `trusted` no boolean")
        return Arrived(tenant_id, _event(raw), trusted)


def _event(raw: Any) -> CloudEvent:
    if isinstance(raw, dict):
        if raw.keys() >= _EVENTBRIDGE:
            return _of_eventbridge(raw)
        if raw.keys() >= _SNS:
            return _of_sns(raw)
        if "specversion" in raw:
            return _came_by(from_json(raw), "sqs", {})
    raise _refused("it is neither of EventBridge nor of SNS, and no CloudEvent")


def _of_eventbridge(raw: dict[str, Any]) -> CloudEvent:
    """The CloudEvent in the detail, or the event of an AWS service or a partner as one."""
    where = {"awsaccount": raw.get("account"), "awsregion": raw.get("region")}
    detail = raw["detail"]
    if isinstance(detail, dict) and "specversion" in detail:
        return _came_by(from_json(detail), "eventbridge", where)
    resources = raw.get("resources") or [""]
    event = CloudEvent(
        id=_text(raw["id"]),
        source=_text(raw["source"]),
        type=_text(raw["detail-type"]),
        time=_text(raw.get("time")),
        subject=_text(resources[0])[:MOST_TEXT] if isinstance(resources, list) else "",
        data=detail,
    )
    return _came_by(event, "eventbridge", where)


def _of_sns(raw: dict[str, Any]) -> CloudEvent:
    """The CloudEvent in the message, or the message as one of type `sns.notification`."""
    try:
        message = json.loads(_text(raw["Message"]))
    except ValueError:
        message = raw["Message"]
    if isinstance(message, dict) and "specversion" in message:
        return _came_by(from_json(message), "sns", {})
    event = CloudEvent(
        id=_text(raw["MessageId"]),
        source=_text(raw["TopicArn"]),
        type="sns.notification",
        time=_text(raw.get("Timestamp")),
        subject=_text(raw.get("Subject"))[:MOST_TEXT],
        data=message,
    )
    return _came_by(event, "sns", {})


def _came_by(event: CloudEvent, way: str, where: dict[str, Any]) -> CloudEvent:
    extensions: dict[str, Extension] = {n: v for n, v in where.items() if isinstance(v, str) and v}
    return checked(replace(event, extensions={**event.extensions, **extensions, INGRESS: way}))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _refused(f"`{str(value)[:60]}` is no text")
    return value


def _refused(why: str) -> InputError:
    return InputError(
        f"a message is no event: {why}",
        code="E672",
        help="send what EventBridge and SNS send, or a CloudEvent as JSON",
    )
