"""What came of a table's rules day by day (V11): days that are over are counted once, and kept.

The run log writes a run under the time at which it is written, so a day that is over has all its runs. What is kept for a
table is one unbroken span of days; days without a run have no row. A run that is written into a kept day all the same (its
clock was behind, or history was brought in) makes the span void, and it is counted anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple, Protocol

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError
from remit.core.naming import stored_id
from remit.core.scorecard import Tally, day_after, day_of, day_start, tallied
from remit.core.validation import ValidationRun
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Put, Records, Write

DAYS = "validation_day"

COLLECTION = Collection(DAYS, ("table_id", "day"))

SETTLED_MS = 3_600_000
"""How long after its end a day may still get runs, from workers whose clocks are behind."""

AT_ONCE = 60
"""Days that are kept in one transaction."""

SPAN = "span"
"""In the place of a day: the row that says which days are counted. It sorts behind every date."""

PAGE = 400
Found = dict[str, Tally]
Writes = list[Write]


class RunLog(Protocol):
    """The runs of a table."""

    def each(
        self, tenant_id: str, *, table_id: str, since: int, until: int | None = None
    ) -> AsyncIterator[ValidationRun]:
        """Every run of the table within the bounds."""


class _Span(NamedTuple):
    """The first and the last day that are counted; none are when `first` comes after `last`."""

    first: str
    last: str

    def holds(self, day: str) -> bool:
        return self.first <= day <= self.last


class ValidationDays:
    """The daily counts of all tenants' tables; every question names its tenant."""

    def __init__(self, store: Records, log: RunLog, clock: Clock) -> None:
        self._store = store
        self._log = log
        self._clock = clock

    async def since(self, tenant_id: str, table_id: str, since: int) -> Found:
        """What came of a table's rules from a time (Unix milliseconds) until now, by day; days without a run are left out."""
        first = day_of(since) if day_start(day_of(since)) == since else day_after(day_of(since))
        last = day_after(day_of(self._clock.now() - SETTLED_MS), -1)
        if first > last:
            return await self._folded(tenant_id, table_id, since)
        found = await self._whole(tenant_id, table_id, first, last)
        if since < day_start(first):
            found |= await self._folded(tenant_id, table_id, since, day_start(first) - 1)
        return found | await self._folded(tenant_id, table_id, day_start(day_after(last)))

    async def _whole(self, tenant_id: str, table_id: str, first: str, last: str) -> Found:
        """Days that are over: those that are kept, and the others, which are kept from now on."""
        key = stored_id(tenant_id, table_id)
        marker = await self._store.get(DAYS, (key, SPAN))
        span = _span(marker) or _Span(day_after(last), last)
        found = await self._kept(key, max(first, span.first), min(last, span.last))
        keeping = True
        for a, b in _missing(first, last, span):
            counted = await self._folded(tenant_id, table_id, day_start(a), day_start(day_after(b)) - 1)
            found |= counted
            span = _Span(min(a, span.first), max(b, span.last))
            made = {"table_id": key, "day": SPAN, "first": span.first, "last": span.last}
            keeping = keeping and await self._keep(key, counted, marker, made)
            marker = made
        return found

    async def _kept(self, key: str, first: str, last: str) -> Found:
        found: Found = {}
        cursor: str | None = None
        while first <= last:
            page = await self._store.query(
                DAYS, "", (key,), lower=first, upper=last, limit=PAGE, cursor=cursor
            )
            found |= {item["day"]: _tally(item) for item in page.items}
            cursor = page.cursor
            if cursor is None:
                break
        return found

    async def _keep(
        self, key: str, counted: Found, before: dict[str, Any] | None, after: dict[str, Any]
    ) -> bool:
        """Keep these days, if the span is still what it was; False when somebody else moved it."""
        rows = [
            Put(DAYS, {"table_id": key, "day": day, **plain(tally)}) for day, tally in sorted(counted.items())
        ]
        try:
            await self._store.transact([*rows, Put(DAYS, after, before or ABSENT)])
        except ConditionError:
            return False
        return True

    async def _folded(self, tenant_id: str, table_id: str, since: int, until: int | None = None) -> Found:
        log = self._log.each(tenant_id, table_id=table_id, since=since, until=until)
        return tallied([run async for run in log])


async def voided(store: Records, tenant_id: str, run: ValidationRun) -> Writes:
    """What must go with writing a run, so that no kept day lacks it: nothing, unless its day is kept already."""
    key = stored_id(tenant_id, run.table_id)
    span = _span(await store.get(DAYS, (key, SPAN)))
    if span is None or not span.holds(day_of(run.timestamp)):
        return []
    # `void` is never the same twice, so whoever is counting at this moment finds the span changed.
    return [Put(DAYS, {"table_id": key, "day": SPAN, "void": run.run_id})]


def _span(marker: dict[str, Any] | None) -> _Span | None:
    return None if marker is None or "first" not in marker else _Span(marker["first"], marker["last"])


def _missing(first: str, last: str, span: _Span) -> Iterator[tuple[str, str]]:
    """The days from `first` to `last` that a span lacks, in pieces that each touch what is counted by then."""
    end = day_after(span.first, -1)
    while end >= first:
        start = max(first, day_after(end, 1 - AT_ONCE))
        yield start, end
        end = day_after(start, -1)
    start = day_after(span.last)
    while start <= last:
        end = min(last, day_after(start, AT_ONCE - 1))
        yield start, end
        start = day_after(end)


def _tally(item: dict[str, Any]) -> Tally:
    return convert({name: item[name] for name in Tally.__struct_fields__ if name in item}, Tally)
