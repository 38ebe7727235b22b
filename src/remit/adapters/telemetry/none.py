"""Telemetry for when nobody listens: nearly free."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any


class NoSpan(AbstractContextManager["NoSpan"]):
    """A span that keeps nothing. One instance serves everybody, since it has no state."""

    def set(self, **attributes: Any) -> None:
        """Forget the attributes."""

    def fail(self, code: str, message: str) -> None:
        """Forget the failure."""

    def __exit__(self, *error: object) -> None:
        """Let any exception pass."""


NO_SPAN = NoSpan()


class NoTelemetry:
    """`ports.telemetry.Telemetry` that does nothing."""

    def span(self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = "") -> NoSpan:
        """A span that keeps nothing."""
        return NO_SPAN

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Forget the count."""

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Forget the duration."""
