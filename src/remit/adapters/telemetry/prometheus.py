"""Counters, gauges and histograms in this process, rendered in Prometheus' text format 0.0.4. No dependency."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from remit.adapters.telemetry.none import NO_SPAN, NoSpan
from remit.core.semconv import METRICS, Metric, MetricKind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds in seconds: from one append (milliseconds) to a run that works for minutes."""

MAX_SERIES = 1000
"""Label sets kept for one metric; later ones are counted together under `_other`, so that memory stays bounded."""

OTHER = "_other"

Key = tuple[tuple[str, str], ...]


class Series:
    """One label set of one metric: a sum, and the buckets of a histogram."""

    __slots__ = ("buckets", "count", "total")

    def __init__(self) -> None:
        self.total = 0.0
        self.count = 0
        self.buckets = [0] * (len(BUCKETS) + 1)


class Family:
    """One metric and its series."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._series: dict[Key, Series] = {}
        # The same by labels in the order in which callers give them, which need not be sorted each time.
        self._given: dict[Key, Series] = {}
        if not metric.labels and metric.kind == "counter":  # a gauge nobody has set yet is not known to be 0
            self._series[()] = Series()

    def series(self, labels: Mapping[str, str]) -> Series:
        """The series of these labels; the shared overflow one when there are too many."""
        given = tuple(labels.items())
        found = self._given.get(given)
        if found is not None:
            return found
        key = tuple(sorted(given))
        known = key in self._series
        if not known and len(self._series) >= MAX_SERIES:
            return self._series.setdefault(tuple((name, OTHER) for name, _ in key), Series())
        found = self._series.setdefault(key, Series())
        if len(self._given) < 2 * MAX_SERIES:
            self._given[given] = found
        return found

    def lines(self) -> Iterator[str]:
        """The family in text format; nothing when it has no series."""
        if not self._series:
            return
        name = self.metric.name
        yield f"# HELP {name} {_escape_help(self.metric.help)}"
        yield f"# TYPE {name} {self.metric.kind}"
        for key, series in sorted(self._series.items()):
            if self.metric.kind == "histogram":
                yield from _histogram(name, key, series)
            else:
                yield f"{name}{_labels(key)} {_number(series.total)}"


class PrometheusTelemetry:
    """`ports.telemetry.Telemetry` that keeps metrics for `GET /metrics` and drops spans. Safe to call from threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._families = {metric.name: Family(metric) for metric in METRICS}

    def span(self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = "") -> NoSpan:
        """A span that keeps nothing: Prometheus has none."""
        return NO_SPAN

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter, or move a gauge."""
        with self._lock:
            family = self._families.get(name) or self._new_family(name, "counter")
            family.series(labels).total += value

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Record a duration in seconds."""
        with self._lock:
            family = self._families.get(name) or self._new_family(name, "histogram")
            series = family.series(labels)
            series.total += seconds
            series.count += 1
            series.buckets[bisect_left(BUCKETS, seconds)] += 1

    def render(self) -> str:
        """Everything so far in the text format."""
        with self._lock:
            lines = [line for name in sorted(self._families) for line in self._families[name].lines()]
        return "\n".join(lines) + "\n"

    def _new_family(self, name: str, kind: MetricKind) -> Family:
        family = self._families[name] = Family(Metric(name, kind, "", ("",)))
        return family


def _histogram(name: str, key: Key, series: Series) -> Iterator[str]:
    running = 0
    for bound, hits in zip((*BUCKETS, None), series.buckets, strict=True):
        running += hits
        yield f"{name}_bucket{_labels((*key, ('le', '+Inf' if bound is None else _number(bound))))} {running}"
    yield f"{name}_sum{_labels(key)} {_number(series.total)}"
    yield f"{name}_count{_labels(key)} {series.count}"


def _labels(key: Key) -> str:
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in key)
    return f"{{{inner}}}" if inner else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
