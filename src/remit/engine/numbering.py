"""Names for the steps of a code agent: the same call gets the same name on every replay, branches included.

An agent that does one thing after another has the steps `s0`, `s1`, `s2` ... A task that it starts (by `gather`, a
task group, `create_task`) is named by its first call, which takes the next number of whoever started it, `s3`; its
later calls follow under that name, `s3.1`, `s3.2` ..., however the branches interleave.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any


class Numbering:
    """The step names of one call of an agent. Made in the task that runs the agent."""

    def __init__(self) -> None:
        self._main = _Sequence(self, asyncio.current_task(), "s", 0)

    def next(self) -> str:
        """The name of the call that the current task makes now."""
        task, sequence = asyncio.current_task(), _SEQUENCE.get()
        if sequence is None or sequence.numbering is not self:
            sequence = self._main
        step = sequence.take()
        if sequence.task is not task:
            # What this task starts from now on inherits the sequence with the task's context.
            _SEQUENCE.set(_Sequence(self, task, f"{step}.", 1))
        return step


class _Sequence:
    """The calls of one task."""

    def __init__(self, numbering: Numbering, task: asyncio.Task[Any] | None, prefix: str, first: int) -> None:
        self.numbering = numbering
        self.task = task
        self._prefix = prefix
        self._next = first

    def take(self) -> str:
        step = f"{self._prefix}{self._next}"
        self._next += 1
        return step


_SEQUENCE: ContextVar[_Sequence | None] = ContextVar("remit_sequence", default=None)
