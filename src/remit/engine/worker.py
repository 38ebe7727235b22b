"""Drives runs on one machine: an asyncio loop that advances whatever is due. Several may share one store."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from remit.core.errors import ConfigError, RemitError, StoreError
from remit.engine.advance import Engine
from remit.engine.kit import Kit

log = logging.getLogger("remit.worker")

POLL_S = 0.05
BACKOFF_S = 1.0
POISON_TRIES = 5
"""Tries of a run that fails by its own content (not by the store) before it is set aside for an operator."""
UNREADABLE = "E808"

OF_THE_CLOUD = frozenset({"E257", "E258", "E656", "E657"})
"""What AWS refuses or does not have. A permission may take minutes to be in force, and no run is to blame for it."""


def of_environment(error: Exception) -> bool:
    """Whether a run cannot go on because of what is around it, so that trying again later is all there is to do."""
    if isinstance(error, ConfigError):
        return error.code in OF_THE_CLOUD
    return isinstance(error, StoreError) and error.code != UNREADABLE


class Worker:
    """Takes due runs and advances up to `concurrency` of them at once, tenants in turn."""

    def __init__(self, kit: Kit, engine: Engine, *, concurrency: int = 64) -> None:
        self._kit = kit
        self._engine = engine
        self._concurrency = concurrency
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._resting: dict[str, float] = {}
        self._failed: dict[str, int] = {}

    async def serve(self, stop: asyncio.Event) -> None:
        """Advance runs until `stop` is set; then finish the steps in flight. Unfinished runs of before are taken up."""
        while not stop.is_set():
            started = await self._start_due("")
            if not started:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), POLL_S)
        await self._drain()

    async def run_until_idle(self, root_run: str = "") -> None:
        """Advance until nothing is due (of one root run's tree, if given)."""
        while True:
            started = await self._start_due(root_run)
            if self._busy:
                await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
            elif not started:
                return

    async def _start_due(self, root_run: str) -> int:
        free = self._concurrency - len(self._busy)
        if free <= 0:
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
            return 1
        try:
            due = await self._kit.store.due(
                limit=free + len(self._busy) + len(self._resting), root_run=root_run or None
            )
        except RemitError as error:
            log.error("the store cannot be read: %s", error)
            await self._kit.clock.sleep(BACKOFF_S)
            return 0
        now = self._kit.clock.monotonic()
        fresh = [r for r in due if r not in self._busy and self._resting.get(r, 0.0) <= now][:free]
        for run_id in fresh:
            task = asyncio.create_task(self._advance(run_id))
            self._busy[run_id] = task
        return len(fresh)

    async def _advance(self, run_id: str) -> None:
        try:
            outcome = await self._engine.advance(run_id)
            self._resting.pop(run_id, None)
            self._failed.pop(run_id, None)
            if outcome in ("busy", "lost"):
                self._rest(run_id, BACKOFF_S)
        except Exception as error:
            # One run's trouble must not stop the others; it is tried again, and nothing was lost.
            log.error("run %s cannot go on now: %s", run_id, error, extra={"run_id": run_id})
            await self._trouble(run_id, error)
        finally:
            self._busy.pop(run_id, None)

    async def _trouble(self, run_id: str, error: Exception) -> None:
        """Try again later, and later still; a run whose own content is the trouble is set aside after some tries."""
        tries = 0
        if not of_environment(error):
            tries = self._failed[run_id] = self._failed.get(run_id, 0) + 1
        if tries < POISON_TRIES:
            self._rest(run_id, BACKOFF_S * 2 ** max(tries, 1))
            return
        self._failed.pop(run_id)
        self._rest(run_id, BACKOFF_S)
        try:
            code = getattr(error, "code", type(error).__name__)
            await self._engine.set_aside(run_id, self._kit.redactor("default").text(f"[{code}] {error}"))
        except Exception as again:
            log.error("run %s cannot be set aside: %s", run_id, again, extra={"run_id": run_id})

    def _rest(self, run_id: str, seconds: float) -> None:
        self._resting[run_id] = self._kit.clock.monotonic() + seconds

    async def _drain(self) -> None:
        """Wait for what is in hand; when that is cut short, let go of it: the next worker takes it up."""
        tasks = list(self._busy.values())
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
