"""What runs inside the sandbox: takes code and files from stdin, confines itself, runs the code, and hands back what it left.

It is started by path, by an interpreter that has the standard library and the packages of the sandbox; nothing of Remit is there, so
it imports nothing of it, and little else: each module is a millisecond of every start. From the code's first line on nothing here
is to be believed: the code may have rewritten it. Limits that matter are the kernel's, set before, and what comes out is judged
outside.

Both directions speak in blobs: four bytes of length, big-endian, and the bytes.
"""

from __future__ import annotations

import _ast
import os
import resource
import stat
import sys
from collections.abc import Iterator
from typing import Any

WORK = "/work"
BEGUN = b"begun"
PACKAGES = "/opt/packages"
_CHUNK = 1 << 16
_STACK = 8 << 20
_ONLY_AST = 0x400

Seen = dict[str, tuple[int, int]]


def main() -> None:
    """`inside.py UID CPU MEMORY FILE_BYTES OPEN_FILES THREADS FILES REPORT_FD`."""
    uid, cpu, memory, file_bytes, open_files, threads, files, report = map(int, sys.argv[1:9])
    blobs = _blobs(0)
    code, given = next(blobs).decode("utf-8", "surrogateescape"), list(blobs)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _confine(uid, cpu, memory, file_bytes, open_files, threads)
    seen = _write(given)
    del given, blobs
    sys.path[:] = [WORK, *(p for p in sys.path if p.startswith("/opt/python/")), PACKAGES]
    streams: Any = (sys.stdout, sys.stderr)
    for stream in streams:
        stream.reconfigure(line_buffering=True)  # what was printed is not lost with the process
    _send(report, BEGUN)
    ending, value = _run(code)
    sys.stdout.flush()
    sys.stderr.flush()
    found, more = _left(seen, files, file_bytes)
    for blob in (ending.encode(), value.encode("utf-8", "replace"), b"more" if more else b""):
        _send(report, blob)
    for name, size in found:
        _send_file(report, name, size)
    os._exit(0)  # threads and what else the code set up have no say any more


def _confine(uid: int, cpu: int, memory: int, file_bytes: int, open_files: int, threads: int) -> None:
    """Limits that nobody can raise again, and, where root started it, the rights of somebody who owns nothing."""
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NOFILE, open_files, open_files),
        (resource.RLIMIT_NPROC, threads, threads),
        (resource.RLIMIT_STACK, _STACK, _STACK),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))
    os.umask(0o077)


def _run(code: str) -> tuple[str, str]:
    """How it ended, and the value of the last expression."""
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    try:
        tree = compile(code, "<code>", "exec", _ONLY_AST, dont_inherit=True)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        exec(compile(tree, "<code>", "exec", dont_inherit=True), module.__dict__)
        value = None
        if last is not None:
            value = eval(compile(_ast.Expression(last.value), "<code>", "eval"), module.__dict__)
        return "ok", "" if value is None else repr(value)
    except MemoryError as error:
        error.__traceback__ = None
        module.__dict__.clear()
        _complain("MemoryError: the code needs more memory than it may have\n")
        return "memory", ""
    except SystemExit as error:
        if error.code in (None, 0):
            return "ok", ""
        _complain(f"SystemExit: {error.code}\n")
    except BaseException as error:
        _explain(error, code)
    return "error", ""


def _explain(error: BaseException, code: str) -> None:
    """A traceback that begins in the code, with its lines."""
    try:
        import linecache
        import traceback

        linecache.cache["<code>"] = (len(code), None, code.splitlines(keepends=True), "<code>")
        frames = error.__traceback__ and error.__traceback__.tb_next
        _complain("".join(traceback.format_exception(type(error), error, frames)))
    except BaseException:
        _complain(f"{type(error).__name__}\n")


def _complain(text: str) -> None:
    sys.stderr.write(text)


def _write(given: list[bytes]) -> Seen:
    """The files that are given, and what they look like untouched."""
    seen: Seen = {}
    for name, data in zip(given[::2], given[1::2], strict=True):
        path = os.path.join(WORK, name.decode())
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(data)
        about = os.stat(path)
        seen[path] = (about.st_mtime_ns, about.st_size)
    return seen


def _left(seen: Seen, most: int, most_bytes: int) -> tuple[list[tuple[str, int]], bool]:
    """The regular files that are new or changed, and whether there were more than may be kept."""
    found: list[tuple[str, int]] = []
    room, more = most_bytes, False
    for path in _regular(WORK):
        about = os.lstat(path)
        if seen.get(path) == (about.st_mtime_ns, about.st_size):
            continue
        if len(found) == most or about.st_size > room:
            more = True
            continue
        room -= about.st_size
        found.append((path, about.st_size))
    return found, more


def _regular(folder: str) -> Iterator[str]:
    """Paths of regular files, never through a link; hidden ones and caches are nobody's result."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name.startswith(".") or entry.name == "__pycache__":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path


def _blobs(fd: int) -> Iterator[bytes]:
    with open(fd, "rb", closefd=False) as file:
        while length := file.read(4):
            yield file.read(int.from_bytes(length, "big"))


def _send(fd: int, blob: bytes) -> None:
    _all(fd, len(blob).to_bytes(4, "big") + blob)


def _send_file(fd: int, path: str, size: int) -> None:
    """Name and bytes; what shrank meanwhile is filled up, what grew is cut, what cannot be read is left out."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    _send(fd, os.path.relpath(path, WORK).encode("utf-8", "surrogateescape"))
    _all(fd, size.to_bytes(4, "big"))
    left = size if stat.S_ISREG(os.fstat(opened).st_mode) else 0
    while left and (chunk := os.read(opened, min(left, _CHUNK))):
        _all(fd, chunk)
        left -= len(chunk)
    _all(fd, bytes(left))
    os.close(opened)


def _all(fd: int, data: bytes) -> None:
    view: Any = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    main()
