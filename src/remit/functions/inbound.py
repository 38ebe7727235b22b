"""The function behind the queue of events from outside: publishes them here."""

from __future__ import annotations

from typing import Any

from remit.bootstrap import App
from remit.engine.bus.queued import queued
from remit.functions.container import shared
from remit.functions.invocation import Event, failures, received


def handler(event: Event, context: Any) -> Event:
    """Publish the events of one batch."""
    return shared().run(lambda app: inbound(app, event))


async def inbound(app: App, event: Event) -> Event:
    """Publish each event; those that must come again are failures."""
    return failures(await queued(app.bus).receive(received(event)))
