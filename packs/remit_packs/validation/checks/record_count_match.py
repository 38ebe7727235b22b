"""`record_count_match`: do two tables have the same number of rows, within a threshold?"""

from __future__ import annotations

from msgspec import to_builtins

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import Outcome
from remit_packs.validation.checks.parameters import Pair, Percent
from remit_packs.validation.compare import count_match


class RecordCountMatch(Pair, frozen=True, kw_only=True):
    """`threshold_percent` of the source's count is how far the counts may be apart; 0 means equal."""

    threshold_percent: Percent = 0.0


@validation_type("record_count_match")
async def record_count_match(parameters: RecordCountMatch, data: Data) -> Outcome:
    """The number of rows of the target against the source's, apart by at most `threshold_percent` of the source's."""
    source, target = data.named(parameters.source_table), data.named(parameters.target_table)
    expected, actual = await data.counts([source, target], parameters.filters)
    counts = count_match(expected, actual, parameters.threshold_percent)
    apart = "" if counts.diff_pct is None else f", {counts.diff_pct:.4g} % apart"
    alike = counts.note or f"both have {expected:,} rows"
    details = {
        "source_table": source,
        "target_table": target,
        "expected_count": expected,
        "actual_count": actual,
        "diff": counts.diff,
        "diff_pct": counts.diff_pct,
        "threshold_percent": parameters.threshold_percent,
        "filters": to_builtins(data.resolved(parameters.filters)),
    }
    if counts.note:
        details["note"] = counts.note
    if counts.status == "PASSED":
        return Outcome(
            "PASSED", f"{expected:,} and {actual:,} rows{apart}" if counts.diff else alike, details
        )
    return Outcome("FAILED", f"the source has {expected:,} rows and the target {actual:,}{apart}", details)
