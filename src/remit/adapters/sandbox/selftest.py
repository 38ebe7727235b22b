"""Does a sandbox hold, here and now? Hostile code is run in it, and judged by what it reached.

The kernel, its settings or a container around this process may take the ground from under a sandbox without any error, so nothing is
believed: before the first code of an agent runs, these probes do.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import RemitError
from remit.ports.sandbox import Ending, Outcome, Sandbox, SandboxLimits

LIMITS = SandboxLimits(
    wall_s=10.0, cpu_s=5.0, memory_bytes=256 << 20, output_bytes=2_000, file_bytes=1 << 20, files=5
)
BRIEFLY = replace(LIMITS, wall_s=1.5)
HELD = "held"


class Report(Struct, frozen=True):
    """Which probes ran, and which of them a sandbox failed, each with what happened."""

    sandbox: str
    probes: int
    failures: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether code that nobody has read may run in it."""
        return not self.failures


class _Probe(NamedTuple):
    """Hostile code, how it must have ended, and what it must not have said."""

    name: str
    code: str
    endings: tuple[Ending, ...]
    limits: SandboxLimits = LIMITS


_REACH = """
reached = []
def attempt(name, act):
    try:
        act()
    except BaseException:
        return
    reached.append(name)

def read():
    open(SECRET).read()
def write():
    open(BESIDE, "w").write("x")
def passwd():
    open("/etc/passwd").read()
def connect():
    import socket
    socket.create_connection(("127.0.0.1", PORT), 1).close()
def datagram():
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT))
def spawn():
    import subprocess
    subprocess.run(["/bin/true"])
def fork():
    import os
    if os.fork() == 0:
        os._exit(0)
def others():
    import os
    if not [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]:
        raise OSError
def signal_parent():
    import os
    os.kill(PARENT, 0)
def become_root():
    import os
    os.setuid(0)
def namespace():
    import ctypes
    if ctypes.CDLL(None).unshare(0x10000000) != 0:
        raise OSError
def trace():
    import ctypes
    if ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0:
        raise OSError
def mount():
    import ctypes
    if ctypes.CDLL(None).mount(b"none", b"/work", b"tmpfs", 0, None) != 0:
        raise OSError

acts = {"a file": read, "a folder": write, "the users": passwd, "a port": connect, "a datagram": datagram, "a program": spawn,
    "a process": fork, "other processes": others, "its parent": signal_parent, "root": become_root, "a namespace": namespace,
    "tracing": trace, "mounting": mount}
for name, act in acts.items():
    attempt(name, act)
print(",".join(reached) or "held")
"""

_PROBES = (
    _Probe("code runs", "print('held')", ("ok",)),
    _Probe("nothing is reached", _REACH, ("ok",)),
    _Probe("time ends", "print('held')\nwhile True:\n    pass", ("timeout",), BRIEFLY),
    _Probe("memory ends", "print('held')\nx = b'x' * (1 << 34)", ("memory",)),
    _Probe(
        "output ends", "print('held')\nwhile True:\n    print('x' * 1000)", ("stopped", "timeout"), BRIEFLY
    ),
    _Probe(
        "files end",
        "print('held')\nfor i in range(40):\n    open(f'f{i}', 'w').write('x' * 100_000)",
        ("ok", "error"),
    ),
)


async def examine(sandbox: Sandbox) -> Report:
    """Run every probe. Never raises: what cannot be run does not hold."""
    with _bait() as names:
        wrong = await asyncio.gather(*(_probed(sandbox, probe, names) for probe in _PROBES))
    return Report(sandbox.name, len(_PROBES), tuple(filter(None, wrong)))


async def _probed(sandbox: Sandbox, probe: _Probe, names: str) -> str:
    """Run one probe: what is wrong, or nothing."""
    try:
        outcome = await sandbox.run(names + probe.code, limits=probe.limits)
    except RemitError as error:
        return f"{probe.name}: {error.message}"
    why = _judged(probe, outcome)
    return f"{probe.name}: {why}" if why else ""


def _judged(probe: _Probe, outcome: Outcome) -> str:
    """What is wrong, or nothing."""
    said = outcome.stdout.split("\n", 1)[0]
    if outcome.ending not in probe.endings:
        return f"it ended with `{outcome.ending}`"
    if said != HELD:
        return f"reached {said or 'nothing, and did not say so'}"
    if len(outcome.stdout.encode()) > LIMITS.output_bytes or len(outcome.files) > LIMITS.files:
        return "it handed back more than it may"
    if sum(len(file.data) for file in outcome.files) > LIMITS.file_bytes:
        return "it handed back more than it may"
    return ""


@contextmanager
def _bait() -> Iterator[str]:
    """What the probes go for: a secret file, a place to write, a listening port; as the first lines of their code."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as door:
        secret = Path(folder) / "secret"
        secret.write_text(secrets.token_hex(8))
        secret.chmod(0o644)
        Path(folder).chmod(0o777)
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield (
            f"SECRET, BESIDE = {str(secret)!r}, {str(Path(folder) / 'beside')!r}\n"
            f"PORT, PARENT = {door.getsockname()[1]}, {os.getpid()}\n"
        )
