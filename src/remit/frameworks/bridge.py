"""Between a framework's code, in a thread and an event loop of its own, and the run's gateway in the engine's.

The framework's seams ask `current` whether they are in a run. Its code may block, start threads and loops as it likes:
context variables go with them, and every call comes back here.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from remit.core.errors import ConfigError, FencedError, StoreError, ToolError
from remit.core.message import Message
from remit.core.tool import ToolSpec
from remit.frameworks.tools import PERFORM, SERVING, ForeignTool, Perform
from remit.frameworks.values import from_json
from remit.ports.agents import RunContext

T = TypeVar("T")

_AGENTS = ThreadPoolExecutor(256, "remit-framework")
_TOOLS = ThreadPoolExecutor(64, "remit-framework-tool")
"""Two pools: a team holds its thread while it waits for a tool, which must then find a free one."""

BRANCHES_S = 0.25
"""How long a stop waits for the other calls of a model's turn, so that people are asked about them together, seconds."""

_BRIDGE: ContextVar[Bridge | None] = ContextVar("remit_bridge", default=None)


class _Leaving(ThreadPoolExecutor):
    """A framework's own threads: its loop does not wait for a tool that hangs, as its run does not."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)


class Bridge:
    """The way of one call of a framework's agent to its run."""

    def __init__(
        self, context: RunContext, tools: Sequence[ForeignTool], steering: frozenset[str] = frozenset()
    ) -> None:
        """Made on the engine's event loop. Tools in `steering` run as they are."""
        self._context = context
        self._engine = asyncio.get_running_loop()
        self._specs = {t.spec.name: t.spec for t in tools}
        self._steering = steering
        self._home: asyncio.AbstractEventLoop | None = None
        self._team: asyncio.Task[Any] | None = None
        self._moving = threading.Lock()
        self._performing: set[Future[Any]] = set()
        self._calls: set[Future[Any]] = set()
        self._closed = self._cancelled = False
        self._stop: BaseException | None = None
        self._owed = 0
        self._came = asyncio.Event()

    def close(self) -> None:
        """Let no more calls through. Those under way come to their outcomes."""
        self._closed = True

    def cancel(self) -> None:
        """Take back what is under way, too: a thread cannot be stopped, but it gets no further."""
        self._closed = self._cancelled = True
        with self._moving:
            if self._home is not None and self._team is not None:
                self._home.call_soon_threadsafe(self._team.cancel)
        for call in list(self._calls):
            call.cancel()

    # the framework's side

    def run(self, work: Callable[[], Any]) -> Any:
        """Do a framework's blocking work, in this thread."""
        _BRIDGE.set(self)
        return work()

    def run_async(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Do a framework's asynchronous work, in this thread on an event loop of its own."""
        _BRIDGE.set(self)
        return asyncio.run(self._at_home(work))

    async def _at_home(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._home, self._team = asyncio.get_running_loop(), asyncio.current_task()
        self._home.set_default_executor(_Leaving(32, "remit-framework-own"))
        try:
            return await work()
        finally:
            with self._moving:
                self._home, performing = None, list(self._performing)
            if performing:  # tools that still run when the team has stopped are not cut off
                await asyncio.wait([asyncio.wrap_future(p) for p in performing])

    def governs(self, tool: str) -> bool:
        """Whether a tool goes through the gateway; one that only steers the team does not."""
        return tool not in self._steering

    async def call(self, tool: str, arguments: dict[str, Any], perform: Perform | None) -> Any:
        """Call a tool through the gateway; a call that failed or was refused answers with its ToolError."""
        return await self._awaited(self._call(tool, arguments, perform))

    def call_now(self, tool: str, arguments: dict[str, Any], perform: Perform | None) -> Any:
        """`call` for blocking code."""
        return self._waited(self._call(tool, arguments, perform))

    async def chat(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), **asked: Any
    ) -> Message:
        """Ask the agent's model, as `RunContext.chat`."""
        return await self._awaited(self._chat(messages, tools, asked))

    def chat_now(
        self, messages: Sequence[Message], *, tools: Sequence[ToolSpec] = (), **asked: Any
    ) -> Message:
        """`chat` for blocking code."""
        return self._waited(self._chat(messages, tools, asked))

    # the engine's side

    async def _chat(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], asked: dict[str, Any]
    ) -> Message:
        # Tools as Remit knows them: without what a model must not fill in.
        known = [self._specs.get(t.name, t) for t in tools]
        answer = await self._through(self._context.chat(messages, tools=known, **asked))
        self._owed += sum(use.name in self._specs for use in answer.tool_uses)
        return answer

    async def _call(self, tool: str, arguments: dict[str, Any], perform: Perform | None) -> Any:
        self._owed = max(0, self._owed - 1)
        self._came.set()
        PERFORM.set(perform and functools.partial(self._performed, perform))
        (answer,) = await self._through(self._context.call_all([(tool, arguments)]))
        return answer if isinstance(answer, ToolError) else from_json(answer)

    async def _through(self, work: Coroutine[Any, Any, T]) -> T:
        """What stops the run stops all of the team: some frameworks take it for a failure, and go on."""
        if self._stop is not None:
            work.close()
            raise self._stop
        try:
            return await work
        except (StoreError, FencedError) as stop:
            self._stop = stop
            raise
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as stop:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BRANCHES_S):
                    while self._owed:
                        self._came.clear()
                        await self._came.wait()
            self._stop = stop
            raise

    async def _performed(self, perform: Perform, arguments: dict[str, Any]) -> Any:
        """Do it where the framework lives, while it does: its clients are often bound to their event loop."""
        with self._moving:
            if self._home is not None:
                performing = asyncio.run_coroutine_threadsafe(perform(arguments), self._home)
                self._performing.add(performing)
            else:
                performing = None
        if performing is None:
            return await perform(arguments)
        performing.add_done_callback(self._performing.discard)
        return await asyncio.wrap_future(performing)

    async def _awaited(self, work: Coroutine[Any, Any, T]) -> T:
        # Shielded: a framework stops the branches beside one that stopped, and an effect must not be cut off.
        call = asyncio.wrap_future(self._submitted(work))
        call.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(call)

    def _waited(self, work: Coroutine[Any, Any, T]) -> T:
        call = self._submitted(work)
        try:
            return call.result()
        except CancelledError:
            raise asyncio.CancelledError from None

    def _submitted(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._closed:
            work.close()
            raise asyncio.CancelledError
        call = asyncio.run_coroutine_threadsafe(work, self._engine)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        if self._cancelled:  # between the check above and here, so `cancel` has not seen this call
            call.cancel()
        return call


def current() -> Bridge | None:
    """The bridge of the run that the framework's code works for; none outside a run, or inside a tool that it called."""
    return _BRIDGE.get() if SERVING.get() is None else None


def asking() -> Bridge | None:
    """As `current`, for questions to a model. Raises ConfigError E963 inside a tool: they would be nobody's."""
    serving = SERVING.get()
    if serving is not None:
        raise ConfigError(
            f"a tool of agent `{serving.agent}` asks a model itself",
            code="E963",
            help="list the tool under `steering`: then it is not called through the gateway, and all that it calls is",
        )
    return _BRIDGE.get()


async def in_thread(work: Callable[[], Any], *, tool: bool = False) -> Any:
    """Do blocking work in a thread, with the caller's context variables."""
    context = contextvars.copy_context()
    pool = _TOOLS if tool else _AGENTS
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, work)
