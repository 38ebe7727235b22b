"""Events between agents and systems: CloudEvents 1.0 and their JSON form.

Source: https://github.com/cloudevents/spec, `spec.md` and `formats/json-format.md` of version 1.0.2, and the extensions
`partitioning` and `distributed-tracing`. `tenantid` and `hops` are extensions of Remit.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from msgspec import Struct

from remit.core.codec import encode
from remit.core.errors import InputError

SPEC_VERSION = "1.0"
JSON_TYPE = "application/json"

STRUCTURED = "application/cloudevents+json"
"""The media type of one event as a JSON object."""

BATCH = "application/cloudevents-batch+json"
"""The media type of several events as a JSON array."""

MOST_BYTES = 262_144
"""Bytes of one event as JSON: what EventBridge and SQS take."""

MOST_ID_BYTES = 400
"""UTF-8 bytes of `id` and of `source`: together they are a key, and no key is longer than 1024 bytes."""

MOST_TEXT = 1024
"""UTF-8 bytes of any other attribute."""

Extension = str | int | bool

UNTRUSTED, SENSITIVITY = "untrusted", "sensitivity"
"""The extensions that carry the labels of the run that published an event to the runs that it starts."""

_NAME = re.compile(r"[a-z0-9]{1,40}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_OPTIONAL = ("subject", "time", "datacontenttype", "dataschema", "partitionkey", "traceparent", "tenantid")


class CloudEvent(Struct, frozen=True, omit_defaults=True):
    """Something that happened. `source` and `id` name it: two events with the same ones are the same event.

    `time` is RFC 3339. Events with one `partitionkey` reach a subscription in order. `hops` counts the events that led to
    this one. `extensions` are other attributes: lower-case letters and digits, with texts, integers or booleans.
    """

    id: str
    source: str
    type: str
    data: Any = None
    subject: str = ""
    time: str = ""
    datacontenttype: str = JSON_TYPE
    dataschema: str = ""
    tenantid: str = ""
    partitionkey: str = ""
    traceparent: str = ""
    hops: int = 0
    extensions: dict[str, Extension] = {}


_FIELDS = frozenset(CloudEvent.__struct_fields__) - {"extensions"}


def to_json(event: CloudEvent) -> dict[str, Any]:
    """The event as the JSON object of the specification: every attribute at the top, those that are empty left out."""
    made: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
    }
    for name in _OPTIONAL:
        value = getattr(event, name)
        if value:
            made[name] = value
    if event.hops:
        made["hops"] = event.hops
    made.update(event.extensions)
    made["data"] = event.data
    return made


def from_json(raw: Any) -> CloudEvent:
    """The event that a JSON object of the specification says. Raises InputError E660 that lists every mistake, E661."""
    if not isinstance(raw, dict):
        raise _wrong(["an event is a JSON object"])
    raw = dict(raw)
    if "data_base64" in raw:
        raise _wrong(["`data_base64` is not taken: send `data` as JSON, and large content as an artifact"])
    problems = _spec_version(raw.pop("specversion", None))
    known = {name: raw.pop(name) for name in [*raw] if name in _FIELDS}
    extensions = {name: value for name, value in raw.items() if value is not None}
    problems += [*_attributes(known), *_extensions(extensions)]
    if problems:
        raise _wrong(problems)
    given = {name: value for name, value in known.items() if value is not None or name == "data"}
    return checked(CloudEvent(**given, extensions=extensions))


def stored_event(item: dict[str, Any]) -> CloudEvent:
    """The event of a JSON object that `to_json` made."""
    fields = {name: value for name, value in item.items() if name in _FIELDS}
    if len(fields) + 1 == len(item):
        return CloudEvent(**fields)
    rest = {n: v for n, v in item.items() if n not in _FIELDS and n != "specversion"}
    return CloudEvent(**fields, extensions=rest)


def checked(event: CloudEvent) -> CloudEvent:
    """The event, if it can be published. Raises InputError E660, E661."""
    checked_json(event)
    return event


def checked_json(event: CloudEvent) -> dict[str, Any]:
    """The JSON object of an event that can be published. Raises InputError E660, E661."""
    if not _is_plain(event):
        known = {name: getattr(event, name) for name in event.__struct_fields__}
        problems = [*_attributes(known), *_extensions(known["extensions"])]
        if problems:
            raise _wrong(problems)
    made = to_json(event)
    try:
        size = len(encode(made))
    except (TypeError, ValueError, RecursionError) as error:
        raise _wrong([f"`data` cannot be written as JSON: {error}"]) from error
    if size > MOST_BYTES:
        raise InputError(
            f"event `{event.id[:100]}` has {size} bytes, more than {MOST_BYTES}",
            code="E661",
            help="keep large content as an artifact, and say its digest",
        )
    return made


def _is_plain(event: CloudEvent) -> bool:
    """Whether an event is surely in order, seen at a glance: most are, and nobody need look closer."""
    texts = (event.id, event.source, event.type, event.subject, event.partitionkey, event.traceparent)
    return (
        all(type(text) is str and len(text) < 100 and "\x00" not in text for text in texts)
        and bool(event.id and event.source and event.type)
        and event.datacontenttype == JSON_TYPE
        and not (event.dataschema or event.extensions or event.hops)
        and type(event.time) is str
        and len(event.time) == 24
        and not _time(event.time)
        and type(event.tenantid) is str
        and len(event.tenantid) < 200
    )


def _spec_version(value: Any) -> list[str]:
    if value == SPEC_VERSION:
        return []
    return [f"`specversion` is `{str(value)[:20]}`, and only `{SPEC_VERSION}` is known"]


def _attributes(given: dict[str, Any]) -> list[str]:
    problems = [f"`{name}` is missing or empty" for name in ("id", "source", "type") if not given.get(name)]
    for name in ("id", "source", "type", *_OPTIONAL):
        value = given.get(name)
        if value is None:
            continue
        most = MOST_ID_BYTES if name in ("id", "source") else MOST_TEXT
        if not isinstance(value, str):
            problems.append(f"`{name}` is no text")
        elif "\x00" in value or len(value.encode("utf-8", "surrogatepass")) > most:
            problems.append(f"`{name}` has a NUL or more than {most} bytes")
    problems += _time(given.get("time"))
    hops = given.get("hops")
    if hops is not None and (type(hops) is not int or not 0 <= hops < 2**31):
        problems.append("`hops` is no count")
    kind = given.get("datacontenttype")
    if isinstance(kind, str) and kind and not _is_json(kind):
        problems.append(f"`datacontenttype` is `{kind[:60]}`, and only JSON is taken")
    return problems


def _is_json(kind: str) -> bool:
    media = kind.partition(";")[0].strip().lower()
    return media.endswith(("/json", "+json"))


def _time(value: Any) -> list[str]:
    if not isinstance(value, str) or not value:
        return []
    try:
        if _TIME.match(value):
            datetime.fromisoformat(value.upper())
            return []
    except ValueError:
        pass
    return [f"`time` is `{value[:60]}`, which is no RFC 3339 time"]


def _extensions(given: dict[str, Any]) -> list[str]:
    problems = []
    for name, value in given.items():
        if not isinstance(name, str) or not _NAME.match(name):
            problems.append(f"`{str(name)[:60]}` cannot name an extension: use lower-case letters and digits")
        elif type(value) is int and not -(2**31) <= value < 2**31:
            problems.append(f"`{name}` is no 32-bit integer")
        elif type(value) not in (str, int, bool):
            problems.append(f"`{name}` is no text, integer or boolean")
    return problems


def _wrong(problems: list[str]) -> InputError:
    return InputError(
        "; ".join(problems), code="E660", help="see https://github.com/cloudevents/spec, JSON event format"
    )
