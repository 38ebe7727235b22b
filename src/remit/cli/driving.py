"""Driving one run from a terminal: work on it here, show it, and have people asked, until it ends or is left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from remit.cli.deciding import Decider
from remit.cli.live import Screen, Watch

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.approval import Approval
    from remit.core.task import Result

PATIENCE_S = 0.5
ENDED = ("success", "failure")


async def drive(app: App, run_id: str, tenant_id: str, decider: Decider, on: Screen) -> tuple[Result, Watch]:
    """Bring the run to its end, or to where a person is awaited and `decider` leaves it."""
    watch = Watch(app, run_id, tenant_id, on)
    while True:
        asked = await _work(app, run_id, tenant_id, watch)
        decided = False
        for approval in asked:
            decided = await decider.decide(app, approval) or decided
        if not decided:
            return await _result(app, run_id, tenant_id, asked), watch


async def _work(app: App, run_id: str, tenant_id: str, watch: Watch) -> list[Approval]:
    """Work until the run has ended (nothing is asked) or people are; when another worker holds it, wait for that one."""
    watch.start()
    try:
        while True:
            await app.worker.run_until_idle(root_run=run_id)
            result = await app.runs.result(run_id, tenant_id)
            if result is not None and result.status in ENDED:
                return []
            await watch.catch_up()
            asked = await waiting(app, watch.runs, tenant_id)
            if asked:
                return asked
            await asyncio.sleep(PATIENCE_S)
    finally:
        await watch.stop()


async def _result(app: App, run_id: str, tenant_id: str, asked: list[Approval]) -> Result:
    """The result; a run whose child waits for a person waits for that person too."""
    from msgspec.structs import replace

    result = await app.runs.result(run_id, tenant_id)
    if result is None:
        result = (await app.runs.view(run_id, tenant_id)).result
    if result.status in ENDED:
        return result
    return replace(result, waiting_on=tuple(f"approval:{a.approval_id}" for a in asked))


async def waiting(app: App, runs: tuple[str, ...], tenant_id: str) -> list[Approval]:
    """Open approvals of these runs, oldest first."""
    from remit.core.approval import Approval
    from remit.core.codec import convert

    found: list[Approval] = []
    for status in ("pending", "info_requested"):
        cursor: str | None = None
        while True:
            page = await app.approvals.list(tenant_id, status=status, limit=200, cursor=cursor)
            found += [a for a in (convert(item, Approval) for item in page.items) if a.run_id in runs]
            cursor = page.cursor
            if not cursor:
                break
    return sorted(found, key=lambda a: a.requested_ts)


async def look_on(
    app: App, run_id: str, tenant_id: str, watch: Watch, *, until: Callable[[], bool]
) -> Result | None:
    """Show a run that other workers drive, until it ends or `until` says stop."""
    watch.start()
    try:
        while True:
            result = await app.runs.result(run_id, tenant_id)
            if (result is not None and result.status in ENDED) or until():
                return result
            await asyncio.sleep(PATIENCE_S / 5)
    finally:
        await watch.stop()
