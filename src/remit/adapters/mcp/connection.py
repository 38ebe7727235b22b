"""One connection to one server, for one tenant: opened, kept and closed by a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

import mcp_types as types
from mcp.client.client import Client
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from remit.adapters.mcp.answers import answer_of, contract_of
from remit.adapters.mcp.http import GONE, NOT_SENT
from remit.core.errors import ArgumentsError, ToolError
from remit.core.mcp import Contract
from remit.ports.mcp import KEY, Answer, OutcomeUnknownError

MOST_PAGES = 100
"""Pages of a list of tools: one without end hangs nobody."""

MOST_TOOLS = 2000

_RESULT: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_REFUSED = frozenset(
    {
        types.METHOD_NOT_FOUND,
        types.HEADER_MISMATCH,
        types.UNSUPPORTED_PROTOCOL_VERSION,
        types.MISSING_REQUIRED_CLIENT_CAPABILITY,
    }
)
"""What a server answers before it looks at a call."""


class Connection:
    """A connection. `alive` until the server ends it, or it is closed."""

    def __init__(self, server: str, version: str, transport: Any, last_words: Callable[[], str]) -> None:
        """`version` is ours; `transport` yields the SDK's streams; `last_words` is what a server that died said of it."""
        self._server = server
        self._about = types.Implementation(name="remit", version=version)
        self._transport = transport
        self._last_words = last_words
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._owner: asyncio.Task[None] | None = None
        self._tools: tuple[Contract, ...] | None = None
        self.alive = True
        self._calls = 0
        self.listed_at = 0.0

    # life

    def start(self) -> asyncio.Task[None]:
        """Begin to connect; returns the task that holds the connection, and ends once it is closed."""
        self._owner = asyncio.create_task(self._own())
        return self._owner

    async def opened(self, within_s: float) -> None:
        """Return once two have agreed on a version. Raises ToolError E953."""
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(self._opened)
        except BaseException as error:
            if self._owner is not None:
                self._owner.cancel()
            if isinstance(error, TimeoutError):
                raise self._away(f"it did not answer within {within_s:g} s") from error
            raise

    async def _own(self) -> None:
        """Hold the connection: what the SDK opens in a task it must close in the same one."""
        client = Client(
            self._transport,
            cache=None,
            message_handler=self._heard,
            client_info=self._about,
        )
        try:
            async with client:
                if not self._opened.done():
                    self._opened.set_result(client)
                listening = asyncio.create_task(self._listen(client))
                await self._closing.wait()
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        except Exception as error:
            if not self._opened.done():
                self._opened.set_exception(self._away(_why(error)))
                self._opened.exception()  # seen: whoever asked may have gone
        finally:
            self.alive = False

    def retire(self) -> None:
        """Take no more calls; close once those under way have their answers."""
        self.alive = False
        if not self._calls:
            self._closing.set()

    def close(self) -> None:
        """Close, whatever is under way."""
        self.alive = False
        self._closing.set()

    @property
    def busy(self) -> bool:
        """Whether a call is under way."""
        return self._calls > 0

    async def _listen(self, client: Client) -> None:
        """Hear of changes of its tools where that must be asked for; where it ends, the next list is fetched in time anyway."""
        tools = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not (tools and tools.list_changed):
            return
        with contextlib.suppress(SubscriptionLost, MCPError, TimeoutError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._tools = None

    async def _heard(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._tools = None

    # verbs

    def known_tools(self) -> tuple[Contract, ...] | None:
        """What it last said it offers, unless it said since that this changed."""
        return self._tools

    async def tools(self, within_s: float) -> tuple[Contract, ...]:
        """What it offers now. Raises ToolError E953."""
        try:
            async with asyncio.timeout(within_s):
                self._tools = await self._listed()
        except TimeoutError as error:
            raise self._away(f"it did not list its tools within {within_s:g} s") from error
        except MCPError as error:
            self._lost(error)
            raise self._away(error.message) from error
        except ValidationError as error:
            raise self._away("it lists what is no tool") from error
        return self._tools

    async def _listed(self) -> tuple[Contract, ...]:
        session = (await self._opened).session
        found: list[Contract] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            found += map(contract_of, page.tools)
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
        if cursor is not None or len(found) > MOST_TOOLS:
            raise self._away(f"it lists more than {MOST_TOOLS} tools, or has no end of them")
        return tuple(found)

    async def call(self, tool: str, arguments: dict[str, Any], key: str, within_s: float) -> Answer:
        """Call a tool. Raises what `ports.mcp.Servers.call` raises."""
        self._calls += 1
        try:
            async with asyncio.timeout(within_s):
                return answer_of(await self._rounds(tool, arguments, key))
        except TimeoutError as error:
            self._stuck()
            why = f"server `{self._server}` did not answer within {within_s:g} s"
            raise OutcomeUnknownError(why) from error
        except asyncio.CancelledError:
            self._stuck()
            raise
        except MCPError as error:
            self._lost(error)
            raise self._meant(error) from error
        except ValidationError as error:
            why = f"server `{self._server}` answered what is no result of a tool"
            raise OutcomeUnknownError(why) from error
        finally:
            self._calls -= 1
            if not self.alive:
                self.retire()

    def _stuck(self) -> None:
        """It was given up on: the next call starts afresh, unless others still wait for this one."""
        self.alive = self.alive and self._calls > 1

    async def _rounds(self, tool: str, arguments: dict[str, Any], key: str) -> types.CallToolResult:
        """Call, and again with the state that the server hands out for as long as it has not finished.

        The SDK's own loop would check the answer by the server's schema, with patterns that may take for ever.
        """
        session = (await self._opened).session
        meta = cast(types.RequestParamsMeta, {KEY: key})
        state: str | None = None
        while True:
            params = types.CallToolRequestParams(
                name=tool, arguments=arguments, request_state=state, _meta=meta
            )
            result = await session.send_request(types.CallToolRequest(params=params), _RESULT)
            if isinstance(result, types.CallToolResult):
                return result
            if result.input_requests or result.request_state is None:
                raise ToolError(
                    f"`{tool}` of server `{self._server}` asks its user for input, and an agent has none to ask",
                    code="E956",
                    help="give everything in its arguments, or use a tool that does not ask",
                )
            state = result.request_state
            await asyncio.sleep(0.1)

    def _lost(self, error: MCPError) -> None:
        if error.code in (GONE, types.CONNECTION_CLOSED):
            self.alive = False

    def _meant(self, error: MCPError) -> Exception:
        """What an error of the protocol means for a call."""
        if error.code == types.INVALID_PARAMS:
            why = f"server `{self._server}` refuses the arguments: {error.message}"
            return ArgumentsError(why, code="E955")
        if error.code in (NOT_SENT, GONE):
            return self._away(error.message)
        if error.code in _REFUSED:
            return ToolError(f"server `{self._server}` refuses the call: {error.message}", code="E953")
        return OutcomeUnknownError(f"server `{self._server}`: {self._with_last_words(error.message)}")

    def _away(self, why: str) -> ToolError:
        said = f"server `{self._server}`: {self._with_last_words(why)}"
        return ToolError(said, code="E953", retryable=True)

    def _with_last_words(self, why: str) -> str:
        words = self._last_words()
        return f"{why}; its last words: {words}" if words else why


def _why(error: BaseException) -> str:
    """The innermost reason, out of the groups that task groups wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolError):
        return error.message
    return str(error) or type(error).__name__
