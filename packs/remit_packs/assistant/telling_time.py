"""What time it is, anywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from remit.sdk import ArgumentsError, ToolContext, tool

Zone = Annotated[
    str, Meta(max_length=64, description="IANA name of a time zone, e.g. `Europe/Berlin`; `UTC` by default.")
]


class Moment(Struct, frozen=True):
    """A moment as a clock and a calendar of the zone show it. `time` is ISO 8601 with the offset."""

    zone: str
    time: str
    weekday: str


@tool(sensitivity="public")
def get_current_time(context: ToolContext, zone: Zone = "UTC") -> Moment:
    """The time and date now, in a time zone."""
    try:
        there = ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ArgumentsError(
            f"`{zone}` is no time zone",
            code="E847",
            help="use an IANA name, e.g. `America/New_York` or `UTC`",
        ) from error
    now = datetime.fromtimestamp(context.clock.now() // 1000, there)
    return Moment(zone, now.isoformat(), now.strftime("%A"))
