"""A worker of an activity that is any program: input on its stdin, output on its stdout, failure by its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

from remit.cli.console import paint, say
from remit.cli.text import brief, printable
from remit.core.codec import decode, encode
from remit.core.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.workflows.callbacks import ActivityTask

LOOK_S = 20.0
"""Seconds that one look for a task lasts."""

MOST_BYTES = 4_194_304
"""Bytes of stdout and of stderr that are kept; a task's output has to be smaller anyway."""

TOO_LARGE = "States.DataLimitExceeded"
STOPPED = "the worker was stopped before the command had ended"


class Worker:
    """Takes tasks of one activity and has a command do them, one at a time."""

    def __init__(
        self,
        app: App,
        tenant_id: str,
        activity: str,
        command: str,
        name: str,
        *,
        heartbeat_s: float,
        error: str,
    ) -> None:
        self._callbacks = app.callbacks
        self._tenant = tenant_id
        self._activity = activity
        self._command = command
        self._name = name
        self._heartbeat_s = heartbeat_s
        self._error = error

    async def serve(self, *, until_idle: bool = False) -> int:
        """Work until cancelled, or until there is nothing to do; how many tasks it was."""
        count = 0
        wait_s = 0.0 if until_idle else LOOK_S
        while True:
            task = await self._callbacks.take(self._activity, self._tenant, self._name, wait_s=wait_s)
            if task is not None:
                await self._do(task)
                count += 1
            elif until_idle:
                return count

    async def _do(self, task: ActivityTask) -> None:
        say(paint(f"{brief(task.state, 60)} of run {task.run_id}", "dim"))
        try:
            error, said = await self._run(task)
            if error:
                await self._callbacks.fail(task.token, error, said, self._tenant)
                say(f"  {paint('failed', 'bad')}: {brief(said, 160)}")
            else:
                await self._succeed(task, said)
        except NotFoundError:
            say(f"  {paint('given up', 'warn')}: nobody waits for it any more")
        except asyncio.CancelledError:
            with contextlib.suppress(NotFoundError):
                await self._callbacks.fail(task.token, self._error, STOPPED, self._tenant)
            raise

    async def _succeed(self, task: ActivityTask, said: str) -> None:
        try:
            await self._callbacks.succeed(task.token, _value(said), self._tenant)
        except NotFoundError:
            raise
        except InputError as error:
            await self._callbacks.fail(task.token, TOO_LARGE, error.message, self._tenant)
            say(f"  {paint('failed', 'bad')}: {error.message}")
        else:
            say(f"  {paint('done', 'good')}: {brief(said, 160)}")

    async def _run(self, task: ActivityTask) -> tuple[str, str]:
        """Run the command: an empty text and what it wrote, or the error's name and why. Raises NotFoundError: given up."""
        process = await _started(self._command)
        beating = asyncio.create_task(self._beat(task))
        running = asyncio.create_task(_talk(process, encode(task.input)))
        try:
            await asyncio.wait({beating, running}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                beating.result()  # it ends by an error only
            code, out, err = running.result()
        finally:
            beating.cancel()
            running.cancel()
            _kill(process)
            await asyncio.gather(beating, running, return_exceptions=True)
        if len(out) > MOST_BYTES:
            return TOO_LARGE, f"the command wrote more than {MOST_BYTES:,} bytes"
        if code:
            return self._error, _last_line(err) or f"the command ended with exit code {code}"
        return "", out.decode("utf-8", "replace")

    async def _beat(self, task: ActivityTask) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await self._callbacks.heartbeat(task.token, self._tenant)


async def _started(command: str) -> asyncio.subprocess.Process:
    """The command as a process that leads a group of its own; none is left when the start is cancelled."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_shell(
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Cancelled from within, asyncio would end the shell alone, and wait for all that the shell had started.
        _kill(await starting)
        raise


async def _talk(process: asyncio.subprocess.Process, given: bytes) -> tuple[int, bytes, bytes]:
    """Feed the command and hear it out; what is more than MOST_BYTES is read and dropped."""
    assert process.stdin is not None
    out = asyncio.create_task(_read(process.stdout))
    err = asyncio.create_task(_read(process.stderr))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read its input
        process.stdin.write(given)
        await process.stdin.drain()
    process.stdin.close()
    said = await out, await err
    return (await process.wait(), *said)


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    kept = bytearray()
    while chunk := await stream.read(65_536):
        kept += chunk[: MOST_BYTES + 1 - len(kept)]
    return bytes(kept)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the command and what it started, if it is still there."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _value(said: str) -> Any:
    """What a command wrote: JSON, else its text; nothing at all is null."""
    text = said.strip()
    if not text:
        return None
    try:
        return decode(text.encode(), object)
    except InputError:
        return text


def _last_line(err: bytes) -> str:
    lines = err.decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1])[:1000] if lines else ""
