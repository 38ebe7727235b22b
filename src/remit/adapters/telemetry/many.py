"""Telemetry to several places at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

from remit.ports.telemetry import Span, Telemetry


@runtime_checkable
class Rendering(Protocol):
    """Telemetry that can be read as Prometheus text."""

    def render(self) -> str:
        """Everything so far in the text format."""


@runtime_checkable
class Flushing(Protocol):
    """Telemetry that writes what it has when it is told, such as at the end of a Lambda invocation."""

    def flush(self) -> None:
        """Write everything so far."""


class ManySpans:
    """Open spans of several sinks as one."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans

    def set(self, **attributes: Any) -> None:
        """Add attributes to each."""
        for span in self._spans:
            span.set(**attributes)

    def fail(self, code: str, message: str) -> None:
        """Mark each as failed."""
        for span in self._spans:
            span.fail(code, message)


class ManyTelemetry:
    """`ports.telemetry.Telemetry` that tells each of `sinks`."""

    def __init__(self, *sinks: Telemetry) -> None:
        self._sinks = sinks

    def span(
        self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = ""
    ) -> AbstractContextManager[Span]:
        """Open a span in each."""
        return self._open(name, attributes, trace_id, link)

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter in each."""
        for sink in self._sinks:
            sink.count(name, value, labels)

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Record a duration in each."""
        for sink in self._sinks:
            sink.observe(name, seconds, labels)

    def render(self) -> str:
        """The text of every sink that has one."""
        return "".join(sink.render() for sink in self._sinks if isinstance(sink, Rendering))

    def flush(self) -> None:
        """Write everything so far, where it waits for that."""
        for sink in self._sinks:
            flush(sink)

    @contextmanager
    def _open(self, name: str, attributes: Mapping[str, Any], trace_id: str, link: str) -> Iterator[Span]:
        with ExitStack() as stack:
            spans = [
                stack.enter_context(sink.span(name, attributes, trace_id=trace_id, link=link))
                for sink in self._sinks
            ]
            yield ManySpans(spans)


def exposition(telemetry: Telemetry) -> str:
    """The Prometheus text of any telemetry; empty when it keeps none."""
    return telemetry.render() if isinstance(telemetry, Rendering) else ""


def flush(telemetry: Telemetry) -> None:
    """Let any telemetry write what it has."""
    if isinstance(telemetry, Flushing):
        telemetry.flush()
