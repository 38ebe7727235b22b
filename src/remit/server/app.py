"""The HTTP door: `build_api` for any ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Route

from remit import __version__
from remit.bootstrap import App
from remit.core.agent import AgentSpec
from remit.core.approval import Approval
from remit.core.semconv import HTTP_DURATION, HTTP_REQUESTS
from remit.core.task import Result, Task
from remit.core.view import EventView, RunView
from remit.engine.audit import VerifyReport
from remit.server import (
    about,
    activities,
    agents,
    approvals,
    artifacts,
    budgets,
    callbacks,
    chat,
    compare,
    conversations,
    costs,
    definitions,
    doctor,
    documents,
    events,
    forks,
    golden,
    health,
    keys,
    live,
    mcp,
    memories,
    notifiers,
    policies,
    problems,
    rules,
    runs,
    runs_many,
    schedules,
    schemas,
    scorecards,
    sessions,
    steps,
    tables,
    validation_runs,
    validation_types,
    validations,
    views,
    workflow_import,
    workflows,
)
from remit.server.cors import CONSOLE, Cors, Grant
from remit.server.hosts import Hosts

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
    *approvals.COMPONENTS,
    *policies.COMPONENTS,
    *costs.COMPONENTS,
    *budgets.COMPONENTS,
    *workflows.COMPONENTS,
    *workflow_import.COMPONENTS,
    *forks.COMPONENTS,
    *steps.COMPONENTS,
    *compare.COMPONENTS,
    *golden.COMPONENTS,
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
    *conversations.COMPONENTS,
    *artifacts.COMPONENTS,
    *documents.COMPONENTS,
    *memories.COMPONENTS,
    *runs_many.COMPONENTS,
    *live.COMPONENTS,
    *views.COMPONENTS,
    *sessions.COMPONENTS,
    *keys.COMPONENTS,
    *doctor.COMPONENTS,
    *about.COMPONENTS,
    health.Health,
)
"""Types that OpenAPI names; a test compares them with what the operations refer to."""

Scope = MutableMapping[str, Any]


def build_api(
    app: App,
    *,
    closing: asyncio.Event | None = None,
    hosts: Collection[str] | None = None,
    with_console: bool = True,
) -> FastAPI:
    """The API of an open app, and the console unless it is served elsewhere. `closing`, once set, ends event streams so that
    the server can stop.

    `hosts` are the ones that requests may name, any where it is None.

    The interactive pages of FastAPI are off: they load scripts from elsewhere into the origin that keys are sent to.
    """
    api = routes()
    api.state.remit = app
    api.state.closing = closing or asyncio.Event()
    door = Route(mcp.PATH, mcp.McpDoor(app, api.state.closing), include_in_schema=False)
    api.router.routes.append(door)
    api.state.sign_ins = sessions.SignIns(app.clock)
    if with_console:
        from remit.server.console import Console

        api.router.default = Console(app.settings, api.router.not_found)
    settings = app.settings
    api.add_middleware(
        Cors,
        grants=(
            Grant(("/chat",), settings.chat_origins),
            Grant(("/api/v1", "/chat", "/health"), settings.console_origins, CONSOLE),
        ),
    )
    if hosts is not None:
        api.add_middleware(Hosts, allowed=hosts)
    api.add_middleware(Measured, app=app)
    return api


def routes() -> FastAPI:
    """The API without an app behind it: enough to write its OpenAPI document."""
    api = FastAPI(
        title="Remit",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=_nouns(),
    )
    problems.install(api)

    def openapi() -> dict[str, Any]:
        """The document, made once."""
        if api.openapi_schema is None:
            api.openapi_schema = schemas.document(api, COMPONENTS)
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]
    return api


@cache
def _nouns() -> list[BaseRoute]:
    """The routes of every noun, once for a process: what each takes and gives is worked out at the first request that is matched."""
    nouns = APIRouter()
    for noun in (
        agents,
        runs_many,
        runs,
        artifacts,
        forks,
        steps,
        compare,
        golden,
        workflow_import,
        workflows,
        callbacks,
        activities,
        approvals,
        policies,
        costs,
        budgets,
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
        conversations,
        memories,
        live,
        views,
        sessions,
        keys,
        doctor,
        about,
        health,
    ):
        nouns.include_router(noun.router)
    nouns.include_router(documents.router)
    nouns.include_router(documents.passages)
    nouns.include_router(validations.proposed)
    return nouns.routes


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
                message["headers"] = list(_with_defaults(message.get("headers", ())))
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
_DEFAULTS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


def _with_defaults(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """The headers of an answer, with those that it has whatever it is unless it says so itself."""
    said = set()
    for name, value in headers:
        said.add(name.lower())
        yield name, value
    yield from ((name, value) for name, value in _DEFAULTS if name not in said)
