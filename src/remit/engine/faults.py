"""Named crash points, on both sides of every journal write and every effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

Crashpoint = Callable[[str], None]


def crashpoint(fault: str) -> Crashpoint | None:
    """A function that kills this process (SIGKILL) the nth time it is called with the point named in `fault`.

    `fault` is `POINT` or `POINT#N` (N from 1). Points: `before:append:EVENT`, `after:append:EVENT`,
    `before:effect:TOOL`, `after:effect:TOOL`, `before:model`, `after:model`, `before:create`, `after:create`,
    `before:schedule:submit`, `after:schedule:submit`, `after:schedule:advance`, `after:documents:STEP` (`begin`, `blobs`,
    `index`, `publish`, `delete`); where tasks come by topics `before:submit`, `after:submit`, `after:note`, `after:take`, `before:reply`,
    `after:reply`.
    Empty: None, so that a run without faults pays nothing.
    """
    if not fault:
        return None
    point, _, count = fault.partition("#")
    left = int(count or 1)

    def at(name: str) -> None:
        nonlocal left
        if name != point:
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return at
