"""CloudEvents as messages of topics, in binary content mode: attributes are headers `ce_NAME`, the value is the data.

Source: https://github.com/cloudevents/spec, `bindings/kafka-protocol-binding.md` of version 1.0.2. Structured mode is read too.
"""

from __future__ import annotations

import json
from typing import Any

from remit.core.cloudevent import JSON_TYPE, STRUCTURED, UNTRUSTED, CloudEvent, from_json, to_json
from remit.core.codec import encode
from remit.core.errors import InputError
from remit.ports.topics import FromTopic

CE = "ce_"
TYPE = "content-type"


def headers_of(event: CloudEvent) -> dict[str, str]:
    """The headers that say an event's attributes."""
    shape = to_json(event)
    shape.pop("data")
    media = shape.pop("datacontenttype", JSON_TYPE)
    return {TYPE: media, **{CE + name: _text(value) for name, value in shape.items()}}


def value_of(event: CloudEvent) -> bytes:
    """The value of a message: the event's data as JSON."""
    return encode(event.data)


def is_event(message: FromTopic) -> bool:
    """Whether a message says that it is a CloudEvent."""
    return CE + "specversion" in message.headers or message.headers.get(TYPE, "").startswith(STRUCTURED)


def event_of(message: FromTopic) -> CloudEvent:
    """The CloudEvent that a message is. Raises InputError E660, E661, E995."""
    if message.headers.get(TYPE, "").startswith(STRUCTURED):
        return from_json(json_of(message))
    shape: dict[str, Any] = {
        name.removeprefix(CE): value for name, value in message.headers.items() if name.startswith(CE)
    }
    if (hops := shape.get("hops")) is not None:
        shape["hops"] = int(hops) if hops.isascii() and hops.isdigit() and len(hops) < 10 else hops
    if UNTRUSTED in shape:
        shape[UNTRUSTED] = shape[UNTRUSTED] != "false"
    if TYPE in message.headers:
        shape["datacontenttype"] = message.headers[TYPE]
    if message.key:
        shape.setdefault("partitionkey", message.key)
    return from_json({**shape, "data": json_of(message) if message.body else None})


def as_json(message: FromTopic) -> str:
    """An event's message as the JSON object of the event; as it is when it is none."""
    if not is_event(message):
        return message.body
    try:
        return encode(to_json(event_of(message))).decode()
    except InputError:
        return message.body


def json_of(message: FromTopic) -> Any:
    """A message's value. Raises InputError E995 for one that is no JSON."""
    if message.problem:
        raise InputError(f"the message cannot be read: {message.problem}", code="E995")
    try:
        return json.loads(message.body)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the message is no JSON: {error}", code="E995", help="send a task or a CloudEvent as JSON"
        ) from error


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
