"""Named crash points, on both sides of every journal write and every effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import get_args

from remit.core.errors import ConfigError
from remit.core.event import Data

Crashpoint = Callable[[str], None]

POINTS = frozenset(
    {
        "before:model",
        "after:model",
        "before:create",
        "after:create",
        "before:execution",
        "after:execution",
        "before:schedule:submit",
        "after:schedule:submit",
        "after:schedule:advance",
        "before:submit",
        "after:submit",
        "after:note",
        "after:take",
        "before:reply",
        "after:reply",
        "after:documents:begin",
        "after:documents:blobs",
        "after:documents:index",
        "after:documents:publish",
        "after:documents:delete",
    }
)
"""The points without a name of somebody else's in them."""


def crashpoint(fault: str) -> Crashpoint | None:
    """A function that kills this process (SIGKILL) the nth time it is called with the point named in `fault`.

    `fault` is `POINT` or `POINT#N` (N from 1). Points: `before:append:EVENT`, `after:append:EVENT`,
    `before:effect:TOOL`, `after:effect:TOOL`, `before:reply:STATE`, `after:reply:STATE`, and those of POINTS.
    Empty: None, so that a run without faults pays nothing. Raises ConfigError E1112 for a point that is never reached.
    """
    if not fault:
        return None
    point, hash, count = fault.partition("#")
    if not _known(point) or (hash and not (count.isdecimal() and int(count))):
        raise ConfigError(
            f"`{fault[:100]}` is no crash point",
            code="E1112",
            help=f"POINT or POINT#N; points: {', '.join(sorted(POINTS))}, before|after:append:EVENT, "
            "before|after:effect:TOOL, before|after:reply:STATE",
        )
    left = int(count or 1)

    def at(name: str) -> None:
        nonlocal left
        if name != point:
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return at


def _known(point: str) -> bool:
    side, _, rest = point.partition(":")
    what, _, name = rest.partition(":")
    if point in POINTS:
        return True
    if side not in ("before", "after") or not name:
        return False
    return what in ("effect", "reply") or (what == "append" and name in {e.__name__ for e in get_args(Data)})
