"""What a Task's `Resource` means: Remit's URIs, and the ARNs of Step Functions."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

Kind = Literal["agent", "tool", "gate", "event", "workflow", "activity", "lambda", "service"]
Mode = Literal["call", "sync", "async", "token", "event"]
"""`call`: do it and go on with its answer. `sync`: start and wait for its end. `async`: start and go on.
`token`: do it, then wait until somebody answers with the task token. `event`: wait for a matching event."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_./-]*?"
_REMIT = re.compile(
    rf"remit:(agent|tool|gate|event|workflow|activity):({_NAME})(?:@([A-Za-z0-9_.-]+?))?"
    r"(\.waitForTaskToken|\.waitForEvent|\.async|\.sync)?\Z"
)
_LAMBDA = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]*:\d*:function:([A-Za-z0-9_-]+)(?::[A-Za-z0-9_$-]+)?\Z")
_ACTIVITY = re.compile(r"arn:[a-z-]+:states:[a-z0-9-]*:\d*:activity:([A-Za-z0-9_.-]+)\Z")
_SERVICE = re.compile(
    r"arn:[a-z-]+:states:[a-z0-9-]*:\d*:((?:aws-sdk:)?(?!activity|execution|express)[a-z0-9-]+:[A-Za-z0-9]+)"
    r"(\.sync(?::2)?|\.waitForTaskToken)?\Z"
)
_ALLOWED: dict[Kind, tuple[Mode, ...]] = {
    "agent": ("call", "token"),
    "tool": ("call", "token"),
    "gate": ("call",),
    "event": ("call", "token", "event"),
    "workflow": ("call", "sync", "async"),
    "activity": ("call",),
    "lambda": ("call",),
    "service": ("call", "sync", "token"),
}
_MODES: dict[str | None, Mode] = {
    None: "call",
    "": "call",
    ".waitForTaskToken": "token",
    ".waitForEvent": "event",
    ".async": "async",
    ".sync": "sync",
    ".sync:2": "sync",
}


class Resource(Struct, frozen=True):
    """What a Task does. `name` of a service is `SERVICE:ACTION`, as in `sqs:sendMessage`; `json_output`: of `.sync:2`."""

    uri: str
    kind: Kind
    name: str
    alias: str = ""
    mode: Mode = "call"
    json_output: bool = False


def parse(uri: str) -> Resource | None:
    """The resource that a URI or ARN names, or None when it is neither or asks for a mode that its kind does not have."""
    found = _remit(uri) if uri.startswith("remit:") else _arn(uri)
    return found if found is not None and found.mode in _ALLOWED[found.kind] else None


def _remit(uri: str) -> Resource | None:
    match = _REMIT.match(uri)
    if match is None:
        return None
    kind: Kind = match[1]  # type: ignore[assignment]
    return Resource(uri, kind, match[2], match[3] or "", _MODES[match[4]])


def _arn(uri: str) -> Resource | None:
    if match := _LAMBDA.match(uri):
        return Resource(uri, "lambda", match[1])
    if match := _ACTIVITY.match(uri):
        return Resource(uri, "activity", match[1])
    if match := _SERVICE.match(uri):
        return Resource(uri, "service", match[1], "", _MODES[match[2]], match[2] == ".sync:2")
    return None
