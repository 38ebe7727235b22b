"""The way out by Amazon EventBridge: every event on the deployment's event bus, for the rules of the account.

An event has its source, its type as the detail type, and as its detail the CloudEvent as JSON with the deployment's name
in the extension `deployment`. EventBridge takes an event at least once, and keeps no order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remit.adapters.bus.calls import Calls, Clients
from remit.adapters.bus.together import Together
from remit.core.cloudevent import CloudEvent, to_json
from remit.core.codec import encode
from remit.core.errors import ToolError
from remit.ports.bus import DEPLOYMENT, Delivery, UndeliverableError

MOST_BYTES = 262_144
"""Of one entry, and of all of a request."""

MOST_SOURCE, MOST_TYPE = 256, 128
"""Characters that EventBridge takes; what is longer is whole in the detail."""

Entry = dict[str, Any]


class EventBridgeOutlet:
    """A handler of deliveries that puts their events on an event bus."""

    def __init__(self, clients: Clients, deployment: str) -> None:
        self._deployment = deployment
        self._calls = Calls(clients, "events", f"event bus `{deployment}`", attempts=1)
        self._together: Together[Entry] = Together(self._put, most_bytes=MOST_BYTES)

    async def __call__(self, delivery: Delivery) -> None:
        """Put one event. Raises UndeliverableError for one that EventBridge never takes, else RemitError."""
        entry = self._entry(delivery.event)
        size = sum(len(str(entry[name]).encode()) for name in ("Source", "DetailType", "Detail")) + 14
        if size > MOST_BYTES:
            raise UndeliverableError(
                f"the event has {size} bytes, and EventBridge takes {MOST_BYTES}",
                code="E673",
                help="keep large content as an artifact, and say its digest",
            )
        await self._together.send(entry, size)

    def _entry(self, event: CloudEvent) -> Entry:
        return {
            "EventBusName": self._deployment,
            "Source": event.source[:MOST_SOURCE],
            "DetailType": event.type[:MOST_TYPE],
            "Detail": encode({**to_json(event), DEPLOYMENT: self._deployment}).decode(),
            **({"Time": event.time} if event.time else {}),
        }

    async def _put(self, entries: Sequence[Entry]) -> Sequence[Exception | None]:
        answer = await self._calls("put_events", Entries=list(entries))
        return [_problem(taken) for taken in answer["Entries"]]


def _problem(taken: dict[str, str]) -> Exception | None:
    code = taken.get("ErrorCode")
    if not code:
        return None
    return ToolError(
        f"EventBridge did not take the event ({code})",
        code="E673",
        help="it is sent again; see the event bus and what it allows",
        retryable=True,
    )
