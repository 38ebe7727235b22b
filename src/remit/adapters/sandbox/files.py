"""Names and sizes of files that go in and come out: what is let through, whatever a caller or a sandbox says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remit.core.errors import ArgumentsError
from remit.ports.sandbox import SandboxFile, SandboxLimits

MOST_CHARS = 200
MOST_CODE_BYTES = 200_000


def is_safe(name: str) -> bool:
    """Whether a name is relative, stays where it is put, and is made of printable characters."""
    parts = name.split("/")
    return (
        0 < len(name) <= MOST_CHARS
        and name.isprintable()
        and "\\" not in name
        and all(part.strip() == part and part not in ("", ".", "..") for part in parts)
    )


def check(code: str, files: Sequence[SandboxFile], limits: SandboxLimits) -> None:
    """Refuse what no sandbox takes. Raises ArgumentsError E911."""
    try:
        size = len(code.encode())
    except UnicodeEncodeError as error:
        raise _refused("the code is no text: it has half of a surrogate pair") from error
    if size > MOST_CODE_BYTES:
        raise _refused(f"the code is larger than {MOST_CODE_BYTES:,} bytes", "give data as files")
    if len(files) > limits.files:
        raise _refused(f"{len(files)} files are more than {limits.files}")
    if sum(len(f.data) for f in files) > limits.file_bytes:
        raise _refused(f"the files are together larger than {limits.file_bytes:,} bytes")
    names: set[str] = set()
    for file in files:
        if not is_safe(file.name):
            raise _refused(
                f"`{file.name[:MOST_CHARS]}` is no name for a file", "use a relative path without `..`"
            )
        if file.name in names or _is_folder(file.name, files):
            raise _refused(f"`{file.name}` is the name of two files")
        names.add(file.name)


def kept(files: Iterable[SandboxFile], limits: SandboxLimits) -> tuple[tuple[SandboxFile, ...], bool]:
    """The files that a sandbox may hand back, and whether any was left out for its name, its size or their number."""
    good: dict[str, SandboxFile] = {}
    room, left_out = limits.file_bytes, False
    for file in files:
        if not is_safe(file.name) or len(file.data) > room or len(good) == limits.files or file.name in good:
            left_out = True
            continue
        room -= len(file.data)
        good[file.name] = file
    return tuple(good.values()), left_out


def clipped(data: bytes, limits: SandboxLimits) -> tuple[str, bool]:
    """What was printed, as text of at most `output_bytes` bytes, and whether it was more."""
    return data[: limits.output_bytes].decode("utf-8", "replace"), len(data) > limits.output_bytes


def _is_folder(name: str, files: Sequence[SandboxFile]) -> bool:
    return any(other.name.startswith(f"{name}/") for other in files)


def _refused(why: str, help: str = "") -> ArgumentsError:
    return ArgumentsError(why, code="E911", help=help)
