"""Metrics as CloudWatch reads them from what a function prints."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from remit.adapters.telemetry.emf import FLUSH_S, MOST_GROUPS, MOST_VALUES, SHOWN, EmfTelemetry
from remit.adapters.telemetry.many import ManyTelemetry, flush
from remit.adapters.telemetry.none import NoTelemetry
from remit.adapters.telemetry.prometheus import PrometheusTelemetry
from remit.core import semconv as sc
from remit.testing.clock import START_MS, FakeClock

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def emf(clock: FakeClock, written: list[str]) -> EmfTelemetry:
    return EmfTelemetry("remit-dev", clock, written.append)


@pytest.fixture
def lines(emf: EmfTelemetry, written: list[str]) -> Lines:
    """What a flush writes, read as CloudWatch reads it."""

    def flushed() -> list[dict[str, Any]]:
        emf.flush()
        text = "".join(written)
        written.clear()
        return [checked(json.loads(line)) for line in text.splitlines()]

    return flushed


def checked(line: dict[str, Any]) -> dict[str, Any]:
    """The line, if it is one by the specification of the format."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert isinstance(line["_aws"]["Timestamp"], int)
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 30
        for name in dimensions:
            assert isinstance(line[name], str)
            assert 1 <= len(line[name]) <= 1024
    assert len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert metric["Unit"] in ("Count", "Milliseconds", "None")
        values = line[metric["Name"]]
        assert isinstance(values, int | float) or len(values) <= 100
    return line


def test_counts_add_up_until_they_are_written(emf: EmfTelemetry, lines: Lines) -> None:
    """One line for an agent, with the deployment alone and with the agent as dimensions; then nothing is left."""
    for _ in range(3):
        emf.count(sc.AGENT_INVOCATIONS, 1, {"agent": "writer"})
    emf.count(sc.AGENT_ERRORS, 1, {"agent": "writer", "error_type": "E501"})
    emf.count(sc.COST, 0.25, {"agent": "writer"})
    emf.observe(sc.AGENT_DURATION, 1.5, {"agent": "writer"})
    emf.observe(sc.AGENT_DURATION, 0.0001, {"agent": "writer"})
    (line,) = lines()
    (directive,) = line.pop("_aws")["CloudWatchMetrics"]
    assert directive["Namespace"] == "Remit"
    assert directive["Dimensions"] == [["Deployment"], ["Deployment", "Agent"]]
    assert line == {
        "Deployment": "remit-dev",
        "Agent": "writer",
        "Invocations": 3,
        "Errors": 1,
        "CostUSD": 0.25,
        "Duration": [1500.0, 0.1],
    }
    assert lines() == []


def test_model_calls_are_told_apart_by_how_they_ended(emf: EmfTelemetry, lines: Lines) -> None:
    """Every call counts; errors and rate limits have metrics of their own."""
    for status in ("ok", "ok", "E601", "E606"):
        emf.count(sc.MODEL_CALLS, 1, {"model": "m", "status": status})
    emf.count(sc.TOKENS, 31, {"model": "m", "kind": "input"})
    emf.count(sc.TOKENS, 17, {"model": "m", "kind": "output"})
    (line,) = lines()
    assert (line["ModelCalls"], line["ModelErrors"], line["Throttled"]) == (4, 2, 1)
    assert (line["InputTokens"], line["OutputTokens"]) == (31, 17)


def test_executions_are_counted_and_timed(emf: EmfTelemetry, lines: Lines) -> None:
    """One for each time that a run is advanced, however long that takes."""
    for seconds in (0.5, 2.0):
        emf.observe(sc.ADVANCE, seconds, {})
    (line,) = lines()
    assert (line["Executions"], line["ExecutionDuration"]) == (2, [500.0, 2000.0])
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Deployment"]]


def test_many_values_take_several_lines(emf: EmfTelemetry, lines: Lines) -> None:
    """The format allows a hundred in one; counts are in one of the lines only."""
    emf.count(sc.AGENT_INVOCATIONS, 7, {"agent": "a"})
    for _ in range(2 * MOST_VALUES + 1):
        emf.observe(sc.AGENT_DURATION, 1, {"agent": "a"})
    found = lines()
    assert [len(v) if isinstance(v := line["Duration"], list) else 1 for line in found] == [100, 100, 1]
    assert [line.get("Invocations") for line in found] == [7, None, None]


def test_dimensions_stay_few(emf: EmfTelemetry, lines: Lines) -> None:
    """What there are too many of is counted together, and nothing is lost."""
    for number in range(2 * MOST_GROUPS):
        emf.count(sc.AGENT_INVOCATIONS, 1, {"agent": f"agent{number}"})
    found = lines()
    assert len(found) == MOST_GROUPS + 1
    assert sum(line["Invocations"] for line in found) == 2 * MOST_GROUPS
    assert found[-1]["Agent"] == "_other"


def test_every_metric_shown_is_one_of_ours(emf: EmfTelemetry, lines: Lines) -> None:
    """And each has a name and a dimension that stay the same for alarms."""
    known = {metric.name: metric for metric in sc.METRICS}
    names = [shown.name for each in SHOWN.values() for shown in each]
    assert len(names) == len(set(names))
    for name, each in SHOWN.items():
        assert {label for s in each for label in (s.by, s.label) if label} <= set(known[name].labels)
    emf.count("no_such_metric", 1, {})
    assert lines() == []


def test_approvals_are_counted_as_they_come_and_go(emf: EmfTelemetry, lines: Lines) -> None:
    """Their difference is how many wait, whichever process asked and whichever settled."""
    for step in (1, 1, -1, 1):
        emf.count(sc.APPROVALS_PENDING, step, {})
    emf.count(sc.APPROVALS, 1, {"decision": "approved"})
    (line,) = lines()
    assert (line["ApprovalsRequested"], line["ApprovalsSettled"]) == (3, 1)


def test_a_process_that_nobody_flushes_writes_by_itself(
    emf: EmfTelemetry, clock: FakeClock, written: list[str]
) -> None:
    """At the first measurement after a minute, with the time of the writing."""
    emf.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
    clock.advance(FLUSH_S)
    assert written == []
    emf.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
    (text,) = written
    assert json.loads(text)["Invocations"] == 2
    assert json.loads(text)["_aws"]["Timestamp"] == START_MS + FLUSH_S * 1000


def test_threads_lose_nothing(emf: EmfTelemetry, written: list[str]) -> None:
    """Counts from several threads, with a flush in between, are all written."""

    def work() -> None:
        for _ in range(500):
            emf.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
            emf.flush()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    emf.flush()
    assert sum(json.loads(line)["Invocations"] for line in "".join(written).splitlines()) == 2000


def test_lines_go_to_standard_output(clock: FakeClock, capsys: pytest.CaptureFixture[str]) -> None:
    """Where Lambda and a container's log driver pick them up; through a telemetry of several, too."""
    both = ManyTelemetry(PrometheusTelemetry(), EmfTelemetry("remit-dev", clock))
    both.count(sc.AGENT_INVOCATIONS, 1, {"agent": "a"})
    flush(both)
    flush(NoTelemetry())
    out, err = capsys.readouterr()
    assert json.loads(out)["Agent"] == "a"
    assert err == ""
