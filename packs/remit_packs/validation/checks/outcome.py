"""What a check comes to."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from remit.sdk import ToolError

Status = Literal["PASSED", "FAILED", "ERROR"]


class Outcome(Struct, frozen=True):
    """PASSED or FAILED, one sentence that says why, and the evidence. `reason` and `details` hold no row values of bulk.

    A check that cannot decide raises `CheckError` (or lets a `ToolError` through): that is status ERROR.
    """

    status: Status
    reason: str
    details: dict[str, Any] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)
    """Digests of what the tools kept: differing rows, orphaned keys."""


class CheckError(ToolError):
    """The check could not be decided: wrong parameters, a missing column, types that do not compare.

    `details` and `artifacts` are what is known all the same.
    """

    default_code = "E590"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        help: str = "",
        details: dict[str, Any] | None = None,
        artifacts: list[str] | None = None,
    ) -> None:
        super().__init__(message, code=code, help=help)
        self.details = details or {}
        self.artifacts = artifacts or []


def passed(reason: str, *, artifacts: list[str] | None = None, **details: Any) -> Outcome:
    """The data holds."""
    return Outcome("PASSED", reason, details, artifacts or [])


def failed(reason: str, *, artifacts: list[str] | None = None, **details: Any) -> Outcome:
    """The data was read and does not hold."""
    return Outcome("FAILED", reason, details, artifacts or [])


def judged(
    holds: bool, good: str, bad: str, *, artifacts: list[str] | None = None, **details: Any
) -> Outcome:
    """PASSED with the sentence `good`, or FAILED with `bad`; the same details either way."""
    return (passed if holds else failed)(good if holds else bad, artifacts=artifacts, **details)


def plural(count: int, noun: str) -> str:
    """`1 row`, `1,200 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(part: Any, whole: Any) -> float:
    """`part` in per cent of `whole`, 0 of nothing."""
    return round(float(100 * part / whole), 6) if whole else 0.0
