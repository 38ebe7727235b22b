"""The kernel's own guard at the door of the sandbox: a seccomp filter, written in its machine language (classic BPF).

A call is let through if it is on the list of `syscalls`, or on it with arguments that are harmless:

- a thread may be made, a process may not (`clone`; `clone3`, whose arguments a filter cannot see, does not exist here);
- sockets come in pairs that lead nowhere else (`socketpair` of AF_UNIX); there is no `socket`;
- a terminal may be asked what it is, and nothing be typed into it (`ioctl`);
- a thread may name itself, and change nothing else of its standing (`prctl`).

Anything else fails as if the kernel did not have it. A program of another architecture on the same machine is killed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from remit.adapters.sandbox.syscalls import ARCHITECTURES, allowed, conditional, forks

EPERM, EACCES, ENOTTY, ENOSYS = 1, 13, 25, 38

KILL = 0x8000_0000
ALLOW = 0x7FFF_0000
_ERRNO = 0x0005_0000

_LOAD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _JUMP_IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in `struct seccomp_data`."""

_X32 = 0x4000_0000
"""Calls of the x32 architecture carry this bit, and the number of another call."""

_THREAD = 0x0001_0000
_NAMESPACES = 0x7E02_0080
"""`CLONE_THREAD`; and every `CLONE_NEW...`."""

_TERMINAL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""

_NAMING = (15, 16, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names of anonymous memory, by glibc)."""

_AF_UNIX = 1

Instruction = tuple[int, int, int, int]


def program(machine: str) -> bytes:
    """The filter for an architecture of `ARCHITECTURES`, as bubblewrap takes it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _instructions(machine))


def _instructions(machine: str) -> list[Instruction]:
    calls = conditional(machine)
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        _answer(KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_AT_LEAST, 0, 1, _X32),
        _answer(KILL),
        *_each(allowed(machine).values(), ALLOW),
        *_when(calls["clone"], _clone()),
        *_when(calls["ioctl"], _one_of(1, _TERMINAL, ENOTTY)),
        *_when(calls["prctl"], _one_of(0, _NAMING, EPERM)),
        *_when(calls["socketpair"], _one_of(0, (_AF_UNIX,), EACCES)),
        *_each((calls["socket"],), _ERRNO | EACCES),
        *_each(forks(machine), _ERRNO | EPERM),
        _answer(_ERRNO | ENOSYS),
    ]


def _clone() -> list[Instruction]:
    return [
        (_LOAD, 0, 0, _ARGUMENTS),
        (_JUMP_IF_ANY_BIT, 1, 0, _NAMESPACES),
        (_JUMP_IF_ANY_BIT, 1, 0, _THREAD),
        _answer(_ERRNO | EPERM),
        _answer(ALLOW),
    ]


def _one_of(argument: int, values: Iterable[int], otherwise: int) -> list[Instruction]:
    """Allow the call when the low half of an argument, which is all that the kernel reads of it, is one of the values."""
    low = (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)
    return [low, *_each(values, ALLOW), _answer(_ERRNO | otherwise)]


def _each(values: Iterable[int], answer: int) -> list[Instruction]:
    return [step for value in values for step in ((_JUMP_IF_EQUAL, 0, 1, value), _answer(answer))]


def _when(number: int, judged: list[Instruction]) -> list[Instruction]:
    """Instructions, ending in an answer, for one call only."""
    return [(_JUMP_IF_EQUAL, 0, len(judged), number), *judged]


def _answer(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)
