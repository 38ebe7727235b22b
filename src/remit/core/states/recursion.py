"""Room for deep recursion while a JSONata expression is read or evaluated, and not a moment longer.

The JSONata library raises the interpreter's limit for good when it is imported. A process that then writes what is nested
deeper than another process can read would write journals that nobody else can fold.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

LIMIT = 10_000

_lock = threading.Lock()
_inside = 0
_usual = 0


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Raise the limit; the last one to leave puts it back. Threads may be inside at the same time."""
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = sys.getrecursionlimit()
        _inside += 1
        sys.setrecursionlimit(max(_usual, LIMIT))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                sys.setrecursionlimit(_usual)
