"""The HTTP door: `build_api` for any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route

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
    artifacts,
    callbacks,
    chat,
    definitions,
    documents,
    events,
    forks,
    health,
    mcp,
    memories,
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
    *chat.COMPONENTS,
    *artifacts.COMPONENTS,
    *documents.COMPONENTS,
    *memories.COMPONENTS,
    health.Health,
)
"""Types that OpenAPI names; a test compares them with what the operations refer to."""

Scope = MutableMapping[str, Any]


def build_api(app: App, *, closing: asyncio.Event | None = None) -> FastAPI:
    """The API of an open app. `closing`, once set, ends event streams so that the server can stop.

    The interactive pages of FastAPI are off: they load scripts from elsewhere into the origin that keys are sent to.
    """
    api = routes()
    api.state.remit = app
    api.state.closing = closing or asyncio.Event()
    door = Route(mcp.PATH, mcp.McpDoor(app, api.state.closing), include_in_schema=False)
    api.router.routes.append(door)
    api.add_middleware(chat.Cors, allowed=app.settings.chat_origins)
    api.add_middleware(Measured, app=app)
    return api


def routes() -> FastAPI:
    """The API without an app behind it: enough to write its OpenAPI document."""
    api = FastAPI(title="Remit", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    for noun in (
        agents,
        runs,
        artifacts,
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
        chat,
        memories,
        health,
    ):
        api.include_router(noun.router)
    api.include_router(documents.router)
    api.include_router(documents.passages)
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
