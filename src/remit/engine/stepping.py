"""The steps of runs for readers: pages from a stretch of the journal, and whole views from a fold that is kept.

A page reads the events of its own steps and no others. A whole view (the timeline) needs every event once: its fold is
kept in this process and goes on from where it stood, for a bounded time a request, so that a run of any length answers at
once with what is known so far.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from remit.core import event as ev
from remit.core.codec import decode
from remit.core.errors import NotFoundError, StoreError
from remit.core.steps import StepFold, StepRow, wanted
from remit.core.timeline import Sketch
from remit.engine import loading
from remit.ports.clock import Clock
from remit.ports.store import Entry, RunHead, Store

BATCH = 1000
"""Events read at once."""

LOOKAHEAD = 4000
"""Events read after a page's last step to learn how its steps ended."""

SCANNED = 20_000
"""Events looked through for one page of steps of one kind."""

BEFORE = 400
"""Events before a step that are read with it: what went into it came about there."""

MOST_ROWS = 300_000
"""Rows of all folds that are kept; the one used longest ago goes first. Also the most of one run."""

Rows = list[StepRow]


class StepPage(Struct, frozen=True):
    """Steps in the order in which they began; `cursor`, passed as `after`, gives those that follow, null at the end."""

    items: list[StepRow]
    cursor: str | None = None


class Whole:
    """The fold of one run from its beginning, as far as it has come."""

    def __init__(self, head: RunHead) -> None:
        self.fold = StepFold(head.agent)
        self.sketch = Sketch()
        self.lock = asyncio.Lock()

    @property
    def full(self) -> bool:
        """Whether more rows than are kept of one run have been met: the rest of the run is left out."""
        return len(self.fold.rows) >= MOST_ROWS

    def place(self, seq: int) -> int:
        """The index of the first row that begins after event `seq`."""
        return bisect_right(self.fold.rows, seq, key=_seq)


class Stepping:
    """The steps of the runs of all tenants; every question names its tenant."""

    def __init__(self, store: Store, clock: Clock, *, most_rows: int = MOST_ROWS) -> None:
        self._store = store
        self._clock = clock
        self._most_rows = most_rows
        self._kept: OrderedDict[str, Whole] = OrderedDict()

    async def head(self, run_id: str, tenant_id: str) -> RunHead:
        """Where a run stands. Raises NotFoundError."""
        head = await self._store.head(run_id)
        if head is None or head.tenant_id != tenant_id:
            raise loading.missing(run_id)
        return head

    async def page(
        self,
        run_id: str,
        tenant_id: str,
        *,
        after: int = -1,
        limit: int = 100,
        kind: str = "",
        digests: bool = False,
    ) -> StepPage:
        """At most `limit` steps that begin after event `after`, of one kind if one is given. Raises NotFoundError.

        A page of one kind may be short, or empty, and have a cursor all the same: what was looked through is bounded.
        """
        head = await self.head(run_id, tenant_id)
        whole = self._kept.get(run_id)
        if whole is not None and whole.fold.seq >= head.seq and not digests and not whole.full:
            self._kept.move_to_end(run_id)
            return _from_whole(whole, after, limit, kind)
        fold = StepFold(head.agent, after=max(-1, after - BEFORE), digests=digests)

        def found() -> Rows:
            return _of_kind([row for row in fold.rows if row.seq > after], kind)

        await self._read(run_id, fold, until=lambda: len(found()) > limit or fold.seq - after >= SCANNED)
        rows, scanned = found(), fold.seq
        page, more = rows[:limit], len(rows) > limit
        await self._read(
            run_id,
            fold,
            until=lambda: fold.seq >= scanned + LOOKAHEAD or not any(r.step in fold.open for r in page),
        )
        if more:
            return StepPage(page, str(page[-1].seq))
        return StepPage(page, None if scanned >= head.seq else str(scanned))

    async def whole(self, run_id: str, tenant_id: str, *, for_s: float) -> tuple[RunHead, Whole]:
        """The fold of the whole run, after at most about `for_s` seconds of reading on. Raises NotFoundError.

        Whoever reads its rows holds its `lock`.
        """
        head = await self.head(run_id, tenant_id)
        whole = self._keep(run_id, head)
        async with whole.lock:
            until = self._clock.monotonic() + for_s
            await self._read(run_id, whole.fold, until=lambda: whole.full or self._clock.monotonic() >= until)
        self._forget(run_id)
        return head, whole

    async def step(
        self, run_id: str, tenant_id: str, step: str, *, seq: int | None, for_s: float
    ) -> StepFold:
        """A fold that holds a step to its end and what came just before it. `seq`, its first event, saves the search.

        Raises NotFoundError E1010.
        """
        head = await self.head(run_id, tenant_id)
        if seq is None:
            seq = await self._find(run_id, tenant_id, step, for_s)
        fold = StepFold(head.agent, after=max(-1, seq - BEFORE))
        known = seq + LOOKAHEAD
        await self._read(
            run_id, fold, until=lambda: fold.seq >= known or (fold.seq >= seq and step not in fold.open)
        )
        if not any(row.step == step for row in fold.rows):
            raise no_step(run_id, step)
        return fold

    async def _find(self, run_id: str, tenant_id: str, step: str, for_s: float) -> int:
        """The seq that a step begins with."""
        _, whole = await self.whole(run_id, tenant_id, for_s=for_s)
        for row in reversed(whole.fold.rows):
            if row.step == step:
                return row.seq
        raise no_step(run_id, step)

    def _keep(self, run_id: str, head: RunHead) -> Whole:
        whole = self._kept.setdefault(run_id, Whole(head))
        self._kept.move_to_end(run_id)
        return whole

    def _forget(self, but: str) -> None:
        """Let go of the folds used longest ago while there are too many rows."""
        rows = sum(len(w.fold.rows) for w in self._kept.values())
        for run_id in [name for name in self._kept if name != but]:
            if rows <= self._most_rows:
                return
            rows -= len(self._kept.pop(run_id).fold.rows)

    async def _read(self, run_id: str, fold: StepFold, *, until: Callable[[], bool]) -> None:
        """Read on to the end of the journal, or until enough is known; that is asked after every batch."""
        while not until():
            entries = await self._store.read(run_id, after=fold.seq, limit=BATCH)
            await self._take(run_id, fold, entries)
            if len(entries) < BATCH:
                return

    async def _take(self, run_id: str, fold: StepFold, entries: list[Entry]) -> None:
        events = [event_of(run_id, entry) for entry in entries]
        refs = list(dict.fromkeys(ref for e in events if (ref := wanted(e.data))))
        contents = await self._store.contents(refs) if refs else {}
        for event in events:
            fold.apply(event, contents)


def event_of(run_id: str, entry: Entry) -> ev.Event:
    """The event of an entry. Raises StoreError E808 for one that cannot be read."""
    try:
        return decode(entry.body, ev.Event)
    except Exception as error:
        raise StoreError(
            f"event {entry.seq} of run `{run_id}` cannot be read: {error}",
            code="E808",
            help=f"run `remit runs verify {run_id}`",
        ) from error


def no_step(run_id: str, step: str) -> NotFoundError:
    """The error for a step that a run does not have."""
    return NotFoundError(
        f"run `{run_id}` has no step `{step[:100]}`",
        code="E1010",
        help=f"`remit runs steps {run_id}` lists them",
    )


def _seq(row: StepRow) -> int:
    return row.seq


def _of_kind(rows: Rows, kind: str) -> Rows:
    return [row for row in rows if row.kind == kind] if kind else rows


def _from_whole(whole: Whole, after: int, limit: int, kind: str) -> StepPage:
    rows = whole.fold.rows
    place = whole.place(after)
    if not kind:
        page = rows[place : place + limit]
        return StepPage(page, str(page[-1].seq) if place + limit < len(rows) else None)
    page = []
    for row in rows[place:]:
        if row.kind == kind:
            if len(page) == limit:
                return StepPage(page, str(page[-1].seq))
            page.append(row)
    return StepPage(page, None)
