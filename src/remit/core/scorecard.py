"""The scorecard (V11): what the run log says about a table or an owner, as numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Literal

from remit.core.validation import Score, ValidationRun

DAY_MS = 86_400_000


def day_of(timestamp: int) -> str:
    """The UTC day of a time in Unix milliseconds, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%d")


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
    tally: dict[str, list[int]] = {}
    last: dict[str, ValidationRun] = {}
    counted = {"PASSED": 0, "FAILED": 0, "ERROR": 0}
    for run in runs:
        counted[run.status] += 1
        day = tally.setdefault(day_of(run.timestamp), [0, 0])
        day[0] += run.status == "PASSED"
        day[1] += 1
        known = last.get(run.config_id)
        if known is None or (known.timestamp, known.run_id) < (run.timestamp, run.run_id):
            last[run.config_id] = run
    total = sum(counted.values())
    history = tuple((day, _rate(*tally[day])) for day in sorted(tally))
    return Score(
        subject=subject,
        kind=kind,
        runs=total,
        passed=counted["PASSED"],
        failed=counted["FAILED"],
        errors=counted["ERROR"],
        pass_rate=_rate(counted["PASSED"], total) if total else None,
        trend=_trend([rate for _, rate in history]),
        history=history,
        failing=tuple(sorted(c for c, r in last.items() if r.status != "PASSED" and _holds(c, active))),
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
