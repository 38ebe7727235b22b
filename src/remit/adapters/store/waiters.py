"""Who in this process waits for a run to go on, on whatever event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator


class Waiters:
    """Futures by run. `wake` may be called from any thread; a waiter registers before it looks, so none is missed."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    @contextlib.contextmanager
    def of(self, run_id: str) -> Iterator[asyncio.Future[None]]:
        """A future that is done when the run has gone on."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(run_id, set()).add(future)
        try:
            yield future
        finally:
            self._drop(run_id, future)

    def _drop(self, run_id: str, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(run_id)
        if waiting is not None:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(run_id, None)

    def runs(self) -> list[str]:
        """The runs that somebody waits for."""
        return list(self._waiting)

    def wake(self, run_ids: Iterable[str]) -> None:
        """Tell those who wait for these runs."""
        if not self._waiting:
            return
        for run_id in run_ids:
            for future in list(self._waiting.get(run_id, ())):
                # A loop that was closed meanwhile has nobody left to tell.
                with contextlib.suppress(RuntimeError):
                    future.get_loop().call_soon_threadsafe(_settle, future)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
