"""What is asked of an engine, and the clock that stops what runs too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self

from remit_packs.tools.sql.limits import Limits
from remit_packs.tools.sql.result import Rows
from remit_packs.tools.sql.schema import Tables

Reads = Mapping[str, set[str]]
"""The stored columns that a query may read, by table; all names in lower case."""


class Engine(Protocol):
    """One database. Blocking; each call opens a connection of its own, hardened, and closes it: nothing is left over from the query before."""

    dialect: str
    """The name of its SQL, as sqlglot calls it."""

    def inspect(self) -> Tables:
        """All tables and views that the login may read. Raises ToolError E907, E908."""

    def run(self, sql: str, limits: Limits, reads: Reads) -> Rows:
        """The rows of a guarded query. Raises ArgumentsError E904-E906; ToolError E907, E908."""


def taken(rows: Iterable[Sequence[Any]], limits: Limits) -> tuple[list[Sequence[Any]], bool]:
    """Rows one by one, as many as are wanted and not much larger than allowed; and whether there were more."""
    found: list[Sequence[Any]] = []
    size = 0
    for row in rows:
        if len(found) >= limits.max_rows or size > 4 * limits.max_bytes:
            return found, True
        found.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
    return found, False


class Deadline:
    """Calls `stop` from another thread when the block takes longer than `seconds`."""

    def __init__(self, seconds: float, stop: Callable[[], object]) -> None:
        self.seconds = seconds
        self.passed = False
        self._stop = stop
        self._over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:  # whoever is stopping now is waited for: afterwards there may be nothing to stop
            self._over = True

    def _ring(self) -> None:
        with self._lock:
            if not self._over:
                self.passed = True
                self._stop()
