"""Events of an execution's history as boto3 gives them, as those that the engine reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from remit.core.states.history import Moment


def moment(event: Mapping[str, Any]) -> Moment:
    """One event. What it says of itself is under a key of its own type: `taskFailedEventDetails`."""
    told = _details(event)
    return Moment(
        id=event["id"],
        type=event["type"],
        ts=round(event["timestamp"].timestamp() * 1000),
        previous=event.get("previousEventId", 0),
        name=told.get("name", ""),
        input=parsed(told.get("input")),
        output=parsed(told.get("output")),
        assigned={name: parsed(value) for name, value in told.get("assignedVariables", {}).items()},
        error=told.get("error", ""),
        cause=told.get("cause", ""),
        index=told.get("index", -1),
        length=told.get("length", 0),
    )


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (value for key, value in event.items() if key.endswith("EventDetails"))
    details: Mapping[str, Any] = next(found, {})
    return details


def parsed(text: str | None) -> Any:
    """The value of a JSON text; None where there is none or where it was cut off."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None
