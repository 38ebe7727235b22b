"""What lives as long as a Lambda execution environment: one event loop, and one App that is opened on first use."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from remit.adapters.telemetry import logs
from remit.adapters.telemetry.many import flush
from remit.bootstrap import App, open_app
from remit.settings import in_lambda

T = TypeVar("T")

log = logging.getLogger("remit.functions")

Work = Callable[[App], Coroutine[Any, Any, None]]


async def _nothing(app: App) -> None:
    """Needs an open App."""


class Container:
    """Runs one piece of work after another on the same loop with the same App.

    The loop stands still between two pieces of work, as the whole process does in Lambda. An App that could not be opened
    is not kept: the next piece of work tries again.
    """

    def __init__(self, opening: Callable[[], App] = open_app) -> None:
        self._opening = opening
        self._runner = asyncio.Runner()
        self._app: App | None = None

    def run(self, work: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        """Do the work and return what it gives. Raises what it raises, and ConfigError, StoreError while opening the App."""
        try:
            return self._runner.run(self._with_app(work))
        finally:
            if self._app is not None:
                flush(self._app.telemetry)

    def prepare(self, work: Work = _nothing) -> None:
        """Open the App now, and do the work. Never raises: what keeps it from that is told by the first piece of work."""
        try:
            self.run(work)
        except Exception as error:
            log.error("the app cannot be opened yet: %s", error)

    def close(self) -> None:
        """Let go of the App and the loop."""
        app, self._app = self._app, None
        if app is not None:
            self._runner.run(app.__aexit__(None, None, None))
        self._runner.close()

    async def _with_app(self, work: Callable[[App], Coroutine[Any, Any, T]]) -> T:
        if self._app is None:
            self._app = await self._opened()
        return await work(self._app)

    async def _opened(self) -> App:
        app = self._opening()
        settings = app.settings
        logs.configure(settings.log_level, as_json=settings.log_json, known=app.known_secrets)
        try:
            return await app.__aenter__()
        except BaseException:
            with suppress(Exception):  # it is the first failure that matters
                await app.__aexit__(None, None, None)
            raise


@functools.cache
def shared() -> Container:
    """The container of this process."""
    return Container()


if in_lambda():  # while Lambda makes the environment ready, a function has more processor than later
    shared().prepare()
