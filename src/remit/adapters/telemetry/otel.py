"""Spans and metrics to OpenTelemetry, by the GenAI conventions. Loads OpenTelemetry only when it is used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.core.semconv import (
    AGENT_NAME,
    ERROR_TYPE,
    METRICS,
    REQUEST_MODEL,
    TOKEN_TYPE,
    TOOL_NAME,
    TRACE_ID,
    Metric,
)
from remit.ports.telemetry import Span

SCOPE = "remit"

FLUSH_MS = 2000
"""How long a flush waits for the collector."""

_HEX_TRACE = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LABELS = {
    "agent": AGENT_NAME,
    "model": REQUEST_MODEL,
    "tool": TOOL_NAME,
    "kind": TOKEN_TYPE,
    "error_type": ERROR_TYPE,
    "method": "http.request.method",
    "route": "http.route",
    "status": "remit.status",
}


class OtelSpan:
    """An OpenTelemetry span behind our port."""

    def __init__(self, span: Any, failed: Any) -> None:
        self._span = span
        self._status = failed
        self._failed = False

    def set(self, **attributes: Any) -> None:
        """Add attributes; `gen_ai__agent__name` means `gen_ai.agent.name`."""
        self._span.set_attributes({name.replace("__", "."): _value(v) for name, v in attributes.items()})

    def fail(self, code: str, message: str) -> None:
        """Mark the span as failed."""
        self._failed = True
        self._span.set_attribute(ERROR_TYPE, code)
        self._span.set_status(self._status, message)

    def raised(self, error: BaseException) -> None:
        """Mark the span as failed by an exception, by its type alone, unless the reason is known already."""
        if not self._failed:
            self.fail(type(error).__name__, "")


class OtelTelemetry:
    """`ports.telemetry.Telemetry` over an OpenTelemetry tracer and meter (the global providers' by default).

    A run's `trace_id` becomes the id of the trace when it is 32 hex digits, else it is hashed into one, so that
    every worker that ever advances the run adds to the same trace. Raises ConfigError when the API is missing.
    """

    def __init__(self, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        self._trace = _load("opentelemetry.trace")
        metrics = _load("opentelemetry.metrics")
        self._tracer = self._trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        self._waiting = [p for p in (tracer_provider, meter_provider) if hasattr(p, "force_flush")]
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._instruments = {metric.name: _instrument(meter, metric) for metric in METRICS}

    def span(
        self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = ""
    ) -> AbstractContextManager[Span]:
        """Open a span; inside another one it is its child, otherwise it joins the trace of `trace_id`."""
        return self._open(name, attributes, trace_id, link)

    def flush(self) -> None:
        """Export what waits for its batch: a process that is frozen between two events may not do so by itself."""
        for provider in self._waiting:
            provider.force_flush(FLUSH_MS)

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        add = self._instruments.get(name)
        if add is not None:
            add(value, _attributes(labels))

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Record a duration in seconds."""
        self.count(name, seconds, labels)

    @contextmanager
    def _open(self, name: str, attributes: Mapping[str, Any], trace_id: str, link: str) -> Iterator[Span]:
        given = {key: _value(value) for key, value in attributes.items()}
        if trace_id:
            given[TRACE_ID] = trace_id
        with self._tracer.start_as_current_span(
            name,
            context=self._parent(trace_id),
            attributes=given,
            links=self._links(link),
            record_exception=False,  # an exception's text may hold anything, secrets too
            set_status_on_exception=False,
        ) as span:
            opened = OtelSpan(span, self._trace.StatusCode.ERROR)
            try:
                yield opened
            except BaseException as error:
                opened.raised(error)
                raise

    def _parent(self, trace_id: str) -> Any:
        current = self._trace.get_current_span().get_span_context()
        if not trace_id or current.is_valid:
            return None
        return self._trace.set_span_in_context(self._trace.NonRecordingSpan(self._remote(trace_id)))

    def _links(self, link: str) -> list[Any]:
        return [self._trace.Link(self._remote(link))] if link else []

    def _remote(self, reference: str) -> Any:
        trace, span = _ids(reference)
        flags = self._trace.TraceFlags(self._trace.TraceFlags.SAMPLED)
        return self._trace.SpanContext(trace, span, is_remote=True, trace_flags=flags)


def exporting(service: str, version: str, *, metrics: bool = True) -> OtelTelemetry:
    """Telemetry that exports over OTLP/HTTP; the endpoint comes from the standard `OTEL_EXPORTER_OTLP_*` variables.

    Without `metrics` only spans go out, for receivers that take nothing else.

    Raises ConfigError with the install line when the SDK or the exporter is missing.
    """
    trace_sdk, export = _load("opentelemetry.sdk.trace"), _load("opentelemetry.sdk.trace.export")
    metrics_sdk, metrics_export = (
        _load("opentelemetry.sdk.metrics"),
        _load("opentelemetry.sdk.metrics.export"),
    )
    spans_out = _load("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    metrics_out = _load("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    resource = _load("opentelemetry.sdk.resources").Resource.create(
        {"service.name": service, "service.version": version}
    )
    tracers = trace_sdk.TracerProvider(resource=resource)
    tracers.add_span_processor(export.BatchSpanProcessor(spans_out.OTLPSpanExporter()))
    readers = (
        [metrics_export.PeriodicExportingMetricReader(metrics_out.OTLPMetricExporter())] if metrics else []
    )
    meters = metrics_sdk.MeterProvider(resource=resource, metric_readers=readers)
    return OtelTelemetry(tracer_provider=tracers, meter_provider=meters)


def _load(module: str) -> Any:
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ConfigError(
            f"OpenTelemetry is switched on, but `{module}` is not installed",
            code="E231",
            help=how_to_install("otel") + "; or unset `REMIT_OTEL` and `OTEL_EXPORTER_OTLP_ENDPOINT`",
        )
    return import_module(module)


def _instrument(meter: Any, metric: Metric) -> Callable[[float, dict[str, str]], None]:
    options = {"unit": metric.unit, "description": metric.help}
    if metric.kind == "histogram":
        record: Callable[[float, dict[str, str]], None] = meter.create_histogram(
            metric.otel, **options
        ).record
        return record
    make = meter.create_counter if metric.kind == "counter" else meter.create_up_down_counter
    add: Callable[[float, dict[str, str]], None] = make(metric.otel, **options).add
    return add


def _attributes(labels: Mapping[str, str]) -> dict[str, str]:
    return {_LABELS.get(name, f"remit.{name}"): value for name, value in labels.items()}


def _ids(reference: str) -> tuple[int, int]:
    """Trace and span id of a traceparent, of a 32-digit hex trace id, or (hashed) of any other text."""
    parent = _TRACEPARENT.fullmatch(reference)
    if parent:
        return int(parent[1], 16), int(parent[2], 16)
    hashed = hashlib.sha256(reference.encode()).digest()
    known = _HEX_TRACE.fullmatch(reference)
    trace = int(reference, 16) if known else int.from_bytes(hashed[:16], "big")
    return trace or 1, int.from_bytes(hashed[16:24], "big") or 1


def _value(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [str(item) for item in value]
    return str(value)
