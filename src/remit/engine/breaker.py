"""A circuit breaker: after several failures in a row, calls are refused for a while instead of made."""

from __future__ import annotations

from remit.ports.clock import Clock


class Breaker:
    """Closed until `failures` in a row; open for `open_s` seconds; then one call may try."""

    def __init__(self, clock: Clock, *, failures: int = 5, open_s: float = 30.0) -> None:
        self._clock = clock
        self._limit = failures
        self._open_s = open_s
        self._failed = 0
        self._until = 0.0

    def allows(self) -> bool:
        """Whether a call may be made now. The first one after `open_s` is the probe; others wait for it."""
        if self._failed < self._limit:
            return True
        now = self._clock.monotonic()
        if now < self._until:
            return False
        self._until = now + self._open_s
        return True

    def succeeded(self) -> None:
        """The call worked: closed."""
        self._failed = 0

    def failed(self) -> None:
        """The call failed."""
        self._failed += 1
        if self._failed >= self._limit:
            self._until = self._clock.monotonic() + self._open_s
