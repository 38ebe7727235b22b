"""A server as a process of ours, one JSON message a line on its stdin and stdout.

Not the SDK's own transport: that hands down HOME and USER, and keeps a line of any length. The order of stopping (close stdin,
wait, terminate, kill) is the specification's: https://modelcontextprotocol.io/specification/2025-11-25/basic/lifecycle
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remit.core.errors import ToolError

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

STOP_S = 2.0
"""Seconds that a server gets to end by itself once its stdin is closed, and again after SIGTERM."""

TAIL = 2000
"""Bytes of stderr that are kept: the last words of a server that died."""


class Process:
    """A running server. `tail` is the end of what it wrote on stderr."""

    def __init__(self, process: asyncio.subprocess.Process, most_bytes: int) -> None:
        self._process = process
        self._most_bytes = most_bytes
        self._tail = b""

    @property
    def tail(self) -> str:
        """The last of what it said on stderr."""
        return self._tail.decode("utf-8", "replace").strip()

    async def read(self, out: MemoryObjectSendStream[Any]) -> None:
        """Hand on message after message until it ends, or writes one that is too long."""
        from mcp.shared.message import SessionMessage
        from mcp_types import jsonrpc_message_adapter

        assert self._process.stdout is not None
        async with out:
            with contextlib.suppress(ValueError):  # a line beyond the limit: the connection ends here
                async for line in self._process.stdout:
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError as error:
                        await out.send(error)
                    else:
                        await out.send(SessionMessage(message))

    async def write(self, given: MemoryObjectReceiveStream[Any]) -> None:
        """Write message after message."""
        assert self._process.stdin is not None
        async with given:
            async for sent in given:
                text = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._process.stdin.write(text.encode() + b"\n")
                await self._process.stdin.drain()

    async def listen(self) -> None:
        """Keep the end of what it writes on stderr."""
        assert self._process.stderr is not None
        while said := await self._process.stderr.read(8192):
            self._tail = (self._tail + said)[-TAIL:]

    async def stop(self) -> None:
        """Let it end, or make it, with all that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), STOP_S)
                    break
                self._signal(number)
        finally:  # also when we are cancelled ourselves; and whatever it left behind in its group
            self._signal(signal.SIGKILL)
        await self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


@contextlib.asynccontextmanager
async def started(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    most_bytes: int,
    on_start: Callable[[Process], None],
    on_end: Callable[[], None],
) -> AsyncIterator[tuple[Any, Any]]:
    """The streams of a server that is started here and stopped at the end. It has the variables of `env` and no others.

    `on_end` is told when it says no more. Raises ToolError E953 when it cannot be started.
    """
    import anyio

    process = Process(await _spawn(command, env, most_bytes), most_bytes)
    on_start(process)
    heard, reading = anyio.create_memory_object_stream[Any](0)
    writing, said = anyio.create_memory_object_stream[Any](0)

    async def read() -> None:
        """Read until it ends, and say so."""
        try:
            await process.read(heard)
        finally:
            on_end()

    tasks = [asyncio.create_task(work) for work in (read(), process.write(said), process.listen())]
    try:
        yield reading, writing
    finally:
        await asyncio.shield(_ended(process, tasks))
        reading.close()
        writing.close()


async def _spawn(
    command: Sequence[str], env: Mapping[str, str], most_bytes: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            limit=most_bytes,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolError(
            f"`{command[0]}` cannot be started: {error}",
            code="E953",
            help="correct `command` in remit.toml",
        ) from error


async def _ended(process: Process, tasks: Sequence[asyncio.Task[None]]) -> None:
    await process.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
