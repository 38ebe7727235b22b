"""`freshness`: is the newest row new enough?"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import Meta, to_builtins

from remit_packs.validation.checks.data import Data
from remit_packs.validation.checks.deciding import validation_type
from remit_packs.validation.checks.outcome import CheckError, Outcome, failed, judged
from remit_packs.validation.checks.parameters import ColumnName, Rows
from remit_packs.validation.checks.rows import needed, nothing
from remit_packs.validation.engines.base import Measure

_DAY = dt.timedelta(days=1)


class Freshness(Rows, frozen=True, kw_only=True):
    """The newest `column` is at most `max_age_hours` old, and at most `max_future_hours` ahead."""

    column: ColumnName
    max_age_hours: Annotated[float, Meta(gt=0)]
    max_future_hours: Annotated[float, Meta(ge=0)] = 24.0


@validation_type("freshness")
async def freshness(parameters: Freshness, data: Data) -> Outcome:
    """The newest value of a date or timestamp column is new enough. Times without a zone are UTC; a date means its end.

    A newest value far in the future fails too: it would hide that nothing new arrives.
    """
    name = parameters.column
    (column,) = await needed(data, parameters.table, [name])
    if column.kind.family not in ("date", "timestamp"):
        raise CheckError(
            f"column `{name}` is `{column.kind.name or column.kind.family}`, neither date nor timestamp",
            code="E593",
        )
    rows, newest = await data.measure(
        [Measure("count"), Measure("max", column=name)], parameters.table, parameters.filters
    )
    if not rows:
        return nothing(parameters, data)
    details: dict[str, Any] = {
        "table": data.named(parameters.table),
        "column": name,
        "actual_count": rows,
        "newest": newest,
        "max_age_hours": parameters.max_age_hours,
        "filters": to_builtins(data.resolved(parameters.filters)),
    }
    if newest is None:
        return failed(f"no row has a `{name}`", **details)
    now = dt.datetime.fromtimestamp(data.now() / 1000, dt.UTC)
    hours = (now - moment(newest)) / dt.timedelta(hours=1)
    details["age_hours"] = round(hours, 3)
    if hours < -parameters.max_future_hours:
        return failed(f"the newest `{name}` lies {-hours:,.1f} hours in the future", **details)
    return judged(
        hours <= parameters.max_age_hours,
        f"the newest `{name}` is {max(hours, 0):,.1f} hours old",
        f"the newest `{name}` is {hours:,.1f} hours old, at most {parameters.max_age_hours:g} are allowed",
        **details,
    )


def moment(value: Any) -> dt.datetime:
    """A date (its end) or timestamp as a moment. Raises CheckError E593."""
    text = str(value).strip()
    try:
        if len(text) == 10:
            day = dt.date.fromisoformat(text)
            return dt.datetime.combine(day, dt.time(), dt.UTC) + _DAY
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise CheckError(f"`{text[:40]}` is no date or timestamp", code="E593") from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
