"""What tools ask of a sandbox: run code that nobody has read, and reach nothing by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

Ending = Literal["ok", "error", "timeout", "memory", "stopped"]
"""How code ended: by itself, with an exception of its own, at a limit of time or memory, or stopped for another limit."""


class SandboxLimits(Struct, frozen=True):
    """The most that one run of code may take. Times in seconds, sizes in bytes."""

    wall_s: float = 20.0
    cpu_s: float = 10.0
    memory_bytes: int = 512 << 20
    output_bytes: int = 100_000
    file_bytes: int = 20 << 20
    files: int = 50


class SandboxFile(Struct, frozen=True):
    """A file that code is given, or left behind. `name` is relative, without `..`."""

    name: str
    data: bytes


class Outcome(Struct, frozen=True):
    """What became of code: how it ended, what it printed, the value of its last expression as text, and the files it left."""

    ending: Ending
    stdout: str = ""
    stderr: str = ""
    value: str = ""
    files: tuple[SandboxFile, ...] = ()
    truncated: bool = False
    duration_ms: float = 0.0


class Sandbox(Protocol):
    """A place where Python runs without reaching the network, the system, other runs or secrets."""

    @property
    def name(self) -> str:
        """Which one, e.g. `bubblewrap`."""

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run Python. Raises ToolError when nothing was run; whatever the code does is an Outcome."""
