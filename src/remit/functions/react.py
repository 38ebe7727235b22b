"""The function behind the streams of run heads and of ready events: tells who can go on, as soon as it is written down."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from remit.adapters.store.dynamodb.streams import range_key, run_head
from remit.bootstrap import App
from remit.engine.bus.queued import queued
from remit.engine.bus.records import READY
from remit.engine.driving import hint_for
from remit.functions.container import shared
from remit.functions.invocation import Event
from remit.functions.streams import in_order, table_of
from remit.ports.driving import Hint

log = logging.getLogger("remit.functions")


def handler(event: Event, context: Any) -> Event:
    """Tell of what changed in one batch."""
    return shared().run(lambda app: react(app, event.get("Records", ())))


async def react(app: App, records: Sequence[Event]) -> Event:
    """Tell of every run of these records that can go on, and of every partition with new events, once each."""
    now = app.clock.now()
    hints: dict[str, Hint] = {}
    ready: dict[str, str] = {}

    async def note(record: Event) -> None:
        images = record["dynamodb"]
        old, new = (images.get(name) for name in ("OldImage", "NewImage"))
        if table_of(record).endswith(READY):
            if new and not old:
                partition, ticket = range_key(new, "partition", "ticket")
                ready[partition] = ticket
            return
        hint = hint_for(run_head(old) if old else None, run_head(new) if new else None, now)
        if hint is not None:
            hints[hint.run_id] = hint

    answer = await in_order(records, note)
    if ready:
        await queued(app.bus).ring(ready.items())
    lost = await app.driver.hint(list(hints.values()))
    if lost:  # a queue that is missing must not hold back the runs of all others
        log.error("%d runs could not be told of, and wait for the next tick", len(lost))
    return answer
