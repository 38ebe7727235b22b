"""What Lambda says of one invocation, and how a handler says which records it could not serve."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from remit.ports.queue import Received

Event = dict[str, Any]
Left = Callable[[], float]
"""Seconds until Lambda ends the invocation."""

NO_LIMIT_S = 900.0
"""Seconds that are assumed where nobody says how many there are: as many as Lambda ever gives."""

SETTLING_S, RESTFUL = 30.0, 0.8
"""For so long before its time is up, or a fifth of it, a run begins nothing more: what is in hand then gets to its end."""


def resting_ts(now: int, seconds: float) -> int:
    """From when on a run begins nothing more where the process has `seconds` left, in Unix milliseconds."""
    return now + int(1000 * max(seconds * RESTFUL, seconds - SETTLING_S))


def time_left(context: Any) -> Left:
    """How much time the invocation has left, by Lambda's own clock."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if remaining is None:
        return lambda: NO_LIMIT_S
    return lambda: float(remaining()) / 1000


def failures(ids: Iterable[str]) -> Event:
    """The answer to a batch: what is not named is done, and what is named comes again."""
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}


def received(event: Event) -> list[Received]:
    """The messages of a batch of SQS."""
    return [
        Received(
            record["messageId"],
            record["receiptHandle"],
            record["body"],
            int(record.get("attributes", {}).get("ApproximateReceiveCount", 1)),
        )
        for record in event.get("Records", ())
    ]
