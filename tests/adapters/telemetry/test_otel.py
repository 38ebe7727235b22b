"""Spans and metrics by the GenAI conventions, read back from OpenTelemetry's in-memory exporters."""

from __future__ import annotations

import subprocess
import sys

import pytest

from remit.adapters.telemetry.many import flush
from remit.adapters.telemetry.otel import OtelTelemetry
from remit.core import semconv as sc

sdk = pytest.importorskip("opentelemetry.sdk.trace")

RUN = "c8489c18780ae0fe3bd25f72d4523978"


@pytest.fixture
def exported():
    """Telemetry over in-memory exporters: (telemetry, spans(), points())."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = sdk.TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    meters = MeterProvider(metric_readers=[reader])

    def points():
        data = reader.get_metrics_data()
        return {
            m.name: list(m.data.data_points)
            for r in data.resource_metrics
            for scope in r.scope_metrics
            for m in scope.metrics
        }

    yield OtelTelemetry(tracer_provider=tracers, meter_provider=meters), spans.get_finished_spans, points
    tracers.shutdown()
    meters.shutdown()


def test_a_flush_exports_what_waits_for_its_batch():
    """A function that is frozen after each event loses no span."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, tracers = InMemorySpanExporter(), sdk.TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=60_000))
    telemetry = OtelTelemetry(tracer_provider=tracers)
    with telemetry.span("chat m", {sc.OPERATION: "chat"}, trace_id=RUN):
        pass
    assert spans.get_finished_spans() == ()
    flush(telemetry)
    assert [span.name for span in spans.get_finished_spans()] == ["chat m"]
    tracers.shutdown()


def test_spans_nest_and_join_the_runs_trace(exported):
    """The trace's id is the run's, whichever worker opens the span; a nested one is its child."""
    telemetry, spans, _ = exported
    for _ in range(2):
        attributes = {sc.OPERATION: sc.OPERATION_INVOKE_AGENT, sc.AGENT_NAME: "a"}
        with (
            telemetry.span(sc.span_name("invoke_agent", "a"), attributes, trace_id=RUN),
            telemetry.span("chat m", {sc.OPERATION: "chat"}, trace_id=RUN) as inner,
        ):
            inner.set(gen_ai__usage__input_tokens=12, gen_ai__response__finish_reasons=["stop"])
    chat, invoke, _, second = spans()
    assert {format(s.context.trace_id, "032x") for s in spans()} == {RUN}
    assert chat.parent.span_id == invoke.context.span_id
    assert invoke.parent.span_id == second.parent.span_id
    assert invoke.name == "invoke_agent a"
    assert dict(chat.attributes)[sc.INPUT_TOKENS] == 12
    assert dict(chat.attributes)[sc.FINISH_REASONS] == ("stop",)


def test_any_text_makes_a_stable_trace(exported):
    """A trace id that is no hex is hashed into one, and kept as an attribute."""
    telemetry, spans, _ = exported
    for _ in range(2):
        with telemetry.span("x", {}, trace_id="order 66"):
            pass
    one, two = spans()
    assert one.context.trace_id == two.context.trace_id
    assert one.attributes[sc.TRACE_ID] == "order 66"


def test_a_link_points_to_the_span_it_names(exported):
    """A traceparent from another system."""
    telemetry, spans, _ = exported
    with telemetry.span("x", {}, link=f"00-{RUN}-00f067aa0ba902b7-01"):
        pass
    [link] = spans()[0].links
    assert format(link.context.trace_id, "032x") == RUN
    assert format(link.context.span_id, "016x") == "00f067aa0ba902b7"


def test_a_failed_span_says_why_and_an_exception_passes(exported):
    """error.type is the code, or the exception's type; its text, which may hold anything, is not exported."""
    telemetry, spans, _ = exported
    for code in ("E703", ""):
        with pytest.raises(ValueError):
            fail_inside(telemetry, code)
    told, untold = spans()
    assert told.attributes[sc.ERROR_TYPE] == "E703"
    assert told.status.description == "timed out"
    assert untold.attributes[sc.ERROR_TYPE] == "ValueError"
    for span in (told, untold):
        assert span.status.status_code.name == "ERROR"
        assert not span.events
        assert "hunter2" not in span.to_json()


def fail_inside(telemetry, code):
    """Raise inside a span, after saying why if there is a code."""
    with telemetry.span("x", {}) as span:
        if code:
            span.fail(code, "timed out")
        raise ValueError("hunter2")


def test_metrics_carry_conventional_names(exported):
    """Counters, gauges and durations."""
    telemetry, _, points = exported
    telemetry.count(sc.TOKENS, 7, {"model": "m", "kind": "input"})
    telemetry.count(sc.APPROVALS_PENDING, 1, {})
    telemetry.count(sc.APPROVALS_PENDING, -1, {})
    telemetry.observe(sc.MODEL_DURATION, 0.5, {"model": "m"})
    telemetry.count("nobody_knows_this", 1, {})
    found = points()
    [tokens] = found["remit.tokens"]
    assert (tokens.value, dict(tokens.attributes)) == (7, {sc.REQUEST_MODEL: "m", sc.TOKEN_TYPE: "input"})
    assert found["gen_ai.client.operation.duration"][0].count == 1
    assert found["remit.approvals.pending"][0].value == 0


def test_nothing_is_imported_until_it_is_used():
    """A program without telemetry does not pay for OpenTelemetry."""
    code = "import sys, remit.adapters.telemetry.otel; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
