"""What checks of the rows of one table share: their columns exist, and no rows at all is an answer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from remit_packs.validation.checks.data import Data, pick
from remit_packs.validation.checks.outcome import Outcome, judged, percent
from remit_packs.validation.checks.parameters import Rows
from remit_packs.validation.engines.base import Column


async def needed(data: Data, table: str, names: Sequence[str]) -> list[Column]:
    """The named columns. Raises CheckError E592 for one that is not there."""
    columns = await data.columns(table)
    return [pick(columns, name, data.named(table)) for name in names]


def nothing(parameters: Rows, data: Data) -> Outcome:
    """No row: a rule about rows does not hold for an emptied table, unless it allows that."""
    where = " that fit the filters" if parameters.filters else ""
    return judged(
        parameters.allow_empty,
        f"there are no rows{where}, which the rule allows",
        f"there are no rows{where} to check",
        table=data.named(parameters.table),
        actual_count=0,
        offending_count=0,
        filters=to_builtins(data.resolved(parameters.filters)),
        note="set `allow_empty` if no rows is fine",
    )


def offending(
    parameters: Rows, data: Data, *, rows: int, bad: int, allowed_percent: float, what: str, **details: Any
) -> Outcome:
    """At most `allowed_percent` of the rows may break the rule; `what` names what is wrong with them."""
    share = percent(bad, rows)
    return judged(
        100 * bad <= allowed_percent * rows,
        f"{rows:,} rows hold" if not bad else f"{bad:,} of {rows:,} rows: {what}; {share:.4g} % is allowed",
        f"{bad:,} of {rows:,} rows: {what}",
        table=data.named(parameters.table),
        actual_count=rows,
        offending_count=bad,
        offending_pct=share,
        max_percent=allowed_percent,
        **details,
        filters=to_builtins(data.resolved(parameters.filters)),
    )
