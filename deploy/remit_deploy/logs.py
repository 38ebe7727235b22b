"""The logs of all functions of a deployment as one, by time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from remit.core.aws import code_of
from remit.core.errors import InputError
from remit.core.states.arns import plain_name
from remit_deploy.aws import refused
from remit_deploy.deployment import Deployment

OVERLAP_MS = 15_000
"""CloudWatch may show a line later than one that is younger."""

POLL_S = 2.0
METRICS = "_aws"
"""What marks a line that is a metric."""

NOISE = ("START RequestId", "END RequestId", "REPORT RequestId", "INIT_START")


class LogLine(Struct, frozen=True):
    """One line. `ts` is in Unix milliseconds; `function` is its name within the deployment; `data` is what a JSON line says."""

    id: str
    ts: int
    function: str
    text: str
    data: dict[str, Any] = {}


class Wanted(Struct, frozen=True):
    """Which lines: of one agent, of one run, or that contain some words."""

    agent: str = ""
    run: str = ""
    words: str = ""

    @property
    def pattern(self) -> str:
        """The filter of CloudWatch Logs: all of these words."""
        quoted = [msgspec.json.encode(text).decode() for text in (self.run, self.words) if text]
        return " ".join(quoted)


def groups(deployment: Deployment, wanted: Wanted) -> list[str]:
    """The log groups to read. Raises InputError E868 when the agent has no function of its own."""
    found = [w for kind, w in deployment.stack.resources().values() if kind == "AWS::Logs::LogGroup"]
    own = sorted(w for w in found if w.startswith(f"/remit/{deployment.name}/"))
    if not wanted.agent:
        return own
    name = f"/remit/{deployment.name}/agent-{plain_name(wanted.agent)}"
    if name not in own:
        agents = [w.rsplit("/agent-", 1)[1] for w in own if "/agent-" in w]
        raise InputError(
            f"agent `{wanted.agent}` has no function in `{deployment.name}`",
            code="E868",
            help=f"there are {', '.join(agents) or 'none'}",
        )
    return [name]


def read(deployment: Deployment, wanted: Wanted, since_ms: int) -> list[LogLine]:
    """The lines since a time, in order."""
    found = [
        line for group in groups(deployment, wanted) for line in _lines(deployment, group, wanted, since_ms)
    ]
    return sorted(found, key=lambda line: line.ts)  # stable: lines of one moment stay in their order


def follow(
    deployment: Deployment, wanted: Wanted, since_ms: int, *, rest: Callable[[float], None] = time.sleep
) -> Iterator[LogLine]:
    """The lines since a time, and then new ones as they come, for ever."""
    seen: dict[str, int] = {}
    while True:
        for line in read(deployment, wanted, since_ms):
            if line.id not in seen:
                seen[line.id] = line.ts
                yield line
        newest = max(seen.values(), default=since_ms)
        since_ms = max(since_ms, newest - OVERLAP_MS)
        seen = {id: ts for id, ts in seen.items() if ts >= since_ms}
        rest(POLL_S)


def _lines(deployment: Deployment, group: str, wanted: Wanted, since_ms: int) -> Sequence[LogLine]:
    from botocore.exceptions import ClientError

    given = {"filterPattern": wanted.pattern} if wanted.pattern else {}
    client, function = deployment.account.client("logs"), group.rsplit("/", 1)[-1]
    with refused(f"read the logs of `{function}`", action="logs:FilterLogEvents"):
        try:
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=since_ms, **given
            )
            found = [event for page in pages for event in page["events"]]
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return []
            raise
    lines = [_line(function, event) for event in found]
    return [
        line for line in lines if line.text and not line.text.startswith(NOISE) and METRICS not in line.data
    ]


def _line(function: str, event: dict[str, Any]) -> LogLine:
    text = event["message"].rstrip()
    id = event.get("eventId") or f"{event['timestamp']}:{hash(text)}"
    try:
        data = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        data = {}
    return LogLine(id, event["timestamp"], function, text, data)
