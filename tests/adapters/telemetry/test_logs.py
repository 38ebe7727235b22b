"""Structured logs: a line of JSON with the run's ids, and no secret in it."""

from __future__ import annotations

import io
import json
import logging

import pytest

from remit.adapters.telemetry.logs import for_run, handler

KEY = "remit_0123456789abcdef_" + "k" * 43


@pytest.fixture
def logged():
    """A logger of its own and the lines it wrote."""
    out = io.StringIO()
    logger = logging.Logger("remit.test")
    logger.addHandler(handler(as_json=True, known=lambda: ("hunter2",), stream=out))
    return logger, lambda: [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_which_run(logged):
    """run_id and trace_id come from the bound logger; a call may add its own."""
    logger, lines = logged
    for_run(logger, "run_1", "trace_1", agent="a").warning("step %s", "s0", extra={"step": "s0"})
    [line] = lines()
    assert {k: line[k] for k in ("level", "message", "run_id", "trace_id", "agent", "step")} == {
        "level": "warning",
        "message": "step s0",
        "run_id": "run_1",
        "trace_id": "trace_1",
        "agent": "a",
        "step": "s0",
    }
    assert line["ts"].endswith("+00:00")


def test_secrets_are_redacted_wherever_they_stand(logged):
    """In the text, in an argument, in a field, in an exception; a key keeps its id, which is no secret."""
    logger, lines = logged
    logger.info("hunter2")
    logger.info("it is %s and %s", "hunter2", KEY)
    logger.info("x", extra={"run_id": "hunter2"})
    try:
        raise ValueError(f"hunter2 {KEY}")
    except ValueError:
        logger.exception("failed")
    text = json.dumps(lines())
    assert "hunter2" not in text
    assert "k" * 43 not in text
    assert "remit_0123456789abcdef_[redacted]" in text
    assert "ValueError" in lines()[-1]["error"]


def test_a_message_of_several_lines_stays_one_line(logged):
    """Nobody forges a log line with a line break."""
    logger, lines = logged
    logger.info('one\n{"level": "forged"}')
    assert len(lines()) == 1
