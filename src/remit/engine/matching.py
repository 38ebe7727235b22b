"""Names for the calls of an agent whose branches keep no order: what is asked, and how often it was asked before.

Code of another framework runs its branches in threads and pools of its own, so that the order of calls says little. A
call that is made again after a crash or a wait is known by what it asks, and gets the answer that was recorded.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from remit.core.codec import digest_of
from remit.core.errors import InputError
from remit.core.run import Run

GRACE_S = 60.0
"""How long a new call waits for the recorded ones to be made again, seconds: an agent's own work lies between them."""


class Matching:
    """The step names of one call of an agent. A new call is let through once every recorded one has been made again.

    That is how an agent which asks for something else than it did is noticed before it does anything twice. Nothing that
    was recorded can depend on a call that was not, so an agent that makes the same calls never waits in vain.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._missing = dict.fromkeys(run.steps)
        self._named: Counter[str] = Counter()
        self._made_again = asyncio.Event()

    async def tool(self, name: str, arguments: Any) -> str:
        """The step of a call of a tool. Raises InputError E408."""
        base = _base(name, arguments)
        self._named[base] += 1
        return await self._admitted(f"{base}-{self._named[base]}")

    async def model(self, messages: Any, whole: str) -> str:
        """The step of a question to a model; `whole` is the digest of all of it. Raises InputError E408.

        What only differs in its instructions is the same question: they often name the day.
        """
        base = _base("model", messages)
        open_ = [step for step in self._missing if step.rpartition("-")[0] == base]
        same = [step for step in open_ if self._run.steps[step].arguments_digest == whole]
        if not same and len(open_) > 1:
            raise diverged(open_[0], "a model call with other instructions")
        self._named[base] += 1
        if same or open_:
            return await self._admitted((same or open_)[0])
        return await self._admitted(f"{base}-{self._named[base]}")

    async def _admitted(self, step: str) -> str:
        if step in self._missing:
            del self._missing[step]
            self._made_again.set()
            return step
        try:
            async with asyncio.timeout(GRACE_S):
                while self._missing:
                    self._made_again.clear()
                    await self._made_again.wait()
        except TimeoutError as error:
            raise diverged(next(iter(self._missing)), f"missing, while `{step}` is asked") from error
        return step


def diverged(step: str, now: str) -> InputError:
    """The error of an agent that does not ask again what it asked."""
    return InputError(
        f"step `{step}` was recorded and is {now}",
        code="E408",
        help="make the agent ask the same for the same input and answers: keep times, random numbers and new ids out "
        "of what it sends to tools and models, or give them with the task",
    )


def _base(name: str, content: Any) -> str:
    return f"{name}-{digest_of(content).rpartition(':')[2][:12]}"
