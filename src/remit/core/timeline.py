"""The timeline of a run: what there is to see of all its steps before any of them is read. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from remit.core.budget import ZERO, Usage
from remit.core.steps import BAD, Gap, StepRow

PAGE = 500
"""Rows between two marks."""

MOST_GROUPS = 2_000
"""From so many groups on, steps that went wrong no longer stand alone: groups say how many there are."""

NAMES = 6
"""Different steps that one group may be of."""

COLLAPSED = 30
"""From how many steps on a group is shown in one line."""

MOST_GAPS_SHOWN = 200


class Lane(Struct):
    """What one agent did: how many steps, of which how many went wrong, what they cost, and for how long it was at work."""

    agent: str
    steps: int = 0
    bad: int = 0
    cost_usd: Decimal = ZERO
    tokens: int = 0
    busy_ms: int = 0


class NameCount(Struct, frozen=True):
    """How many steps of one kind and name."""

    kind: str
    name: str
    steps: int


class StepGroup(Struct):
    """Steps that follow one another: `steps` of them, the first is row `first`. `shut`: to be shown in one line."""

    first: int
    steps: int
    lane: str
    names: tuple[NameCount, ...]
    started_ts: int
    ended_ts: int
    bad: int = 0
    cost_usd: Decimal = ZERO
    tokens: int = 0
    shut: bool = False


class Bucket(Struct):
    """One part of the run's time without its gaps, from `ts` on: how many steps began in it, and how many went wrong."""

    ts: int
    steps: int = 0
    bad: int = 0


class Overview(Struct, frozen=True):
    """All steps of a run as far as they are known: the pages that they are read by, their lanes, groups and gaps.

    `cause` is the step that went wrong and that nothing came after. `marks[i]` is the seq of row `i * page`: the page from there on is `steps?after=marks[i]-1&limit=page`.
    """

    steps: int
    page: int
    marks: tuple[int, ...]
    lanes: tuple[Lane, ...]
    groups: tuple[StepGroup, ...]
    gaps: tuple[Gap, ...]
    buckets: tuple[Bucket, ...]
    bad: int
    first_bad: StepRow | None
    cause: StepRow | None
    last: StepRow | None
    usage: Usage
    started_ts: int
    ended_ts: int


class Sketch:
    """What there is to see of rows that keep coming: what is final is counted once, the rest anew each time."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._groups: list[StepGroup] = []
        self._names: Counter[tuple[str, str]] = Counter()
        self._bad: list[StepRow] = []
        self._single = True
        self._done = 0

    def overview(
        self,
        rows: Sequence[StepRow],
        gaps: Sequence[Gap],
        usage: Usage,
        started_ts: int,
        ended_ts: int,
        buckets: int,
    ) -> Overview:
        """What there is to see of these rows between two times. `rows` are those of before, and what has come since."""
        upto = self._done
        while upto < len(rows) and rows[upto].end_seq is not None:
            self._take(rows[upto], upto, ended_ts)
            upto += 1
        self._done = upto
        whole = self._copy()
        for place in range(upto, len(rows)):
            whole._take(rows[place], place, ended_ts)
        return whole._made(rows, gaps, usage, started_ts, ended_ts, buckets)

    def _made(
        self,
        rows: Sequence[StepRow],
        gaps: Sequence[Gap],
        usage: Usage,
        started_ts: int,
        ended_ts: int,
        buckets: int,
    ) -> Overview:
        self._close()
        shown = _largest(gaps, started_ts, ended_ts)
        bad = self._bad
        return Overview(
            steps=len(rows),
            page=PAGE,
            marks=tuple(rows[i].seq for i in range(0, len(rows), PAGE)),
            lanes=tuple(self._lanes.values()),
            groups=tuple(self._groups),
            gaps=shown,
            buckets=_buckets(rows, bad, shown, started_ts, ended_ts, buckets),
            bad=len(bad),
            first_bad=bad[0] if bad else None,
            cause=_cause(rows, bad),
            last=rows[-1] if rows else None,
            usage=usage,
            started_ts=started_ts,
            ended_ts=ended_ts,
        )

    def _copy(self) -> Sketch:
        made = Sketch()
        made._lanes = {name: replace(lane) for name, lane in self._lanes.items()}
        made._groups = [*self._groups[:-1], *(replace(group) for group in self._groups[-1:])]
        made._names = self._names.copy()
        made._bad = list(self._bad)
        made._single = self._single
        return made

    def _take(self, row: StepRow, place: int, ended_ts: int) -> None:
        end = ended_ts if row.ended_ts is None else row.ended_ts
        bad = row.state in BAD
        if bad:
            self._bad.append(row)
        self._count_lane(row, bad, end)
        key = (row.kind, row.name)
        full = len(self._groups) >= MOST_GROUPS
        # What went wrong, was asked of a person or is another agent's work stands for itself.
        single = not full and (bad or row.importance == "high" or row.state == "awaiting")
        fits = full or len(self._names) < NAMES or key in self._names
        if self._single or single or not fits or self._groups[-1].lane != row.lane:
            self._close()
            self._names = Counter()
            self._groups.append(StepGroup(place, 0, row.lane, (), row.started_ts, end))
        self._single = single
        self._names[key] += 1
        group = self._groups[-1]
        group.steps += 1
        group.bad += bad
        group.ended_ts = max(group.ended_ts, end)
        if row.tokens or row.cost_usd:
            group.cost_usd += row.cost_usd
            group.tokens += row.tokens

    def _count_lane(self, row: StepRow, bad: bool, end: int) -> None:
        lane = self._lanes.get(row.lane)
        if lane is None:
            lane = self._lanes[row.lane] = Lane(row.lane)
        lane.steps += 1
        lane.bad += bad
        if row.begun_ts is not None and row.kind != "state":
            lane.busy_ms += end - row.begun_ts
        if row.tokens or row.cost_usd:
            lane.cost_usd += row.cost_usd
            lane.tokens += row.tokens

    def _close(self) -> None:
        if self._groups:
            last = self._groups[-1]
            last.names = tuple(NameCount(kind, name, n) for (kind, name), n in self._names.most_common(NAMES))
            last.shut = last.steps >= COLLAPSED


def _cause(rows: Sequence[StepRow], bad: Sequence[StepRow]) -> StepRow | None:
    """The step that went wrong and that nothing came after. Where states failed one within the other, the innermost call."""
    if not bad:
        return None
    last = max(bad, key=lambda row: (row.end_seq or row.seq, row.seq))
    if rows[-1].seq > (last.end_seq or last.seq):
        return None
    if last.kind != "state":
        return last
    within = {last.step}
    for row in bad:
        if row.parent in within and row.started_ts >= last.started_ts:
            within.add(row.step)
            last = row
    return last


def _largest(gaps: Sequence[Gap], started_ts: int, ended_ts: int) -> tuple[Gap, ...]:
    """The gaps that a reader would see: the longest ones, in order."""
    least = (ended_ts - started_ts) / 200
    seen = [gap for gap in gaps if gap.to_ts - gap.from_ts >= least]
    seen = sorted(seen, key=lambda gap: gap.from_ts - gap.to_ts)[:MOST_GAPS_SHOWN]
    return tuple(sorted(seen, key=lambda gap: gap.from_ts))


class Axis:
    """The run's time with its gaps taken out."""

    def __init__(self, gaps: Sequence[Gap], started_ts: int, ended_ts: int) -> None:
        self.start = started_ts
        self._from = [gap.from_ts for gap in gaps]
        self._gone = [0, *accumulate(gap.to_ts - gap.from_ts for gap in gaps)]
        self._gaps = gaps
        self.length = max(1, ended_ts - started_ts - self._gone[-1])

    def at(self, ts: int) -> int:
        """Where a time is, in milliseconds from the start; all of a gap is at one place."""
        i = bisect_right(self._from, ts)
        inside = 0 if i == 0 else max(0, self._gaps[i - 1].to_ts - ts)
        return ts - self.start - self._gone[i] + inside

    def ts(self, at: float) -> int:
        """The time that is at a place."""
        ts = self.start + at
        for gap in self._gaps:
            if gap.from_ts >= ts:
                break
            ts += gap.to_ts - gap.from_ts
        return round(ts)


def _buckets(
    rows: Sequence[StepRow],
    bad: Sequence[StepRow],
    gaps: Sequence[Gap],
    started_ts: int,
    ended_ts: int,
    count: int,
) -> tuple[Bucket, ...]:
    """Steps begin in the order of their rows, so that those of a bucket are counted by where it begins and ends."""
    axis = Axis(gaps, started_ts, ended_ts)
    starts = [axis.ts(i * axis.length / count) for i in range(count)]
    places = list(accumulate((bisect_left(rows, ts, key=_started) for ts in starts[1:]), max))
    made = [
        Bucket(ts, upto - place)
        for ts, place, upto in zip(starts, [0, *places], [*places, len(rows)], strict=True)
    ]
    for row in bad:
        made[max(0, bisect_right(starts, row.started_ts) - 1)].bad += 1
    return tuple(made)


def _started(row: StepRow) -> int:
    return row.started_ts
