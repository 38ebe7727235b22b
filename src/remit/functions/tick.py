"""The function that runs every minute: starts what is scheduled, tells of every run that is due, and has the bus look too."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from remit.bootstrap import App
from remit.core.semconv import APPROVALS_WAITING
from remit.engine.bus.queued import QueuedBus
from remit.engine.driving import hint_due
from remit.engine.records import count_waiting
from remit.functions.container import shared
from remit.functions.invocation import Event

log = logging.getLogger("remit.functions")


def handler(event: Event, context: Any) -> dict[str, int]:
    """Answer a schedule of EventBridge Scheduler. How much there was to do, by kind."""
    return shared().run(tick)


async def tick(app: App) -> dict[str, int]:
    """Do all that is due now. Raises the first failure, after everything else has had its turn."""

    async def waiting() -> int:
        count = await count_waiting(app.store)
        app.telemetry.count(APPROVALS_WAITING, count, {})
        return count

    async def delivered() -> int:
        await app.bus.subscriptions.sync()  # for the other functions, which may only read subscriptions
        return await (app.bus.tick() if isinstance(app.bus, QueuedBus) else app.bus.drain())

    jobs: dict[str, Callable[[], Awaitable[int]]] = {
        "started": app.scheduler.tick,
        "hinted": lambda: hint_due(app.store, app.driver),
        "waiting": waiting,
        "delivered": delivered,
        "swept": app.sweeper.tick,
    }
    done: dict[str, int] = {}
    failed: list[Exception] = []
    for name, job in jobs.items():
        try:
            done[name] = await job()
        except Exception as error:
            log.error("a tick could not do everything: %s", error)
            failed.append(error)
    if failed:
        raise failed[0]
    return done
