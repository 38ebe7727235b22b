"""The registry renders what Prometheus' own parser reads."""

from __future__ import annotations

import threading

import pytest

from remit.adapters.telemetry.many import ManyTelemetry, exposition
from remit.adapters.telemetry.none import NoTelemetry
from remit.adapters.telemetry.prometheus import BUCKETS, MAX_SERIES, OTHER, PrometheusTelemetry
from remit.core import semconv as sc

parser = pytest.importorskip("prometheus_client.parser")


def samples(telemetry):
    """Every sample by name and labels, as Prometheus' own parser reads it."""
    families = parser.text_string_to_metric_families(telemetry.render())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_counters_gauges_and_histograms_are_read_back():
    """Values, cumulative buckets, sum and count."""
    telemetry = PrometheusTelemetry()
    for _ in range(3):
        telemetry.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
    telemetry.count(sc.APPROVALS_PENDING, 2, {})
    telemetry.count(sc.APPROVALS_PENDING, -1, {})
    for seconds in (0.001, 0.04, 1000.0):
        telemetry.observe(sc.AGENT_DURATION, seconds, {"agent": "a"})
    found = samples(telemetry)
    agent = ("agent", "a")
    assert found[(sc.AGENT_INVOCATIONS, (agent,))] == 3
    assert found[(sc.APPROVALS_PENDING, ())] == 1
    assert found[(f"{sc.AGENT_DURATION}_bucket", (agent, ("le", "0.001")))] == 1
    assert found[(f"{sc.AGENT_DURATION}_bucket", (agent, ("le", "0.05")))] == 2
    assert found[(f"{sc.AGENT_DURATION}_bucket", (agent, ("le", "300")))] == 2
    assert found[(f"{sc.AGENT_DURATION}_bucket", (agent, ("le", "+Inf")))] == 3
    assert found[(f"{sc.AGENT_DURATION}_count", (agent,))] == 3
    assert found[(f"{sc.AGENT_DURATION}_sum", (agent,))] == pytest.approx(1000.041)


def test_odd_labels_survive():
    """Quotes, backslashes and line breaks in a tool's name."""
    telemetry = PrometheusTelemetry()
    odd = 'a"b\\c\nd'
    telemetry.count(sc.TOOL_CALLS, 1, {"tool": odd, "status": "ok"})
    assert samples(telemetry)[(sc.TOOL_CALLS, (("status", "ok"), ("tool", odd)))] == 1


def test_memory_is_bounded():
    """After too many label sets the rest is counted together; nothing is lost from the sum."""
    telemetry = PrometheusTelemetry()
    for n in range(MAX_SERIES + 50):
        telemetry.count(sc.AGENT_INVOCATIONS, 1, {"agent": f"a{n}"})
    found = {k: v for k, v in samples(telemetry).items() if k[0] == sc.AGENT_INVOCATIONS}
    assert len(found) == MAX_SERIES + 1
    assert found[(sc.AGENT_INVOCATIONS, (("agent", OTHER),))] == 50
    assert sum(found.values()) == MAX_SERIES + 50


def test_threads_lose_no_count():
    """Tools run in threads."""
    telemetry = PrometheusTelemetry()

    def count():
        for _ in range(2000):
            telemetry.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert samples(telemetry)[(sc.AGENT_INVOCATIONS, (("agent", "a"),))] == 8000


def test_a_name_nobody_declared_is_kept_too():
    """A pack's own counter."""
    telemetry = PrometheusTelemetry()
    telemetry.count("mine_total", 2, {"a": "b"})
    assert samples(telemetry)[("mine_total", (("a", "b"),))] == 2


def test_many_tell_everybody_and_render_who_can():
    """Counts, durations and spans reach each; nobody listening is an empty text."""
    one, two = PrometheusTelemetry(), PrometheusTelemetry()
    many = ManyTelemetry(one, NoTelemetry(), two)
    many.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
    many.observe(sc.ADVANCE, 0.001, {})
    with many.span("x", {}) as span:
        span.set(remit__step="s0")
        span.fail("E1", "no")
    assert one.render() == two.render()
    assert many.render() == one.render() * 2
    assert exposition(NoTelemetry()) == ""


def test_the_table_of_metrics_is_sound():
    """Names and OpenTelemetry names are unique, counters end in _total, buckets rise, and no label names a tenant."""
    names = [metric.name for metric in sc.METRICS]
    assert len(set(names)) == len(names)
    otel = [metric.otel for metric in sc.METRICS]
    assert len(set(otel)) == len(otel)
    assert all(metric.name.endswith("_total") == (metric.kind == "counter") for metric in sc.METRICS)
    assert list(BUCKETS) == sorted(BUCKETS)
    assert not {"tenant", "tenant_id", "run_id", "actor"} & {label for m in sc.METRICS for label in m.labels}
