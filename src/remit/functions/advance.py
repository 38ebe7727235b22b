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
from remit.core.errors import InputError
from remit.engine import loading
from remit.engine.driving import now_of
from remit.engine.worker import BACKOFF_S, POISON_TRIES, of_environment
from remit.engine.workflows.stepfunctions.reach import Reach
from remit.functions.container import shared
from remit.functions.invocation import Event, Left, failures, received, resting_ts, time_left
from remit.ports.queue import Received

log = logging.getLogger("remit.functions")

ENOUGH_S = 5.0
"""A run is not begun with less time left."""

ENVIRONMENT_S = 15.0
"""The first pause where AWS refuses something or fails; each further one is twice as long."""

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
            return await self._again()
        until = resting_ts(self._app.clock.now(), seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._app.engine.advance(self._run_id, Reach(until_ts=until))
        except TimeoutError:
            log.warning(
                "run %s is cut off, since its call takes too long",
                self._run_id,
                extra={"run_id": self._run_id},
            )
            if stuck := await self._stuck():
                await self._app.engine.set_aside(self._run_id, stuck)
        # A run that can go on at once, or that another holds, is told of by the stream of heads when it is given back; one
        # whose holder has died is found by the next tick. Telling of it here too would make two messages out of one.
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

    async def _again(self) -> bool:
        """Tell of a run that was not begun again. A message of its own is not counted among the failures of this one."""
        head = await self._app.store.head(self._run_id)
        if head is not None and not await self._app.driver.hint([now_of(head)]):
            return True
        await self._app.driver.postpone(self._queue, self.one.receipt, 0)
        return False

    async def _trouble(self, error: Exception) -> None:
        """Later, and later still; a run whose own content is the trouble is set aside for an operator after some tries."""
        around = of_environment(error)
        pause_s = (ENVIRONMENT_S if around else BACKOFF_S) * 2.0**self.one.receives
        await self._app.driver.postpone(self._queue, self.one.receipt, pause_s)
        if around or self.one.receives < POISON_TRIES:
            return
        reason = f"[{getattr(error, 'code', type(error).__name__)}] {error}"
        try:
            await self._app.engine.set_aside(self._run_id, self._app.kit.redactor("default").text(reason))
        except Exception as again:
            log.error("run %s cannot be set aside: %s", self._run_id, again, extra={"run_id": self._run_id})
