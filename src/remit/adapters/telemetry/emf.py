"""Metrics as lines of CloudWatch's embedded metric format: CloudWatch makes metrics of what a function prints.

A metric costs money for every combination of its dimensions, so these are few: the deployment, with the agent or the model.
Format: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Literal

from msgspec import Struct

from remit.adapters.telemetry.none import NO_SPAN, NoSpan
from remit.core import semconv as sc
from remit.core.codec import encode
from remit.ports.clock import Clock

NAMESPACE = "Remit"

FLUSH_S = 60.0
"""A process that nobody flushes writes at the first measurement after this time; CloudWatch's own grain is a minute."""

MOST_VALUES = 100
"""Values of one metric in one line, as the format allows."""

MOST_GROUPS = 100
"""Agents and models that are told apart between two flushes; the others are `_other`."""

OTHER = "_other"

Unit = Literal["Count", "Milliseconds", "None"]
Group = tuple[str, str]
"""A dimension beside the deployment, and its value; two empty texts for none."""


class Shown(Struct, frozen=True):
    """What CloudWatch gets of a metric of ours: `name`, in `unit`, by dimension `by` (one of our labels).

    Of measurements with a `label` only those count that have one of the values `only`, if there are any, and none of `but`.
    `each`: every measurement counts as one, whatever it measured. `rising`: of a gauge, what it rose by. `last`: the newest
    measurement is what holds.
    """

    name: str
    unit: Unit = "Count"
    by: str = ""
    label: str = ""
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    each: bool = False
    rising: bool = False
    last: bool = False


RATE_LIMITED = "E601"
"""The code of a model call that the provider's rate limit refused."""

SHOWN: dict[str, tuple[Shown, ...]] = {
    sc.AGENT_INVOCATIONS: (Shown("Invocations", by="agent"),),
    sc.AGENT_ERRORS: (Shown("Errors", by="agent"),),
    sc.AGENT_DURATION: (Shown("Duration", "Milliseconds", "agent"),),
    sc.COST: (Shown("CostUSD", "None", "agent"),),
    sc.ADVANCE: (Shown("Executions", each=True), Shown("ExecutionDuration", "Milliseconds")),
    sc.FENCED: (Shown("Fenced"),),
    sc.MODEL_CALLS: (
        Shown("ModelCalls", by="model"),
        Shown("ModelErrors", by="model", label="status", but=("ok",)),
        Shown("Throttled", by="model", label="status", only=(RATE_LIMITED,)),
    ),
    sc.MODEL_DURATION: (Shown("ModelDuration", "Milliseconds", "model"),),
    sc.TOKENS: (
        Shown("InputTokens", by="model", label="kind", only=("input",)),
        Shown("OutputTokens", by="model", label="kind", only=("output",)),
    ),
    sc.TOOL_CALLS: (Shown("ToolCalls"), Shown("ToolErrors", label="status", but=("done",))),
    sc.TOOL_DURATION: (Shown("ToolDuration", "Milliseconds"),),
    sc.IN_DOUBT: (Shown("EffectsInDoubt"),),
    sc.APPROVALS_PENDING: (Shown("ApprovalsRequested", rising=True),),
    sc.APPROVALS_WAITING: (Shown("ApprovalsWaiting", last=True),),
    sc.APPROVALS: (Shown("ApprovalsSettled"),),
    sc.APPROVAL_WAIT: (Shown("ApprovalWait", "Milliseconds"),),
    sc.EVENTS: (Shown("EventsPublished"),),
    sc.DELIVERIES: (
        Shown("Deliveries", label="outcome", only=("done",)),
        Shown("DeliveryFailures", label="outcome", only=("failed",)),
        Shown("DeadLetters", label="outcome", only=("dead",)),
    ),
    sc.EVENT_LAG: (Shown("EventLag", "Milliseconds"),),
    sc.HTTP_REQUESTS: (Shown("Requests"),),
    sc.HTTP_DURATION: (Shown("RequestDuration", "Milliseconds"),),
}
"""Every metric of ours that CloudWatch gets. Processes come and go in Lambda, so that how many approvals wait is counted by `tick`."""

_DIMENSIONS = {"agent": "Agent", "model": "Model"}


class EmfTelemetry:
    """`ports.telemetry.Telemetry` that writes lines. Spans are dropped. Safe to call from threads.

    Counts add up until `flush`, which a Lambda function calls when it has served an event.
    """

    def __init__(self, deployment: str, clock: Clock, write: Callable[[str], object] | None = None) -> None:
        """`write` takes a line with its end; by default it goes to standard output."""
        self._deployment = deployment
        self._clock = clock
        self._write = write or _print
        self._lock = Lock()
        self._groups: dict[Group, dict[Shown, list[float]]] = {}
        self._flushed = clock.monotonic()

    def span(self, name: str, attributes: Mapping[str, Any], *, trace_id: str = "", link: str = "") -> NoSpan:
        """A span that keeps nothing: traces go by OpenTelemetry."""
        return NO_SPAN

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""
        self._take(name, value, labels)

    def observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        """Record a duration in seconds."""
        self._take(name, seconds, labels)

    def flush(self) -> None:
        """Write what was measured since the last time; nothing when nothing was."""
        with self._lock:
            groups, self._groups = self._groups, {}
            self._flushed = self._clock.monotonic()
        now = self._clock.now()
        lines = [line for group, metrics in groups.items() for line in self._lines(group, metrics, now)]
        if lines:
            self._write("".join(lines))

    def _take(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        for shown in SHOWN.get(name, ()):
            label = labels.get(shown.label, "")
            if (shown.only and label not in shown.only) or label in shown.but or (shown.rising and value < 0):
                continue
            with self._lock:
                self._add(shown, value, labels)
        if self._clock.monotonic() - self._flushed >= FLUSH_S:
            self.flush()

    def _add(self, shown: Shown, value: float, labels: Mapping[str, str]) -> None:
        group = (_DIMENSIONS[shown.by], labels.get(shown.by) or OTHER) if shown.by else ("", "")
        if group not in self._groups and len(self._groups) >= MOST_GROUPS:
            group = (group[0], OTHER)
        values = self._groups.setdefault(group, {}).setdefault(shown, [])
        if shown.unit == "Milliseconds":
            values.append(round(value * 1000, 3))
        else:
            values[:] = [value if shown.last else sum(values) + (1 if shown.each else value)]

    def _lines(self, group: Group, metrics: Mapping[Shown, list[float]], now: int) -> list[str]:
        """Lines of one group: as many as its longest metric needs."""
        longest = max(len(values) for values in metrics.values())
        starts = range(0, longest, MOST_VALUES)
        parts = [{m: v[at : at + MOST_VALUES] for m, v in metrics.items() if v[at:]} for at in starts]
        return [self._line(group, part, now) for part in parts]

    def _line(self, group: Group, metrics: Mapping[Shown, list[float]], now: int) -> str:
        dimension, value = group
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [["Deployment"], *([["Deployment", dimension]] if dimension else [])],
            "Metrics": [{"Name": m.name, "Unit": m.unit} for m in metrics],
        }
        line: dict[str, Any] = {
            "_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]},
            "Deployment": self._deployment,
            **({dimension: value} if dimension else {}),
            **{m.name: values[0] if len(values) == 1 else values for m, values in metrics.items()},
        }
        return encode(line).decode() + "\n"


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
