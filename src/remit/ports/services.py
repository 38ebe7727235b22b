"""Names of the tools that stand for the service integrations of Step Functions."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from remit.core.cloudevent import CloudEvent
from remit.core.provenance import Labels
from remit.core.task import Actor, Task

Publish = Callable[[str, Actor, Sequence[CloudEvent]], Awaitable[object]]
"""Hands a tenant's events to the bus, as published by this actor: two with the same source and id are one."""


class Start(Protocol):
    """Starts a run."""

    async def __call__(self, task: Task, *, labels: Labels) -> str:
        """The id of the run. `labels`: of what the task was made from.

        The same task again is the same run; another one under its id is a ConflictError.
        """


SDK = "aws-sdk:"
_ACTION = re.compile(r"aws_sdk_([a-z0-9-]+)_([A-Za-z0-9]+)\Z")


def tool_name(service_action: str) -> str:
    """The tool of a service integration: `sqs:sendMessage` is `aws_sqs_sendMessage`, `aws-sdk:s3:listBuckets` is `aws_sdk_s3_listBuckets`."""
    if service_action.startswith(SDK):
        return "aws_sdk_" + service_action.removeprefix(SDK).replace(":", "_")
    return "aws_" + service_action.replace(":", "_")


def sdk_action(tool: str) -> tuple[str, str] | None:
    """Service and action of a tool that is a call of the AWS SDK, or None for another tool."""
    match = _ACTION.match(tool)
    return (match[1], match[2]) if match else None
