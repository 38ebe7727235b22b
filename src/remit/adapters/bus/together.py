"""Sending together what is sent at the same time: a request of AWS takes ten events, and costs the same for one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from remit.core.errors import StoreError, ToolError

T = TypeVar("T")

MOST_TOGETHER = 10
REQUESTS = 4
"""Requests under way at once, at most."""

SendMany = Callable[[Sequence[T]], Awaitable[Sequence[Exception | None]]]
"""Sends some in one request; for each, why it was not taken."""


class _Call(NamedTuple, Generic[T]):
    entry: T
    size: int
    done: asyncio.Future[None]


class Together(Generic[T]):
    """Shares requests among calls. `most_bytes` bounds what goes into one."""

    def __init__(self, send_many: SendMany[T], *, most_bytes: int) -> None:
        self._send_many = send_many
        self._most_bytes = most_bytes
        self._waiting: list[_Call[T]] = []
        self._workers: set[asyncio.Task[None]] = set()

    async def send(self, entry: T, size: int) -> None:
        """Send one, of `size` bytes. Raises what `send_many` said of it, or raised; ToolError for what may go next time."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(entry, size, done))
        if len(self._workers) < REQUESTS:
            worker = asyncio.ensure_future(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        await done

    async def _work(self) -> None:
        while calls := self._some():
            try:
                answers = await self._send_many([call.entry for call in calls])
            except StoreError as error:
                # The bus would take it for a failure of its own store, which is no attempt.
                unsent = ToolError(error.message, code=error.code, help=error.help, retryable=True)
                answers = [unsent] * len(calls)
            except Exception as error:
                answers = [error] * len(calls)
            for call, problem in zip(calls, answers, strict=True):
                if call.done.done():  # its handler was too slow, or its process is stopping
                    continue
                if problem is None:
                    call.done.set_result(None)
                else:
                    call.done.set_exception(problem)

    def _some(self) -> list[_Call[T]]:
        found: list[_Call[T]] = []
        size = 0
        while self._waiting and len(found) < MOST_TOGETHER:
            size += self._waiting[0].size
            if found and size > self._most_bytes:
                break
            found.append(self._waiting.pop(0))
        return found
