"""Answers from the roll-up of costs: by agent, model, workflow, tenant or day, over days of a time zone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from remit.core.errors import InputError
from remit.core.naming import LOCAL
from remit.engine.costs import COST, DAY_MS, QUARTER_MS, By, Costs, Sums, part
from remit.engine.keys import COLLECTION as KEYS
from remit.ports.clock import Clock
from remit.ports.store import Store

DAYS = 30
MOST_DAYS = 400
MOST_LINES = 200
MOST_ROWS = 60_000
"""Sums that one answer is made of at most."""

ROUNDS = 8
"""Portions of what ended just now that are folded in before an answer."""

STEPS = 5
"""Steps in which runs of before are filled in before an answer; the rest comes by itself."""

PAGE = 1000


class CostLine(Struct, frozen=True):
    """What one agent, model, workflow, tenant or day has cost. `cost_usd` in US dollars; `failed` of the `runs` did not succeed."""

    name: str
    cost_usd: Decimal
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    model_calls: int
    tool_calls: int
    runs: int
    failed: int


class CostReport(Struct, frozen=True):
    """Costs of the runs that ended from `since` to `until`, days of `zone`, both inclusive.

    `lines` are those that cost most first, or days in order; `left_out` more are in the `total` only. `waiting` runs that ended are
    not in it yet, and with `filling` neither are all of those that ended before costs were kept: both come by themselves.
    The lines of workflows include what these called, and one within another counts in both, so they do not add up to the total.
    """

    by: str
    since: str
    until: str
    zone: str
    lines: list[CostLine]
    total: CostLine
    left_out: int = 0
    waiting: int = 0
    filling: bool = False


class CostReports:
    """Reports of what tenants' runs have cost."""

    def __init__(self, store: Store, clock: Clock, costs: Costs) -> None:
        self._store = store
        self._clock = clock
        self._costs = costs

    async def report(
        self, tenant_id: str, by: By, *, since: str = "", until: str = "", zone: str = "UTC"
    ) -> CostReport:
        """What a tenant's runs have cost; by `tenant`, what those of all tenants have. Days are written YYYY-MM-DD.

        Without `since` it is over 30 days, without `until` up to today. Raises InputError E1020 to E1022.
        """
        place = _zone(zone)
        first, last = self._days(since, until, place)
        edges = [_midnight(first + timedelta(days=n), place) for n in range((last - first).days + 2)]
        for whose in await self._tenants() if by == "tenant" else (tenant_id,):
            await self._costs.meet(whose)
        for _ in range(STEPS):
            if by == "tenant" or not await self._costs.fill_for(tenant_id):
                break
        for _ in range(ROUNDS):
            if not await self._costs.fold():
                break
        waiting = (
            await self._costs.waiting()
        )  # looked at before the sums: what is folded in meanwhile may miss some
        lines = (
            await self._by_day(tenant_id, first, edges)
            if by == "day"
            else await self._by_name(tenant_id, by, edges)
        )
        if by != "day":
            lines = dict(sorted(lines.items(), key=lambda each: (-each[1].nano_usd, -each[1].runs, each[0])))
        whole = lines if by in ("day", "agent", "tenant") else await self._by_name(tenant_id, "total", edges)
        total = Sums()
        for sums in whole.values():
            total = total.plus(sums)
        shown = list(lines.items()) if by == "day" else list(lines.items())[:MOST_LINES]
        return CostReport(
            by,
            first.isoformat(),
            last.isoformat(),
            zone,
            [_line(name, sums) for name, sums in shown],
            _line("total", total),
            len(lines) - len(shown),
            waiting,
            by != "tenant" and await self._costs.filling(tenant_id),
        )

    async def _tenants(self) -> Iterable[str]:
        """The tenants that somebody has a key for, and that of the terminal: those who may have had runs before costs were kept."""
        page = await self._store.query(KEYS, "", (), limit=PAGE)
        return dict.fromkeys([LOCAL, *(item["tenant_id"] for item in page.items)])

    def _days(self, since: str, until: str, zone: tzinfo) -> tuple[date, date]:
        today = datetime.fromtimestamp(self._clock.now() / 1000, zone).date()
        last = _day("until", until) if until else today
        first = _day("since", since) if since else last - timedelta(days=DAYS - 1)
        if not 0 <= (last - first).days < MOST_DAYS:
            raise InputError(
                f"costs are told over 1 to {MOST_DAYS} days, not from {first} to {last}",
                code="E1021",
                help="choose another `since` or `until`",
            )
        return first, last

    async def _by_name(self, tenant_id: str, by: str, edges: list[int]) -> dict[str, Sums]:
        """Sums by name: whole days of UTC, and quarters of an hour before the first and after the last."""
        start, end = edges[0], edges[-1]
        whole, rest = -(-start // DAY_MS) * DAY_MS, end // DAY_MS * DAY_MS
        if whole < rest:
            spans = [("quarter", start, whole), ("day", whole, rest), ("quarter", rest, end)]
        else:
            spans = [("quarter", start, end)]
        found: dict[str, Sums] = {}
        read = 0
        for grain, lower, upper in spans:
            if lower == upper:
                continue
            whose = part(by, "day" if grain == "day" else "quarter", "" if by == "tenant" else tenant_id)
            async for _, name, sums in self._rows(whose, lower, upper):
                found[name] = found.get(name, Sums()).plus(sums)
                read = _bounded(read)
        return found

    async def _by_day(self, tenant_id: str, first: date, edges: list[int]) -> dict[str, Sums]:
        """Sums of each day, in order, those without a run too."""
        days = [(first + timedelta(days=n)).isoformat() for n in range(len(edges) - 1)]
        found = dict.fromkeys(days, Sums())
        utc = all(edge % DAY_MS == 0 for edge in edges)
        read = 0
        async for slot, _, sums in self._rows(
            part("total", "day" if utc else "quarter", tenant_id), edges[0], edges[-1]
        ):
            day = days[bisect_right(edges, slot) - 1]
            found[day] = found[day].plus(sums)
            read = _bounded(read)
        return found

    async def _rows(self, whose: str, lower: int, upper: int) -> AsyncIterator[tuple[int, str, Sums]]:
        """The sums that begin from `lower` on and before `upper`. A day may begin within a quarter: it counts where that begins."""
        cursor: str | None = None
        while True:
            page = await self._store.query(
                COST,
                "",
                (whose,),
                lower=lower // QUARTER_MS * QUARTER_MS,
                upper=upper // QUARTER_MS * QUARTER_MS - 1,
                limit=PAGE,
                cursor=cursor,
            )
            for item in page.items:
                yield max(lower, item["slot"]), item["name"], Sums(*(item[f] for f in Sums.__struct_fields__))
            cursor = page.cursor
            if cursor is None:
                return


def _bounded(read: int) -> int:
    if read >= MOST_ROWS:
        raise InputError(
            f"the answer would be made of more than {MOST_ROWS} sums", code="E1022", help="ask for fewer days"
        )
    return read + 1


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name in ("UTC", "GMT") else ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, not a name at all, or a directory
        raise InputError(
            f"`{name[:60]}` is no time zone", code="E1020", help="write e.g. `Europe/Berlin` or `UTC`"
        ) from error


def _day(field: str, text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not date(2000, 1, 1) <= found <= date(9000, 1, 1):
        raise InputError(
            f"`{field}` is `{text[:40]}`, which is no day", code="E1020", help="write YYYY-MM-DD"
        )
    return found


def _midnight(day: date, zone: tzinfo) -> int:
    """The first instant of a day, in Unix milliseconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def _line(name: str, sums: Sums) -> CostLine:
    return CostLine(name, sums.cost_usd, *(getattr(sums, f) for f in Sums.__struct_fields__[1:]))
