"""The function of an agent: advances the runs that its queue tells of, and serves what Step Functions asks of the agent.

A message is a hint. The journal decides who advances a run, so that messages may come twice, late and in any order.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec import Struct

from remit.bootstrap import App
from remit.core.codec import decode
from remit.core.errors import InputError, StoreError
from remit.engine import loading
from remit.engine.worker import BACKOFF_S, POISON_TRIES, UNREADABLE
from remit.engine.workflows.stepfunctions.reach import Reach
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, failures, received, time_left
from remit.ports.driving import Hint
from remit.ports.queue import Received

log = logging.getLogger("remit.functions")

ENOUGH_S = 5.0
"""A run is not begun with less time left."""

SETTLING_S, RESTFUL = 30.0, 0.8
"""For so long before its time is up, or a fifth of it, a run begins nothing more: what is in hand then gets to its end."""

LETTING_GO_S = 2.0
"""Time kept for giving a run back before Lambda ends the process; the next invocation then need not await the lease's end."""


def handler(event: Event, context: Any) -> Any:
    """Serve messages of SQS, or what Step Functions asks (an event with the key `remit`) or tells (`source`)."""
    if "remit" in event or event.get("source") == "aws.states":
        from remit.functions import task

        return task.handle(event, context)
    return shared().run(lambda app: advance(app, event, time_left(context)))


async def advance(app: App, event: Event, left: Left) -> Event:
    """Advance the run of each message; messages that must come again are failures.

    Of several messages about one run, the first counts: the others would take the run out of its hands.
    """
    queues = [str(record.get("eventSourceARN", "")) for record in event.get("Records", ())]
    by_run: dict[str, _Message] = {}
    failed: list[str] = []
    for one, queue in zip(received(event), queues, strict=True):
        try:
            run_id = decode(one.body, Told).run_id
        except InputError as error:
            log.error("a message of %s is no hint: %s", queue, error, extra={"code": error.code})
            failed.append(one.message_id)
        else:
            by_run.setdefault(run_id, _Message(app, one, queue, run_id))
    served = await asyncio.gather(*[message.served(left) for message in by_run.values()])
    failed += [m.one.message_id for m, done in zip(by_run.values(), served, strict=True) if not done]
    return failures(failed)


class Told(Struct, frozen=True):
    """What a message says."""

    run_id: str


class _Message:
    """One hint, in hand."""

    def __init__(self, app: App, one: Received, queue: str, run_id: str) -> None:
        self.one = one
        self._app = app
        self._queue = queue
        self._run_id = run_id

    async def served(self, left: Left) -> bool:
        """Whether the message has done its duty: the run was advanced, or somebody will be told of it again."""
        try:
            return await self._advanced(left)
        except Exception as error:
            # One run's trouble must not stop the others; it is tried again, and nothing was lost.
            log.error("run %s cannot go on now: %s", self._run_id, error, extra={"run_id": self._run_id})
            await self._trouble(error)
            return False

    async def _advanced(self, left: Left) -> bool:
        seconds = left() - LETTING_GO_S
        if seconds < ENOUGH_S - LETTING_GO_S:
            return await self._later(0)
        until = self._app.clock.now() + int(1000 * max(seconds * RESTFUL, seconds - SETTLING_S))
        try:
            async with asyncio.timeout(seconds):
                outcome = await self._app.engine.advance(self._run_id, Reach(until_ts=until))
        except TimeoutError:
            log.warning(
                "run %s is cut off, since its call takes too long",
                self._run_id,
                extra={"run_id": self._run_id},
            )
            outcome = "ready"
            if stuck := await self._stuck():
                await self._app.engine.set_aside(self._run_id, stuck)
                return True
        if outcome == "ready":
            return await self._later(0)
        if outcome in ("busy", "lost"):
            return await self._held()
        return True

    async def _stuck(self) -> str:
        """Why the run would be cut off for ever; the empty string for one that may come further next time."""
        run, _ = await loading.load(self._app.store, self._run_id)
        begun = (s for s in run.steps.values() if s.kind == "tool" and s.state == "intended")
        often = next((s for s in begun if s.attempt >= POISON_TRIES), None)
        if often is None:
            return ""
        return (
            f"`{often.name}` was cut off {often.attempt} times, since it takes longer than this function may"
        )

    async def _held(self) -> bool:
        """Somebody else holds the run. Should they die, it is to be taken up when their lease has ended."""
        head = await self._app.store.head(self._run_id)
        if head is None or head.status == "ended":
            return True
        return await self._later(self._app.settings.lease_ttl_s)

    async def _later(self, delay_s: float) -> bool:
        """Tell of the run again. A message of its own is not counted among the failures of this one."""
        head = await self._app.store.head(self._run_id)
        if head is not None and not await self._app.driver.hint(
            [Hint(self._run_id, head.agent, delay_s, head.tenant_id)]
        ):
            return True
        await self._app.driver.postpone(self._queue, self.one.receipt, delay_s)
        return False

    async def _trouble(self, error: Exception) -> None:
        """Later, and later still; a run whose own content is the trouble is set aside for an operator after some tries."""
        await self._app.driver.postpone(self._queue, self.one.receipt, BACKOFF_S * 2.0**self.one.receives)
        if self.one.receives < POISON_TRIES or (isinstance(error, StoreError) and error.code != UNREADABLE):
            return
        reason = f"[{getattr(error, 'code', type(error).__name__)}] {error}"
        try:
            await self._app.engine.set_aside(self._run_id, self._app.kit.redactor("default").text(reason))
        except Exception as again:
            log.error("run %s cannot be set aside: %s", self._run_id, again, extra={"run_id": self._run_id})
