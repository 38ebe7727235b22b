"""Python on this machine behind bubblewrap: a view of the system in which there is nothing to reach, held by the kernel.

Code sees the interpreter, the shared libraries and the packages named, read-only; a working folder and `/tmp` in memory, of a limited
size; no network, no other process, no `/proc`, no `/sys`, no environment. It may make threads and no process, and only the system
calls that Python needs (`seccomp`). Where Remit runs as root, the code runs as a user that owns nothing and that no other run has.
Nothing of it touches this machine's disk: files go in and come out through pipes.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePosixPath
from time import perf_counter
from typing import NamedTuple

from remit.adapters.sandbox import seccomp
from remit.adapters.sandbox.files import check, clipped, kept
from remit.adapters.sandbox.inside import BEGUN
from remit.adapters.sandbox.interpreter import PYTHON, hidden, interpreter, links, packages
from remit.adapters.sandbox.syscalls import ARCHITECTURES
from remit.core.errors import ConfigError, ToolError
from remit.ports.sandbox import Ending, Outcome, SandboxFile, SandboxLimits

_INSIDE = Path(__file__).with_name("inside.py")
_RUNNER = "/opt/inside.py"
_FIRST_ID, _IDS = 0x7000_0000, 0x0FFF_FFFE
"""User ids from here to 2^31 belong to nobody: not to people, services or containers."""

_OPEN_FILES = 256
_THREADS = 64
_FLOOD = 20
"""How many times more than is kept code may print, before it is stopped."""

_SIGKILL, _SIGXCPU = 128 + 9, 128 + 24
_ENVIRONMENT = {
    "HOME": "/tmp",
    "PATH": "/opt/python/bin",
    "LANG": "C.UTF-8",
    "LD_LIBRARY_PATH": "/opt/python/lib",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class _Ended(NamedTuple):
    """What came out of a process: its status, what it printed, its report, and whether it was stopped for a flood."""

    status: int
    stdout: bytes
    stderr: bytes
    report: bytes
    stopped: bool
    late: bool


class Bubblewrap:
    """`ports.sandbox.Sandbox` on this machine."""

    name = "bubblewrap"

    def __init__(self, *, packages: Sequence[str] = ()) -> None:
        """`packages` are names of installed distributions. Raises ConfigError E910 where there is no bubblewrap."""
        machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())
        binary = shutil.which("bwrap")
        if binary is None or sys.platform != "linux" or machine not in ARCHITECTURES:
            raise ConfigError(
                "bubblewrap is not here",
                code="E910",
                help="on Linux: apt-get install bubblewrap",
            )
        self._filter = seccomp.program(machine)
        self._binary = binary
        self._view = list(_view(packages))

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run Python in a fresh view of the system. Raises ArgumentsError E911, ToolError E912 when nothing was run."""
        check(code, files, limits)
        began = perf_counter()
        ended = await self._ended(_payload(code, files), limits, sum(len(f.data) for f in files))
        return _outcome(ended, limits, (perf_counter() - began) * 1000)

    async def _ended(self, payload: bytes, limits: SandboxLimits, given_bytes: int) -> _Ended:
        """Start, feed, read within limits, and leave no process behind, however this ends."""
        report, report_in = os.pipe()
        guard = _memory_file(self._filter)
        try:
            argv = self._command(limits, given_bytes, guard, report_in)
            process = await _started(argv, (guard, report_in))
        except BaseException:
            os.close(report)
            raise
        finally:
            os.close(guard)
            os.close(report_in)
        try:
            async with _reading(report) as reader:
                return await _watched(process, payload, reader, limits)
        finally:
            await _gone(process)

    def _command(self, limits: SandboxLimits, given_bytes: int, guard: int, report: int) -> list[str]:
        uid = _FIRST_ID + secrets.randbelow(_IDS) if os.geteuid() == 0 else 0
        numbers = (
            uid,
            max(1, round(limits.cpu_s)),
            limits.memory_bytes,
            limits.file_bytes,
            _OPEN_FILES,
            _THREADS,
            limits.files,
            report,
        )
        return [
            self._binary,
            *(_AS_ROOT if uid else _AS_USER),
            *_ALONE,
            *self._view,
            *_memory_folder("/work", given_bytes + limits.file_bytes),
            *_memory_folder("/tmp", limits.file_bytes),
            *("--remount-ro", "/", "--chdir", "/work", "--seccomp", str(guard)),
            *(PYTHON, "-I", "-S", "-B", "-X", "utf8", _RUNNER),
            *map(str, numbers),
        ]


_ALONE = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
)
_AS_USER = ("--unshare-user", "--uid", "65534", "--gid", "65534")
_AS_ROOT = ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
"""Root needs no user namespace; what starts inside may become somebody else, does so at once, and may do nothing more."""


def _view(names: Sequence[str]) -> Iterator[str]:
    """Options of bubblewrap for what the code can see."""
    binds = [*interpreter(), *packages(names)]
    above = {str(parent) for bind in binds for parent in PurePosixPath(bind.target).parents}
    for folder in sorted(above):
        yield from ("--dir", folder)  # one that bubblewrap makes unasked is closed to everybody but root
    for bind in binds:
        yield from ("--ro-bind", bind.source, bind.target)
    for link in links():
        yield from ("--symlink", link.source, link.target)
    for folder in hidden():
        yield from ("--size", "4096", "--tmpfs", folder, "--remount-ro", folder)
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        yield from ("--dev-bind", device, device)
    yield from ("--ro-bind", str(_INSIDE), _RUNNER)
    for name, value in _ENVIRONMENT.items():
        yield from ("--setenv", name, value)


def _memory_folder(path: str, size: int) -> tuple[str, ...]:
    return ("--perms", "0777", "--size", str(max(size, 1 << 20)), "--tmpfs", path)


def _memory_file(data: bytes) -> int:
    """A file in memory, at its beginning, that a child may read."""
    fd = os.memfd_create("filter", 0)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _payload(code: str, files: Sequence[SandboxFile]) -> bytes:
    blobs = [code.encode()]
    for file in files:
        blobs += [file.name.encode(), file.data]
    return b"".join(len(blob).to_bytes(4, "big") + blob for blob in blobs)


async def _started(argv: Sequence[str], fds: tuple[int, ...]) -> Process:
    """The process. Cancelled meanwhile it is started and ended all the same: asyncio loses one that it is still starting."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            pass_fds=fds,
            env={},
            cwd="/",
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _gone(await starting)
        raise
    except OSError as error:
        raise ToolError(f"the sandbox could not be started: {error.strerror}", code="E912") from error


@asynccontextmanager
async def _reading(fd: int) -> AsyncIterator[asyncio.StreamReader]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb")
    )
    try:
        yield reader
    finally:
        transport.close()


async def _watched(
    process: Process, payload: bytes, report: asyncio.StreamReader, limits: SandboxLimits
) -> _Ended:
    """Feed the process and read all that it says, until it ends, says too much or takes too long."""
    assert process.stdout
    assert process.stderr
    out, err, said = bytearray(), bytearray(), bytearray()
    printed = limits.output_bytes + 1, limits.output_bytes * _FLOOD
    most = limits.file_bytes + limits.files * 1024 + 2 * limits.output_bytes + 4096
    tasks = [
        asyncio.create_task(task)
        for task in (
            _feed(process, payload),
            _take(process.stdout, out, *printed),
            _take(process.stderr, err, *printed),
            _take(report, said, most, most),
            process.wait(),
        )
    ]
    try:
        done, waiting = await asyncio.wait(tasks, timeout=limits.wall_s, return_when=asyncio.FIRST_EXCEPTION)
        stopped = any(task.exception() for task in done)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    late = bool(waiting) and not stopped
    return _Ended(process.returncode or 0, bytes(out), bytes(err), bytes(said), stopped, late)


class _FloodError(Exception):
    """The code says more than anybody will read."""


async def _feed(process: Process, payload: bytes) -> None:
    assert process.stdin
    with suppress(BrokenPipeError, ConnectionResetError):  # it ended before it was told everything
        process.stdin.write(payload)
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _take(stream: asyncio.StreamReader, into: bytearray, keep: int, most: int) -> None:
    """Read to the end; keep the first bytes, and stop everything beyond the most."""
    read = 0
    while chunk := await stream.read(1 << 16):
        read += len(chunk)
        into += chunk[: max(0, keep - len(into))]
        if read > most:
            raise _FloodError


async def _gone(process: Process) -> None:
    """With bubblewrap dies the first process inside, and with that one everything else in there.

    The whole group is killed: one that has just been forked has not asked yet to die with its parent, and is still in the group.
    """
    assert process.stdin
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.stdin.close()
    for stream in (process.stdout, process.stderr):
        while stream and await stream.read(1 << 16):
            pass  # asyncio counts a process as ended only when all that it had said is read
    await process.wait()


def _outcome(ended: _Ended, limits: SandboxLimits, took_ms: float) -> Outcome:
    blobs = _blobs(ended.report)
    if blobs[:1] != [BEGUN] and not ended.late:
        why = ended.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        raise ToolError(
            f"the sandbox could not be set up: {''.join(why)[:200] or 'it ended at once'}",
            code="E912",
            help="remit doctor",
        )
    stdout, more_out = clipped(ended.stdout, limits)
    stderr, more_err = clipped(ended.stderr, limits)
    ending, note = _ending(ended, blobs, took_ms / 1000 >= limits.cpu_s)
    value, more_value = clipped(blobs[2] if len(blobs) > 2 else b"", limits)
    found = (
        SandboxFile(n.decode("utf-8", "surrogateescape"), d)
        for n, d in zip(blobs[4::2], blobs[5::2], strict=False)
    )
    files, left_out = kept(found, limits)
    more = more_out or more_err or more_value or left_out or ended.stopped or blobs[3:4] == [b"more"]
    return Outcome(
        ending=ending,
        stdout=stdout,
        stderr=stderr + note,
        value=value,
        files=files,
        truncated=more,
        duration_ms=round(took_ms, 1),
    )


def _ending(ended: _Ended, blobs: list[bytes], long: bool) -> tuple[Ending, str]:
    """How it ended and a sentence for whoever reads its errors: from outside where it can be seen, else as it says itself."""
    if ended.stopped:
        return "stopped", "stopped: the code prints more than anybody will read\n"
    if ended.late:
        return "timeout", "stopped: the code takes too long\n"
    if ended.status == _SIGXCPU or (ended.status == _SIGKILL and long):
        return "timeout", "stopped: the code needs too much computing time\n"
    if ended.status == _SIGKILL:
        return "memory", "stopped: the code needs more memory than there is\n"
    said = blobs[1] if len(blobs) > 1 else b""
    if ended.status == 0 and said in (b"ok", b"memory"):
        return ("ok" if said == b"ok" else "memory"), ""
    if ended.status == 0 and said == b"error":
        return "error", ""
    return "error", "the interpreter ended before the code did\n"


def _blobs(report: bytes) -> list[bytes]:
    """What the inside says: whole blobs only, since it may say anything."""
    blobs, at = [], 0
    while at + 4 <= len(report):
        length = int.from_bytes(report[at : at + 4], "big")
        if at + 4 + length > len(report):
            break
        blobs.append(report[at + 4 : at + 4 + length])
        at += 4 + length
    return blobs
