"""The HTTP door: `build_api` for any ASGI server, `serve` for API and worker in one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from remit import __version__
from remit.bootstrap import App
from remit.core.agent import AgentSpec
from remit.core.approval import Approval
from remit.core.semconv import HTTP_DURATION, HTTP_REQUESTS
from remit.core.task import Result, Task
from remit.core.view import EventView, RunView
from remit.engine.audit import VerifyReport
from remit.server import (
    activities,
    agents,
    approvals,
    callbacks,
    definitions,
    events,
    forks,
    health,
    notifiers,
    problems,
    rules,
    runs,
    schedules,
    schemas,
    scorecards,
    tables,
    validation_runs,
    validation_types,
    validations,
    workflows,
)

HOST = "127.0.0.1"
PORT = 8700

GRACE_S = 10.0
"""Seconds that open requests and the work in hand get to finish when the server stops."""

COMPONENTS: tuple[type[Any], ...] = (
    Task,
    Result,
    RunView,
    EventView,
    Approval,
    AgentSpec,
    VerifyReport,
    schemas.RunPage,
    schemas.ApprovalPage,
    schemas.AgentPage,
    schemas.EventPage,
    agents.Invoke,
    agents.Accepted,
    agents.TaskStatus,
    agents.DecideTask,
    agents.TaskDecided,
    runs.Submitted,
    runs.Reason,
    runs.Exported,
    approvals.Decide,
    approvals.Answer,
    *workflows.COMPONENTS,
    *forks.COMPONENTS,
    *callbacks.COMPONENTS,
    *activities.COMPONENTS,
    *definitions.COMPONENTS,
    *tables.COMPONENTS,
    *validation_types.COMPONENTS,
    *validations.COMPONENTS,
    *validation_runs.COMPONENTS,
    *schedules.COMPONENTS,
    *notifiers.COMPONENTS,
    *scorecards.COMPONENTS,
    *events.COMPONENTS,
    *rules.COMPONENTS,
    health.Health,
)
"""Types that OpenAPI names; a test compares them with what the operations refer to."""

log = logging.getLogger("remit.server")

Scope = MutableMapping[str, Any]


def build_api(app: App, *, closing: asyncio.Event | None = None) -> FastAPI:
    """The API of an open app. `closing`, once set, ends event streams so that the server can stop.

    The interactive pages of FastAPI are off: they load scripts from elsewhere into the origin that keys are sent to.
    """
    api = routes()
    api.state.remit = app
    api.state.closing = closing or asyncio.Event()
    api.add_middleware(Measured, app=app)
    return api


def routes() -> FastAPI:
    """The API without an app behind it: enough to write its OpenAPI document."""
    api = FastAPI(title="Remit", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    for noun in (
        agents,
        runs,
        forks,
        workflows,
        callbacks,
        activities,
        approvals,
        definitions,
        tables,
        validation_types,
        validations,
        validation_runs,
        scorecards,
        schedules,
        notifiers,
        events,
        rules,
        health,
    ):
        api.include_router(noun.router)
    problems.install(api)

    def openapi() -> dict[str, Any]:
        """The document, made once."""
        if api.openapi_schema is None:
            api.openapi_schema = schemas.document(api, COMPONENTS)
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
    return api


class Measured:
    """ASGI middleware: counts and times requests by route, and keeps answers out of caches."""

    def __init__(self, inner: Any, app: App) -> None:
        self._inner = inner
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, and note how it went."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        started = self._app.clock.monotonic()
        seen = {"status": 500}

        async def noting(message: MutableMapping[str, Any]) -> None:
            """Note the status and add the headers every answer has."""
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *_PRIVATE]
            await send(message)

        try:
            await self._inner(scope, receive, noting)
        finally:
            self._note(scope, seen["status"], self._app.clock.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        labels = {"method": method, "route": route}
        self._app.telemetry.count(HTTP_REQUESTS, 1, {**labels, "status": str(status)})
        self._app.telemetry.observe(HTTP_DURATION, seconds, labels)


_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_PRIVATE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Server(uvicorn.Server):
    """uvicorn that tells the rest of the process when a signal asks it to stop."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self._stop = stop
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT or SIGTERM came; a second one stops at once.

        uvicorn's own handler would raise the signal again after serving, which ends the process before the store is closed.
        """
        self.force_exit = self.should_exit
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._stop.set)


async def serve(
    app: App,
    host: str = HOST,
    port: int = PORT,
    *,
    stop: asyncio.Event | None = None,
    grace_s: float = GRACE_S,
) -> None:
    """Run API and worker until a signal comes or `stop` is set; then finish what is in hand, for `grace_s` at most.

    Work that is cut off by the stop is taken up by the next start: the journal is the run. If either half fails,
    both stop, and the failure is raised.
    """
    stopping = stop or asyncio.Event()
    config = uvicorn.Config(
        build_api(app, closing=stopping),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(grace_s)),
        server_header=False,
        date_header=True,
    )
    server = Server(config, stopping)
    async with asyncio.TaskGroup() as group:
        group.create_task(_work(app, stopping, grace_s))
        group.create_task(_answer(server, stopping))
        await stopping.wait()
        server.should_exit = True


async def _work(app: App, stopping: asyncio.Event, grace_s: float) -> None:
    working = asyncio.create_task(app.work(stopping))
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=grace_s)
    finally:
        stopping.set()
        stopped.cancel()
        if not working.done():
            log.warning("work in hand did not finish within %s s; the next start takes it up", grace_s)
            working.cancel()
    with suppress(asyncio.CancelledError):
        await working


async def _answer(server: Server, stopping: asyncio.Event) -> None:
    try:
        await server.serve()
    finally:
        stopping.set()
