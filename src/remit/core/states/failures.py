"""Errors of the States Language: their names, what matches them, and the limits of Step Functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
PERMISSIONS = "States.Permissions"
RUNTIME = "States.Runtime"
DATA_LIMIT = "States.DataLimitExceeded"
NO_CHOICE = "States.NoChoiceMatched"
QUERY = "States.QueryEvaluationError"
INTRINSIC = "States.IntrinsicFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
PARAMETER_PATH = "States.ParameterPathFailure"
ITEM_READER = "States.ItemReaderFailed"
RESULT_WRITER = "States.ResultWriterFailed"
TOLERATED = "States.ExceedToleratedFailureThreshold"

UNCAUGHT_BY_ALL = frozenset({RUNTIME, DATA_LIMIT})
"""Errors that `States.ALL` does not match (AWS developer guide, "Handling errors")."""
NOT_TASK_FAILED = frozenset({TIMEOUT})
"""`States.TaskFailed` matches any other error than these."""

PAYLOAD_BYTES = 262_144
"""The most that a state's input or output may be, as UTF-8 JSON (quota of Step Functions: 256 KiB)."""
VISITS = 25_000
"""The most states that one run enters outside distributed Maps (quota: 25,000 events of history): a loop without an end stops."""


class StateFailure(Exception):
    """A state failed with an error of the States Language: `error` is its name, `cause` says more."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}" if cause else error)
        self.error = error
        self.cause = cause


def matches(error_equals: Sequence[Any], error: str) -> bool:
    """Whether a Retrier or Catcher is meant for this error (AWS developer guide, "Error names")."""
    if error in error_equals:
        return True
    if error in UNCAUGHT_BY_ALL:
        return False
    if error == HEARTBEAT_TIMEOUT and TIMEOUT in error_equals:
        return True
    return ALL in error_equals or (TASK_FAILED in error_equals and error not in NOT_TASK_FAILED)
