"""What changes among a tenant's runs and approvals, told to any number of listeners at the cost of one.

The records say it, by their index over the time of change: so it does not matter which process wrote them, nor which store holds
them. One watch for each tenant that somebody listens to looks a few times a second, less often while nothing happens; what it
finds goes to all listeners. It looks back over `OVERLAP_MS`, for a transaction may commit later than it says, clocks differ, and
an index may follow its table late; what was told already is not told again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from remit.core.approval import Approval
from remit.core.codec import convert, decode
from remit.core.errors import RemitError
from remit.core.records import AgentRun
from remit.engine.records import BY_CHANGE
from remit.ports.clock import Clock
from remit.ports.store import Records

LOOK_S, IDLE_S, BEHIND_S = 0.25, 1.0, 2.0
"""Seconds between two looks: while things change, while nothing does, and after more changed than one look takes in."""

QUIET = 8
"""Looks in a row that found nothing, after which a watch looks less often."""

OVERLAP_MS = 5_000
PAGE, MOST_PAGES = 500, 5
"""How many records of each kind one look reads at most."""

MOST_HELD = 2_000
"""Changes kept for a listener that does not take them; beyond that it is told to read its lists anew."""

log = logging.getLogger("remit.live")

Row = Mapping[str, Any]


class ApprovalRow(Struct, frozen=True):
    """An approval as a list shows it: without its arguments."""

    approval_id: str
    run_id: str
    agent: str
    tool: str
    risk_level: str
    reason: str
    status: str
    requested_by: str
    requested_ts: int
    expires_ts: int
    changed_ts: int


class LiveChanges(Struct, frozen=True):
    """Runs and approvals that changed, as they stand now, oldest change first. `mark` is where to go on from.

    `incomplete`: more changed than fits; lists must be read anew.
    """

    runs: tuple[AgentRun, ...]
    approvals: tuple[ApprovalRow, ...]
    mark: int
    incomplete: bool = False


class Listener:
    """What one listener has not taken yet: the newest state of each run and approval."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self._runs: dict[str, AgentRun] = {}
        self._approvals: dict[str, ApprovalRow] = {}
        self._incomplete = False
        self._something = asyncio.Event()

    def tell(self, changes: LiveChanges) -> None:
        """Keep what changed until it is taken."""
        for run in changes.runs:
            self._runs.pop(run.run_id, None)  # so that the last change stands last
            self._runs[run.run_id] = run
        for approval in changes.approvals:
            self._approvals.pop(approval.approval_id, None)
            self._approvals[approval.approval_id] = approval
        self._mark = changes.mark
        self._incomplete |= changes.incomplete
        if len(self._runs) + len(self._approvals) > MOST_HELD:
            self._runs, self._approvals, self._incomplete = {}, {}, True
        self._something.set()

    async def next(self) -> LiveChanges:
        """What changed since the last time, as soon as something has."""
        await self._something.wait()
        self._something.clear()
        taken = LiveChanges(
            tuple(self._runs.values()), tuple(self._approvals.values()), self._mark, self._incomplete
        )
        self._runs, self._approvals, self._incomplete = {}, {}, False
        return taken


class Live:
    """The watches of this process."""

    def __init__(self, store: Records, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._watches: dict[str, _Watch] = {}

    @property
    def watched(self) -> int:
        """How many tenants are watched at this moment."""
        return len(self._watches)

    @contextmanager
    def listen(self, tenant_id: str) -> Iterator[Listener]:
        """Hear of a tenant's changes from now on. The first listener starts the watch, the last one ends it."""
        watch = self._watches.get(tenant_id)
        if watch is None:
            watch = self._watches[tenant_id] = _Watch(self._store, self._clock, tenant_id)
        listener = Listener(self._clock.now())
        watch.listeners.add(listener)
        try:
            yield listener
        finally:
            watch.listeners.discard(listener)
            if not watch.listeners:
                watch.end()
                self._watches.pop(tenant_id, None)

    async def since(self, tenant_id: str, mark: int | None) -> LiveChanges:
        """What changed since a mark that was told before: a few changes before it are told once more. None: nothing yet, and a mark.

        Raises StoreError.
        """
        now = self._clock.now()
        if mark is None:
            return LiveChanges((), (), now)
        found = await _read(self._store, tenant_id, max(0, mark - OVERLAP_MS))
        return found.told({}, {}, now)


class _Found(Struct, frozen=True):
    """The records of one look by id, newest change first."""

    runs: dict[str, Row]
    approvals: dict[str, Row]
    complete: bool

    def told(self, runs: Mapping[str, Row], approvals: Mapping[str, Row], mark: int) -> LiveChanges:
        """What is new beside what the look before found."""
        changed = [row for key, row in self.runs.items() if runs.get(key) != row]
        asked = [row for key, row in self.approvals.items() if approvals.get(key) != row]
        return LiveChanges(
            tuple(convert(row, AgentRun) for row in reversed(changed)),
            tuple(_shown(row) for row in reversed(asked)),
            mark,
            not self.complete,
        )


class _Watch:
    """Looks after one tenant, for as long as somebody listens."""

    def __init__(self, store: Records, clock: Clock, tenant_id: str) -> None:
        self.listeners: set[Listener] = set()
        self._store = store
        self._clock = clock
        self._tenant_id = tenant_id
        self._task = asyncio.create_task(self._go(), name="heartbeat of a live list")

    def end(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _go(self) -> None:
        mark, quiet, failing = self._clock.now(), 0, False
        before = _Found({}, {}, True)
        while True:
            now = self._clock.now()
            try:
                found = await _read(self._store, self._tenant_id, mark - OVERLAP_MS)
                changes = found.told(before.runs, before.approvals, now)
            except Exception as error:  # what changes meanwhile is found afterwards
                if not failing:
                    code = error.code if isinstance(error, RemitError) else "E900"
                    log.warning("a live list waits for the store: %s", error, extra={"code": code})
                failing = True
                await self._clock.sleep(BEHIND_S)
                continue
            mark, before, failing = now, found, False
            quiet = 0 if changes.runs or changes.approvals or changes.incomplete else quiet + 1
            if not quiet:
                for listener in self.listeners:
                    listener.tell(changes)
            await self._clock.sleep(BEHIND_S if changes.incomplete else LOOK_S if quiet < QUIET else IDLE_S)


async def _read(store: Records, tenant_id: str, since: int) -> _Found:
    (runs, all_runs), (approvals, all_approvals) = await asyncio.gather(
        _changed(store, "agent_run", tenant_id, since), _changed(store, "approval_event", tenant_id, since)
    )
    return _Found(
        {row["run_id"]: row for row in runs},
        {row["approval_id"]: row for row in approvals},
        all_runs and all_approvals,
    )


async def _changed(
    store: Records, collection: str, tenant_id: str, since: int
) -> tuple[list[dict[str, Any]], bool]:
    """What was written at `since` or later, newest first, and whether that is all."""
    rows: list[dict[str, Any]] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await store.query(
            collection, BY_CHANGE, (tenant_id,), lower=since, descending=True, limit=PAGE, cursor=cursor
        )
        rows += page.items
        cursor = page.cursor
        if cursor is None:
            return rows, True
    return rows, False


def _shown(row: Row) -> ApprovalRow:
    approval = decode(row["approval"], Approval)
    return ApprovalRow(
        approval.approval_id,
        approval.run_id,
        approval.agent,
        approval.tool,
        approval.risk_level,
        approval.reason,
        approval.status,
        approval.requested_by,
        approval.requested_ts,
        approval.expires_ts,
        row["changed_ts"],
    )
