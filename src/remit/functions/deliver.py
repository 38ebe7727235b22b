"""The function behind the queue of the bus: delivers the events whose turn it is."""

from __future__ import annotations

from typing import Any

from remit.bootstrap import App
from remit.engine.bus.consuming import Until
from remit.engine.bus.queued import queued
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, failures, received, time_left

FINISHING_S = 15.0
"""Nothing more is begun with less time left: a delivery in hand gets that long."""


def handler(event: Event, context: Any) -> Event:
    """Take the turns of one batch."""
    return shared().run(lambda app: deliver(app, event, time_left(context)))


async def deliver(app: App, event: Event, left: Left) -> Event:
    """Take turns as long as there is time; those that must come again are failures."""
    stop = Until(app.clock, max(1.0, left() - FINISHING_S))
    return failures(await queued(app.bus).deliver(received(event), stop))
