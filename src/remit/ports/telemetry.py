"""What the engine tells the outside about itself: spans and metrics. Free when nobody listens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Span(Protocol):
    """An open span."""

    def set(self, **attributes: Any) -> None:
        """Add attributes (names from `remit.core.semconv`, dots written as `__`)."""

    def fail(self, code: str, message: str) -> None:
        """Mark the span as failed."""


class Telemetry(Protocol):
    """Spans and counters by the OpenTelemetry GenAI conventions."""

    def span(
        self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = ""
    ) -> AbstractContextManager[Span]:
        """Open a span; nested calls are its children."""

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Record a duration in seconds."""
