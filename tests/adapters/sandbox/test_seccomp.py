"""The filter of system calls, run by a machine of the test's own, for both architectures."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from remit.adapters.sandbox.seccomp import ALLOW, KILL, program
from remit.adapters.sandbox.syscalls import ARCHITECTURES, allowed, conditional, forks

EPERM, EACCES, ENOTTY, ENOSYS = (0x0005_0000 | n for n in (1, 13, 25, 38))
MACHINES = sorted(ARCHITECTURES)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
OTHER_NAMES = {"newfstatat": "fstatat"}


def judged(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    """What the filter answers to a call."""
    given = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, ARCHITECTURES[machine] if arch is None else arch, 0, *given)
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    at = accumulator = 0
    while True:
        op, yes, no, value = code[at]
        at += 1
        match op:
            case 0x20:
                accumulator = struct.unpack_from("=I", data, value)[0]
            case 0x15:
                at += yes if accumulator == value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"instruction {op:#x}")


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_is_allowed_and_nothing_else(machine: str) -> None:
    """Of all numbers there are or will be; those judged by arguments are refused without good ones."""
    numbers = set(allowed(machine).values())
    special = {*conditional(machine).values(), *forks(machine)}
    for number in range(600):
        verdict = judged(machine, number)
        assert (verdict == ALLOW) == (number in numbers), number
        assert verdict in ((ALLOW, EPERM, EACCES, ENOTTY) if number in numbers | special else (ENOSYS,))


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "arguments", "verdict"),
    [
        ("clone", (0x3D0F00,), ALLOW),
        ("clone", (17,), EPERM),
        ("clone", (0x3D0F00 | 0x1000_0000,), EPERM),
        ("clone", (0x3D0F00 | 0x0002_0000,), EPERM),
        ("clone", (1 << 40 | 17,), EPERM),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), ENOTTY),
        ("ioctl", (0, 1 << 32 | 0x5412), ENOTTY),
        ("prctl", (15,), ALLOW),
        ("prctl", (22,), EPERM),
        ("prctl", (38,), EPERM),
        ("socketpair", (1,), ALLOW),
        ("socketpair", (2,), EACCES),
        ("socket", (1,), EACCES),
    ],
)
def test_some_calls_are_judged_by_their_arguments(
    machine: str, call: str, arguments: tuple[int, ...], verdict: int
) -> None:
    """A thread but no process, a pair of sockets but no socket, a question to a terminal but no typing."""
    assert judged(machine, conditional(machine)[call], *arguments) == verdict


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architecture_is_killed(machine: str) -> None:
    """32-bit calls have other numbers, and x32 ones a bit more."""
    assert judged(machine, 1, arch=0x4000_0003) == KILL
    assert judged(machine, 0x4000_0000 | allowed(machine)["read"]) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernel_s(machine: str) -> None:
    """As its headers have them, where they are installed."""
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed: apt-get install linux-libc-dev")
    text = HEADERS[machine].read_text()
    known = {n: int(v) for n, v in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)$", text, re.MULTILINE)}
    for name, number in {**allowed(machine), **conditional(machine)}.items():
        there = known.get(name, known.get(OTHER_NAMES.get(name, "")))
        assert there == number, name
