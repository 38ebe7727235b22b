"""The door of Amazon Bedrock AgentCore Runtime: one agent behind `POST /invocations` and `GET /ping` on port 8080.

AgentCore has checked who calls before a request gets here, and says which session it belongs to: the conversation is kept
under it. The tenant is that of the deployment, never of a body.
https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-http-protocol-contract.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from msgspec import Struct

from remit.bootstrap import App
from remit.core.codec import digest_of, encode
from remit.core.errors import DeniedError, InputError, NotFoundError, RemitError
from remit.core.task import Actor, Problem, Result, Task
from remit.ports.model import Delta
from remit.server import problems
from remit.server.details import details, internal
from remit.server.listening import listen
from remit.server.schemas import read_json, reply
from remit.server.serving import Server, answer
from remit.server.sse import HEARTBEAT_S, MEDIA_TYPE

HOST = "0.0.0.0"
PORT = 8080

SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"
REQUEST = "x-amzn-bedrock-agentcore-runtime-request-id"
USER = "x-amzn-bedrock-agentcore-runtime-user-id"

VIA = "agentcore"
PATIENCE_S = 0.2
"""Seconds between two looks at a run that waits for a time, or that another process holds."""

Ended = ("success", "failure")


class Ping(Struct, frozen=True):
    """How the process does. `HealthyBusy` keeps a session alive; the time (Unix seconds) moves only when the status does."""

    status: str
    time_of_last_update: int


class Invoked(Struct, frozen=True):
    """What came of an invocation. `response` is the result; a run that waits for a person says whom in `waiting_on`."""

    response: Any
    status: str
    run_id: str
    task_id: str
    session_id: str
    waiting_on: tuple[str, ...] = ()
    problem: Problem | None = None


class Door:
    """Invocations of one agent. A run goes on when its caller has gone; the process says that it is busy until then."""

    def __init__(self, app: App, agent: str, tenant_id: str) -> None:
        self._app = app
        self._agent = agent
        self._tenant = tenant_id
        self._driven: set[asyncio.Task[Result]] = set()
        self._since = app.clock.now() // 1000

    async def ping(self) -> Response:
        """Whether runs are in hand."""
        return reply(Ping("HealthyBusy" if self._driven else "Healthy", self._since))

    async def invoke(self, request: Request) -> Response:
        """Run the agent on a body: `{"prompt": "...", "input": ...}`, or any other JSON as its input.

        `{"run_id": "..."}` goes on with a run of this session that has waited for a person. With
        `Accept: text/event-stream` the answer comes piece by piece.
        """
        session_id = request.headers.get(SESSION, "")
        run_id = await self._run_of(request, await read_json(request), session_id)
        deltas = self._app.runs.deltas(run_id)
        if MEDIA_TYPE in request.headers.get("accept", ""):
            body = _streamed(deltas, self._drive(run_id), session_id)
            return StreamingResponse(body, media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        return reply(_invoked(await asyncio.shield(self._drive(run_id)), session_id))

    async def _run_of(self, request: Request, body: Any, session_id: str) -> str:
        actor = Actor(request.headers.get(USER, "") or VIA, (), VIA)
        if isinstance(body, dict) and set(body) == {"run_id"}:
            return await self._known(str(body["run_id"]), session_id, actor)
        objective, given = _read(body)
        request_id = request.headers.get(REQUEST, "")
        task = Task(
            task_id=_task_id(request_id, session_id, actor) if request_id else self._app.clock.new_id("task"),
            agent=self._agent,
            objective=objective,
            input=given,
            tenant_id=self._tenant,
            actor_context=actor,
            session_id=session_id,
        )
        return await self._app.runs.submit(task)

    async def _known(self, run_id: str, session_id: str, actor: Actor) -> str:
        task = (await self._app.runs.summaries.show(run_id, self._tenant)).task
        if not session_id or (task.session_id, task.actor_context) != (session_id, actor):
            raise NotFoundError(f"there is no run `{run_id[:100]}` in this session")
        return run_id

    def _drive(self, run_id: str) -> asyncio.Task[Result]:
        task = asyncio.create_task(self._driving(run_id))
        self._note(lambda: self._driven.add(task))
        task.add_done_callback(lambda done: self._note(lambda: self._driven.discard(done)))
        return task

    def _note(self, change: Any) -> None:
        before = bool(self._driven)
        change()
        if bool(self._driven) != before:
            self._since = self._app.clock.now() // 1000

    async def _driving(self, run_id: str) -> Result:
        """Advance the run until it has ended or waits for a person."""
        while True:
            await self._app.worker.run_until_idle(run_id)
            result = await self._app.runs.result(run_id, self._tenant)
            if result is not None:
                return result
            await self._app.clock.sleep(PATIENCE_S)


def build_door(app: App, agent: str, tenant_id: str) -> FastAPI:
    """The door of an agent of an open app. Raises NotFoundError for an agent that the code does not define."""
    if agent not in app.catalogue.agents:
        known = ", ".join(f"`{name}`" for name in sorted(app.catalogue.agents)) or "none"
        raise NotFoundError(f"there is no agent `{agent[:100]}`", help=f"known agents and workflows: {known}")
    door = Door(app, agent, tenant_id)
    api = FastAPI(title="Remit", docs_url=None, redoc_url=None, openapi_url=None)
    api.add_api_route("/ping", door.ping, methods=["GET"], response_class=Response)
    api.add_api_route("/invocations", door.invoke, methods=["POST"], response_class=Response)
    api.add_middleware(NoPages)
    problems.install(api)
    return api


class NoPages:
    """ASGI middleware: refuses what a web page sends, which browsers mark by `Origin`. The door itself asks nobody who they are."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Pass the request on, unless it comes from a page."""
        if scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            error = DeniedError(
                "no web page may call an agent here", code="E313", help="call it from a server"
            )
            await problems.respond(details(error))(scope, receive, send)
            return
        await self._inner(scope, receive, send)


async def serve(
    app: App,
    agent: str,
    *,
    tenant_id: str,
    host: str = HOST,
    port: int = PORT,
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve the door until a signal comes or `stop` is set. What is in hand goes on at the next start.

    `ready` is called once, when the door answers. Raises as `build_door` and `listen` do, before anything is begun.
    """
    door = build_door(app, agent, tenant_id)
    sockets = listen(host, port)
    stopping = stop or asyncio.Event()
    config = uvicorn.Config(
        door,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=10,
        server_header=False,
    )
    server = Server(config, stopping, ready)
    async with asyncio.TaskGroup() as group:
        group.create_task(answer(server, sockets, stopping))
        await stopping.wait()
        server.should_exit = True


def _task_id(request_id: str, session_id: str, actor: Actor) -> str:
    """The same for the same request of the same user in the same session, and for no other."""
    return "agentcore_" + digest_of([request_id, session_id, actor.actor_id]).removeprefix("sha256:")[:32]


def _read(body: Any) -> tuple[str, Any]:
    if not isinstance(body, dict) or "prompt" not in body:
        return "", body
    prompt = body["prompt"]
    if not isinstance(prompt, str):
        raise InputError("`prompt` is no text", code="E102", help='send `{"prompt": "..."}`')
    return prompt, body.get("input")


def _invoked(result: Result, session_id: str) -> Invoked:
    return Invoked(
        result.result_payload,
        result.status,
        result.run_id,
        result.task_id,
        session_id,
        result.waiting_on,
        result.problem,
    )


async def _streamed(
    deltas: AsyncIterator[Delta], driven: asyncio.Task[Result], session_id: str
) -> AsyncIterator[bytes]:
    """Each piece as `{"type": "delta", ...}`, and at the end `{"type": "result", ...}` or `{"type": "error", ...}`."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(1000)
    pump = asyncio.create_task(_pumped(deltas, pieces))
    try:
        while not driven.done():
            nearest = asyncio.create_task(pieces.get())
            await asyncio.wait({nearest, driven}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if nearest.done():
                yield nearest.result()
                continue
            nearest.cancel()
            if not driven.done():
                yield b": still here\n\n"
        while not pieces.empty():
            yield pieces.get_nowait()
        yield _last(driven, session_id)
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


async def _pumped(deltas: AsyncIterator[Delta], pieces: asyncio.Queue[bytes]) -> None:
    async for delta in deltas:
        await pieces.put(_data("delta", delta))


def _last(driven: asyncio.Task[Result], session_id: str) -> bytes:
    error = driven.exception()
    if error is None:
        return _data("result", _invoked(driven.result(), session_id))
    return _data("error", details(error) if isinstance(error, RemitError) else internal())


def _data(kind: str, value: Any) -> bytes:
    return b'data: {"type": "%s", "data": %s}\n\n' % (kind.encode(), encode(value))
