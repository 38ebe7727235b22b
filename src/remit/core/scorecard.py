"""The scorecard (V11): what the run log says about a table or an owner, as numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from msgspec import Struct

from remit.core.validation import Score, ValidationRun, ValidationStatus

DAY_MS = 86_400_000


class LastRun(NamedTuple):
    """When a rule ran last, and what came of it. The later of two is the greater."""

    timestamp: int
    run_id: str
    status: ValidationStatus


class Tally(Struct, frozen=True):
    """What came of the runs of one table on one day, and of the last run of each of its rules on that day."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    last: dict[str, LastRun] = {}

    @property
    def runs(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.errors


Tallies = Mapping[str, Tally]
"""A tally for each UTC day on which something ran."""


def day_of(timestamp: int) -> str:
    """The UTC day of a time in Unix milliseconds, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%d")


def day_start(day: str) -> int:
    """The first millisecond of a UTC day."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def day_after(day: str, days: int = 1) -> str:
    """The day so many days later."""
    return (datetime.fromisoformat(day) + timedelta(days=days)).strftime("%Y-%m-%d")


def tallied(runs: Iterable[ValidationRun]) -> dict[str, Tally]:
    """The runs by day, in whatever order they come."""
    counted: dict[str, dict[str, int]] = {}
    last: dict[str, dict[str, LastRun]] = {}
    for run in runs:
        day = day_of(run.timestamp)
        counts = counted.setdefault(day, {"PASSED": 0, "FAILED": 0, "ERROR": 0})
        counts[run.status] += 1
        newest = last.setdefault(day, {})
        this = LastRun(run.timestamp, run.run_id, run.status)
        newest[run.config_id] = max(this, newest.get(run.config_id, this))
    return {d: Tally(c["PASSED"], c["FAILED"], c["ERROR"], last[d]) for d, c in counted.items()}


def score(
    subject: str,
    kind: Literal["table", "owner"],
    runs: Iterable[ValidationRun],
    *,
    active: Collection[str] | None = None,
) -> Score:
    """The score of these runs, in whatever order they come.

    `active` names the rules that still hold: only they can be failing. None counts every rule that ran.
    """
    return scored(subject, kind, [tallied(runs)], active=active)


def scored(
    subject: str,
    kind: Literal["table", "owner"],
    tables: Iterable[Tallies],
    *,
    active: Collection[str] | None = None,
) -> Score:
    """The score of one or more tables from their tallies; `active` as for `score`."""
    days: dict[str, list[int]] = {}
    last: dict[str, LastRun] = {}
    passed = failed = errors = 0
    for tallies in tables:
        for day, tally in tallies.items():
            passed, failed, errors = passed + tally.passed, failed + tally.failed, errors + tally.errors
            counts = days.setdefault(day, [0, 0])
            counts[0] += tally.passed
            counts[1] += tally.runs
            for config_id, run in tally.last.items():
                last[config_id] = max(run, last.get(config_id, run))
    total = passed + failed + errors
    history = tuple((day, _rate(*days[day])) for day in sorted(days))
    return Score(
        subject=subject,
        kind=kind,
        runs=total,
        passed=passed,
        failed=failed,
        errors=errors,
        pass_rate=_rate(passed, total) if total else None,
        trend=_trend([rate for _, rate in history]),
        history=history,
        failing=tuple(sorted(c for c, r in last.items() if r.status != "PASSED" and _holds(c, active))),
        last_ts=max((run.timestamp for run in last.values()), default=None),
    )


def _holds(config_id: str, active: Collection[str] | None) -> bool:
    return active is None or config_id in active


def _rate(passed: int, total: int) -> float:
    return round(100 * passed / total, 2)


def _trend(rates: list[float]) -> float | None:
    """The last day's rate less the mean of the days before; None when there is nothing to compare with."""
    if len(rates) < 2:
        return None
    return round(rates[-1] - sum(rates[:-1]) / (len(rates) - 1), 2)
