"""What this Remit offers as a server of the Model Context Protocol: agents and chosen tools, each call a run.

A run outlives the call that started it. One that waits for a person says so: a client of 2026-07-28 is told `input_required`
with the run as its state, and asks again until it is decided; an older one is told how to ask. Nobody decides here: a caller is
the requester, who never approves their own request. What a caller may answer is an approver's question.
https://modelcontextprotocol.io/specification/2026-07-28
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from remit import __version__
from remit.bootstrap import App
from remit.core.codec import digest_of
from remit.core.errors import ConfigError, InputError, NotFoundError, RemitError, StoreError
from remit.core.task import Artifact, Result, Task
from remit.core.tool import ToolSpec
from remit.core.view import RunView
from remit.engine import resolving
from remit.engine.keys import Identity
from remit.ports.mcp import KEY
from remit.server import mcp_shapes as shapes
from remit.server.agents import standing
from remit.server.scopes import READ, RUN, check_scope

LOOK_S = 0.2
"""Seconds between two looks at a run."""

WAITS = "remit.dev/waiting_on"
"""Where, in the `_meta` of `input_required`, it says which approvals a run waits for."""

MOST_INLINE = 1_000_000
"""Bytes of artifacts that a result carries itself."""

_ADDRESS = "remit://runs/{run_id}/artifacts/{digest}"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_ARTIFACT = re.compile(r"remit://runs/([^/]+)/artifacts/(sha256:[0-9a-f]{64})\Z")

_PAGE = 50
_NO_STATE = "`requestState` is of no run of this caller"

Who = Callable[[ServerRequestContext[Any, Any]], Identity]


def server(app: App, who: Who) -> Server[Any]:
    """The server. `who` says whose request it is. Raises ConfigError E957 for a setting that names no tool."""
    offers = Offers(app, who)
    return Server(
        "remit",
        version=__version__,
        instructions=f"Tools are agents that work durably. A run that waits for a person goes on by itself: ask `{shapes.ASK_AGAIN}`.",
        on_list_tools=offers.list_tools,
        on_call_tool=offers.call_tool,
        on_list_resources=offers.list_resources,
        on_list_resource_templates=offers.list_templates,
        on_read_resource=offers.read_resource,
    )


class Offers:
    """The handlers of the server."""

    def __init__(self, app: App, who: Who) -> None:
        self._app = app
        self._who = who
        self._hold_s = app.settings.mcp_serve.hold_s
        self._agents = app.settings.mcp_serve.agents
        self._tools = {name: _chosen(app, name) for name in app.settings.mcp_serve.tools}

    # listing

    async def list_tools(
        self, ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """The agents by name, a page at a time, then the chosen tools."""
        tenant_id = self._identity(ctx, READ).tenant_id
        after = (params.cursor or "") if params is not None else ""
        found, cursor = await resolving.agents(
            self._app.registry, self._app.catalogue, tenant_id, after=after, limit=_PAGE
        )
        shown = [shapes.agent(s.name, s.description) for s in found if self._offers(s.name)]
        if cursor is None:
            shown += [shapes.tool(spec) for spec in self._tools.values()]
            shown.append(shapes.ask_again())
        return types.ListToolsResult(tools=shown, next_cursor=cursor)

    def _offers(self, agent: str) -> bool:
        return ("*" in self._agents or agent in self._agents) and _NAME.match(agent) is not None

    # calling

    async def call_tool(
        self, ctx: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Start a run, or go on with the one that the client gives back, and wait for what comes of it."""
        try:
            if params.name == shapes.ASK_AGAIN:
                return await self._asked_again(ctx, params.arguments or {})
            identity = self._identity(ctx, RUN)
            if params.request_state is not None:
                run_id = await self._resumed(identity, params)
            else:
                run_id = await self._started(identity, params)
            return await self._outcome(ctx, identity, run_id)
        except StoreError:
            raise MCPError(types.INTERNAL_ERROR, "the store cannot be reached; send it again") from None
        except RemitError as error:
            return shapes.failed(error)

    async def _started(self, identity: Identity, params: types.CallToolRequestParams) -> str:
        given = params.arguments or {}
        task_id = self._task_id(identity, params)
        if params.name in self._tools:
            task = self._task(identity, task_id, "", f"call {params.name}", given)
            return await self._app.runs.submit(task, _one_call(params.name))
        if not self._offers(params.name):
            raise MCPError(types.INVALID_PARAMS, f"there is no tool `{params.name[:100]}`")
        objective = given.get("task")
        if not isinstance(objective, str) or set(given) - {"task", "input"}:
            raise InputError(
                "an agent takes `task`, a text, and `input`", code="E102", help='send `{"task": "..."}`'
            )
        task = self._task(identity, task_id, params.name, objective, given.get("input"))
        try:
            return await self._app.runs.submit(task)
        except NotFoundError as error:
            raise MCPError(types.INVALID_PARAMS, error.message) from None

    def _task(self, identity: Identity, task_id: str, agent: str, objective: str, given: Any) -> Task:
        return Task(
            task_id=task_id,
            agent=agent,
            objective=objective,
            input=given,
            tenant_id=identity.tenant_id,
            actor_context=identity.actor,
        )

    def _task_id(self, identity: Identity, params: types.CallToolRequestParams) -> str:
        """The same for the same key of the same caller. The id of a request is none: each connection counts from one."""
        key = (params.meta or {}).get(KEY)
        if not isinstance(key, str) or not key:
            return self._app.clock.new_id("mcp")
        return "mcp_" + digest_of([key, identity.actor.actor_id, params.name]).removeprefix("sha256:")[:32]

    async def _resumed(self, identity: Identity, params: types.CallToolRequestParams) -> str:
        """The run that a client gives back as its state, with what its user answered. Only the caller who started it goes on."""
        try:
            view = await self._mine(identity, params.request_state or "")
        except RemitError:
            raise MCPError(types.INVALID_PARAMS, _NO_STATE) from None
        if view.task.actor_context.actor_id != identity.actor.actor_id:
            raise MCPError(types.INVALID_PARAMS, _NO_STATE)
        _, asked = await standing(self._app, view)
        waiting = {approval.approval_id for approval in asked}
        for approval_id, response in (params.input_responses or {}).items():
            text = shapes.answer(response)
            if text and approval_id in waiting:  # of this run and its children, not of somebody else's
                await self._app.approvals.answer(approval_id, identity.tenant_id, identity.actor, text)
        return view.run_id

    async def _mine(self, identity: Identity, run_id: str) -> RunView:
        return await self._app.runs.view(run_id, identity.tenant_id)

    async def _asked_again(
        self, ctx: ServerRequestContext[Any, Any], given: Mapping[str, Any]
    ) -> types.CallToolResult:
        identity = self._identity(ctx, READ)
        view = await self._mine(identity, str(given.get("run_id", "")))
        result = await self._app.runs.result(view.run_id, identity.tenant_id)
        return await self._with_artifacts(shapes.shown(view.run_id, result), result)

    # waiting

    async def _outcome(
        self, ctx: ServerRequestContext[Any, Any], identity: Identity, run_id: str
    ) -> types.CallToolResult | types.InputRequiredResult:
        """What comes of a run, with its events as progress on the way."""
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        clock, seen = self._app.clock, -1
        until: float | None = None
        while True:
            seen = await self._report(ctx, identity, run_id, seen)
            result = await self._app.runs.result(run_id, identity.tenant_id)
            if result is not None and (result.status in ("success", "failure") or not modern):
                return await self._with_artifacts(shapes.shown(run_id, result), result)
            now = clock.monotonic()
            if result is None:
                until = None
            elif (until := until or now + self._hold_s) <= now or (
                result.status == "needs_info" and _can_ask(ctx)
            ):
                return await self._input_required(ctx, identity, result)
            await clock.sleep(LOOK_S)

    async def _report(
        self, ctx: ServerRequestContext[Any, Any], identity: Identity, run_id: str, seen: int
    ) -> int:
        if "progress_token" not in (ctx.meta or {}) and "progressToken" not in (ctx.meta or {}):
            return seen
        for event in await self._app.runs.events(run_id, identity.tenant_id, after=seen):
            seen = event.seq
            await ctx.session.report_progress(float(seen + 1), None, event.type)
        return seen

    async def _input_required(
        self, ctx: ServerRequestContext[Any, Any], identity: Identity, result: Result
    ) -> types.InputRequiredResult:
        """Ask again, with what approvers asked if the client can put it to its user."""
        asked: dict[str, Any] = {}
        if _can_ask(ctx):
            _, found = await standing(self._app, await self._mine(identity, result.run_id))
            asked = {a.approval_id: shapes.question(a) for a in found if a.status == "info_requested"}
        return types.InputRequiredResult(
            input_requests=asked or None,
            request_state=result.run_id,
            _meta={WAITS: list(result.waiting_on)},
        )

    # artifacts

    async def _with_artifacts(
        self, shown: types.CallToolResult, result: Result | None
    ) -> types.CallToolResult:
        """A result with what its run made: small things themselves, others as links."""
        if result is None:
            return shown
        left = MOST_INLINE
        for artifact in result.artifacts:
            uri = f"remit://runs/{result.run_id}/artifacts/{artifact.digest}"
            if artifact.size <= left:
                left -= artifact.size
                shown.content.append(shapes.block(uri, artifact, await self._app.blobs.get(artifact.digest)))
            else:
                link = types.ResourceLink(
                    name=artifact.name, uri=uri, mime_type=artifact.media_type, size=artifact.size
                )
                shown.content.append(link)
        return shown

    async def list_resources(
        self, ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """None: results name their artifacts."""
        self._identity(ctx, READ)
        return types.ListResourcesResult(resources=[])

    async def list_templates(
        self, ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """The address of an artifact."""
        self._identity(ctx, READ)
        template = types.ResourceTemplate(
            name="artifact", uri_template=_ADDRESS, description="What a run made, by its digest."
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(
        self, ctx: ServerRequestContext[Any, Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """An artifact of a run of the caller's tenant."""
        identity = self._identity(ctx, READ)
        uri = str(params.uri)
        artifact = await self._artifact(identity, uri)
        if artifact is None:
            raise MCPError(types.INVALID_PARAMS, "there is no such resource", {"uri": uri[:300]})
        data = await self._app.blobs.get(artifact.digest)
        return types.ReadResourceResult(contents=[shapes.contents(uri, artifact, data)])

    async def _artifact(self, identity: Identity, uri: str) -> Artifact | None:
        named = _ARTIFACT.match(uri)
        if named is None:
            return None
        try:
            result = await self._app.runs.result(named[1], identity.tenant_id)
        except NotFoundError:
            return None
        return next((a for a in (result.artifacts if result else ()) if a.digest == named[2]), None)

    def _identity(self, ctx: ServerRequestContext[Any, Any], scope: str) -> Identity:
        identity = self._who(ctx)
        try:
            check_scope(identity.actor, scope)
        except RemitError as error:
            raise MCPError(types.INVALID_REQUEST, error.message, {"code": error.code}) from None
        return identity


def _chosen(app: App, name: str) -> ToolSpec:
    tool = app.catalogue.tools.get(name)
    if tool is None or not _NAME.match(name) or name in app.catalogue.agents:
        raise ConfigError(
            f"`mcp_serve.tools` names `{name}`, which is no tool that can be offered",
            code="E957",
            help="name tools of a pack; none may be called as an agent is",
        )
    return tool.spec


def _one_call(tool: str) -> dict[str, Any]:
    """The workflow that calls one tool with its input."""
    call = {"Type": "Task", "Resource": f"remit:tool:{tool}", "End": True}
    return {"StartAt": "Call", "States": {"Call": call}}


def _can_ask(ctx: ServerRequestContext[Any, Any]) -> bool:
    able = ctx.session.client_capabilities
    return able is not None and able.elicitation is not None
