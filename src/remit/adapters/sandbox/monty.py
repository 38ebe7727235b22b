"""A small Python in a worker process: no modules but a few of the standard library's, no network, no files but those in memory.

The `monty` interpreter (pydantic-monty) has nothing in it that could reach this machine, so it needs nothing from the kernel and runs
anywhere. It has no packages (no pandas), and not all of the language; a program that needs more is told so by its own error. Each run
has a process of its own.
"""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import os
import reprlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from time import perf_counter
from typing import Any

from remit.adapters.sandbox.files import check, clipped, kept
from remit.core.errors import ConfigError, ToolError
from remit.core.extras import how_to_install
from remit.ports.sandbox import Ending, Outcome, SandboxFile, SandboxLimits

WORK = "/work"
MOST_MEMORY = 128 << 20
"""What code holds in memory may become objects of this process: its value, and what it writes."""

_FLOOD = 20
_FILE_WORK = 10
"""How many times the bytes of files may be read and written in all: each time this process copies them."""

_CALLS = 10_000
_DEPTH = 500
_STREAMS = ("stdout", "stderr")


class Monty:
    """`ports.sandbox.Sandbox` for plain code."""

    name = "monty"

    def __init__(self) -> None:
        """Raises ConfigError E695 without the extra."""
        if importlib.util.find_spec("pydantic_monty") is None:
            raise ConfigError("monty is not installed", code="E695", help=how_to_install("sandbox"))

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run plain Python in a process of its own. Raises ArgumentsError E911, ToolError E912 when nothing was run."""
        check(code, files, limits)
        from pydantic_monty import CollectStreams

        began = perf_counter()
        system = _system(files, limits)
        printed = CollectStreams(max_bytes=limits.output_bytes * _FLOOD)
        ending, value, note = await _run(code, system, printed, limits)
        out, err = ("".join(text for to, text in printed.output if to == stream) for stream in _STREAMS)
        stdout, more_out = clipped(out.encode("utf-8", "replace"), limits)
        stderr, more_err = clipped(err.encode("utf-8", "replace"), limits)
        found, left_out = kept(_changed(system, files), limits)
        return Outcome(
            ending=ending,
            stdout=stdout,
            stderr=stderr + note,
            value=value,
            files=found,
            truncated=more_out or more_err or left_out or ending == "stopped",
            duration_ms=round((perf_counter() - began) * 1000, 1),
        )


async def _run(code: str, system: Any, printed: Any, limits: SandboxLimits) -> tuple[Ending, str, str]:
    """How it ended, its value, and a sentence on its error."""
    import pydantic_monty as monty

    begun = False
    try:
        async with (
            asyncio.timeout(limits.wall_s),
            monty.AsyncMonty(max_processes=1, request_timeout=limits.wall_s) as pool,
            pool.checkout(limits=_limits(limits)) as session,
        ):
            begun = True
            value = await session.feed_run(code, print_callback=printed, os=system, cwd=WORK)
            return "ok", "" if value is None else _shown(value, limits), ""
    except monty.MontyCrashedError as error:
        if not begun:
            raise ToolError("the sandbox could not be started", code="E912", help="remit doctor") from error
        return ("timeout", "", _LATE) if error.timed_out else ("memory", "", _LARGE)
    except (monty.MontyRuntimeError, monty.MontySyntaxError) as error:
        return _failed(error)
    except TimeoutError:
        return "timeout", "", _LATE
    except OSError as error:
        raise ToolError("the sandbox could not be started", code="E912", help="remit doctor") from error


_LATE = "stopped: the code takes too long\n"
_LARGE = "stopped: the code needs more memory than it may have\n"
_LOUD = "stopped: the code prints more than anybody will read\n"


def _failed(error: Any) -> tuple[Ending, str, str]:
    """An error of the code's own, or one that a limit raised: that one comes from no line of the code."""
    cause, own = error.exception(), bool(error.traceback())
    if isinstance(cause, MemoryError):
        return ("memory", "", _LARGE) if own else ("stopped", "", _LOUD)
    if isinstance(cause, TimeoutError) and not own:
        return "timeout", "", _LATE
    return "error", "", f"{error.display('traceback')}\n"


def _limits(limits: SandboxLimits) -> Any:
    return {
        "max_feed_duration_secs": min(limits.cpu_s, limits.wall_s),
        "max_memory": min(limits.memory_bytes, MOST_MEMORY),
        "max_recursion_depth": _DEPTH,
        "max_suspensions": _CALLS,
    }


def _shown(value: Any, limits: SandboxLimits) -> str:
    """The value as its `repr`, which is made here: cut off where it is large or deep."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = limits.output_bytes
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = 1000
    return clipped(short.repr(value).encode("utf-8", "replace"), limits)[0]


def _system(files: Sequence[SandboxFile], limits: SandboxLimits) -> Any:
    """The files as the code sees them: in the memory of this process, whose work for them is counted."""
    from pydantic_monty import MemoryFile, OSAccess

    class Files(OSAccess):
        """Files in memory that may be read and written so often."""

        left = limits.file_bytes * _FILE_WORK

        def path_read_text(self, path: Any) -> str:
            text: str = self._charged(super().path_read_text(path))
            return text

        def path_read_bytes(self, path: Any) -> bytes:
            data: bytes = self._charged(super().path_read_bytes(path))
            return data

        def path_write_text(self, path: Any, data: str) -> int:
            return super().path_write_text(path, self._charged(data))

        def path_write_bytes(self, path: Any, data: bytes) -> int:
            return super().path_write_bytes(path, self._charged(data))

        def path_append_text(self, path: Any, data: str) -> int:
            self._charge_present(path)
            return super().path_append_text(path, self._charged(data))

        def path_append_bytes(self, path: Any, data: bytes) -> int:
            self._charge_present(path)
            return super().path_append_bytes(path, self._charged(data))

        def _charge_present(self, path: Any) -> None:
            if self.path_is_file(PurePosixPath(getattr(path, "path", path))):
                self.path_read_bytes(path)

        def _charged(self, data: Any) -> Any:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return data

    system = Files([MemoryFile(f"{WORK}/{file.name}", file.data) for file in files])
    system.path_mkdir(PurePosixPath(WORK), parents=True, exist_ok=True)
    return system


def _changed(system: Any, given: Sequence[SandboxFile]) -> Iterator[SandboxFile]:
    """The files in the working folder that are new or not what they were."""
    before = {file.name: file.data for file in given}
    for file in system.files:
        if file.deleted or not file.path.is_relative_to(WORK):
            continue
        name = file.path.relative_to(WORK).as_posix()
        content = file.read_content()
        data = content.encode() if isinstance(content, str) else content
        if before.get(name) != data and not any(part.startswith(".") for part in name.split("/")):
            yield SandboxFile(name, data)
