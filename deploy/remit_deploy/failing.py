"""Why a deployment failed: the resources that failed by themselves, where they are in our template, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit_deploy.reading import Reading
from remit_deploy.stacks import StackEvent

ADVICE = (
    (r"already exists|AlreadyExists", "something else has this name: delete it, or choose another `project` in `[deploy]`"),
    (r"not authorized|AccessDenied|UnauthorizedOperation", "the role that deploys lacks this permission: docs/howto/deploy-to-aws.md lists them"),
    (r"UnreservedConcurrentExecution|ReservedConcurrentExecutions", "the account has too few concurrent executions for `concurrency`: lower it, or raise the quota of Lambda"),
    (r"LimitExceeded|limit exceeded|quota|TooMany", "a quota of the account is used up: raise it in Service Quotas, or delete what is not needed"),
    (r"SubscriptionRequired|not subscribed|OptInRequired", "the account does not have this service yet: open it in the console once"),
    (r"Unrecognized resource types|not supported", "it does not exist in this region (or in the emulator): switch it off in `[deploy]`"),
    (r"Throttl|Rate exceeded", "AWS was asked too often: run it again"),
    (r"InvalidBucketState|BucketNotEmpty|not empty", "a bucket still has data: `remit deploy destroy --delete-data`"),
)  # fmt: skip
ANYWAY = "correct `[deploy]` in remit.toml, and run `remit deploy apply` again"


class Failure(Struct, frozen=True):
    """A resource that failed: its path in our template, what AWS said, and what to do."""

    path: str
    type: str
    cause: str
    advice: str


def failures(events: Iterable[StackEvent], template: Mapping[str, Any], stack: str) -> list[Failure]:
    """The failures among a stack's events, the first one first; what was only cancelled because of them is left out."""
    reading = Reading(template)
    found = [event for event in events if event.failed and event.resource != stack]
    own = found or [event for event in events if event.reason and "FAILED" in event.status]
    return [
        Failure(reading.path(e.resource), e.type, _brief(e.reason), advice(e.reason)) for e in own if e.reason
    ]


def advice(reason: str) -> str:
    """What to do about what AWS says."""
    return next((said for pattern, said in ADVICE if re.search(pattern, reason, re.IGNORECASE)), ANYWAY)


def _brief(reason: str) -> str:
    """What AWS says, without its request ids."""
    return re.sub(r"\s*\((?:Service|RequestToken|Request ID|HandlerErrorCode)[^)]*\)", "", reason).strip()
