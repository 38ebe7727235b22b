"""A notification to send."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from remit.core.notification import Notification, RuleLine

WHEN = 1_800_000_000_000


def notification(**fields: Any) -> Notification:
    """Two rules of `orders`: one failed, one recovered."""
    lines = (
        RuleLine(
            "orders-count",
            3,
            "record_count_match",
            "FAILED",
            "vr_1",
            WHEN,
            {"expected_count": 1000, "diff_pct": 4.2},
        ),
        RuleLine("orders-ids", 1, "uniqueness", "RECOVERED", "vr_2", WHEN - 86_400_000),
    )
    made = Notification(
        "ntf_0123456789",
        "local",
        "ops",
        "email",
        "orders",
        "failure",
        "[FAILED] orders: 1 rule failed, 1 rule recovered",
        lines,
        WHEN,
        agent_run="run_1",
    )
    return replace(made, **fields)
