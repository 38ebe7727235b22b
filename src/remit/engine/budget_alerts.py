"""Tells when a tenant has used 80 and 100 per cent of its own budget: an event on the bus, whoever is told by notifiers, a metric, a line.

Whoever works looks now and then at the envelopes of which much is used: a run that ends names them, so that nobody reads all. That a
level is reached is written down once for each budget that is set, with the event and the messages that go out for it, in one
transaction; then these are sent, by one worker at a time, until all are. A budget that has not enough left for a task, whatever else runs,
counts as used up.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from remit.core import semconv as sc
from remit.core.cloudevent import CloudEvent
from remit.core.codec import plain
from remit.core.errors import ConditionError, InputError, RemitError
from remit.core.notification import Notification, NotifierConfig, quiet
from remit.engine.bus.local import LocalBus
from remit.engine.envelopes import ENVELOPE, REFUSED, WATCHED, Envelope, shown
from remit.engine.notifications import NOTIFICATION, Notifications
from remit.engine.notifiers import Notifiers
from remit.engine.shared_state import EXPIRING, STATE, YES
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Put, Store, Write
from remit.ports.telemetry import Telemetry

NEAR, USED_UP = "remit.budget.near", "remit.budget.exhausted"
SOURCE = "urn:remit:budgets"
LEVELS = {80: NEAR, 100: USED_UP}
"""Per cent of a limit, and the event that tells of it."""

KEPT_MS = 400 * 86_400_000
AGAIN_MS = 5 * 60_000
"""How long whoever tells has for it; then another one may."""

MOST_TRIES = 5
PAGE = 200

log = logging.getLogger("remit.budgets")


class BudgetAlerts:
    """The alerts of all tenants."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        bus: LocalBus,
        notifiers: Notifiers,
        notifications: Notifications,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._notifiers = notifiers
        self._notifications = notifications
        self._telemetry = telemetry

    async def sweep(self) -> int:
        """Look at the budgets that are watched and tell what there is to tell; always 0, since nothing is left to be done again. Raises StoreError."""
        cursor: str | None = None
        while True:
            page = await self._store.query(STATE, "", (WATCHED,), limit=PAGE, cursor=cursor)
            for watched in page.items:
                row = await self._store.get(ENVELOPE, (watched["key"],))
                if row is not None:
                    for level in reached(row):
                        await self._tell(row, level)
            cursor = page.cursor
            if cursor is None:
                return 0

    async def _tell(self, row: Mapping[str, Any], level: int) -> None:
        """Tell of a level unless that is done, is being done, or was tried too often."""
        tenant_id, now = row["tenant_id"], self._clock.now()
        place, key = f"{WATCHED}/{tenant_id}", f"{row['generation']}/{level}"
        known = await self._store.get(STATE, (place, key))
        if known is None:
            planned = self._planned(row, level, await self._notifiers.all(tenant_id))
            marker: dict[str, Any] = {
                "place": place,
                "key": key,
                "scope": WATCHED,
                "version": 1,
                EXPIRING: YES,
                "expires_ts": now + KEPT_MS,
                "begun_ts": now,
                "told": 0,
                "messages": [each.notification_id for each in planned],
            }
            messages = [Put(NOTIFICATION, plain(each), ABSENT) for each in planned]
            writes = [Put(STATE, marker, ABSENT), *messages, *await self._event(row, level)]
            if not await self._wins(writes):
                return
            self._telemetry.count(sc.BUDGET_ALERTS, 1, {"level": str(level)})
            log.warning("%s", sentence(shown(row), level), extra={"tenant_id": tenant_id})
        else:
            if known["told"] or known["version"] >= MOST_TRIES or now - known["begun_ts"] < AGAIN_MS:
                return
            marker = {**known, "version": known["version"] + 1, "begun_ts": now}
            if not await self._wins([Put(STATE, marker, {"version": known["version"]})]):
                return
        if await self._sent(tenant_id, marker["messages"]):
            await self._wins([Put(STATE, {**marker, "told": 1}, {"version": marker["version"]})])

    async def _wins(self, writes: Sequence[Write]) -> bool:
        try:
            await self._store.transact(writes)
        except ConditionError:  # another worker tells
            return False
        return True

    def _planned(
        self, row: Mapping[str, Any], level: int, configs: list[NotifierConfig]
    ) -> list[Notification]:
        now = self._clock.now()
        return [
            Notification(
                notification_id=self._clock.new_id("ntf"),
                tenant_id=row["tenant_id"],
                notifier_id=config.notifier_id,
                channel=config.channel,
                table_id="",
                kind="budget",
                subject=f"[BUDGET] {sentence(shown(row), level)}",
                lines=(),
                planned_ts=now,
                changed_ts=now,
            )
            for config in configs
            if "budget" in config.on and not quiet(config, now)
        ]

    async def _sent(self, tenant_id: str, messages: list[str]) -> bool:
        """Send what was not sent; whether nothing is left. A message of which nobody knows whether it arrived is not sent twice."""
        left = 0
        for message in messages:
            try:
                if (await self._notifications.get(tenant_id, message)).status in ("pending", "failed"):
                    await self._notifications.send(tenant_id, message)
            except (RemitError, OSError, EOFError) as error:
                log.error("an alert of tenant %s is not sent: %s", tenant_id, error)
                left += 1
        return not left

    async def _event(self, row: Mapping[str, Any], level: int) -> list[Write]:
        """The event, to be published in the transaction that writes down that the level is reached."""
        tenant_id, found = row["tenant_id"], shown(row)
        event = CloudEvent(
            id=f"{row['generation']}/{level}",
            source=SOURCE,
            type=LEVELS[level],
            data={"level": level, "sentence": sentence(found, level), **plain(found)},
            subject=tenant_id,
            partitionkey=tenant_id,
        )
        try:
            return self._bus.publisher.riding(tenant_id, await self._bus.subscriptions.of(tenant_id), [event])
        except InputError as error:  # a subscription that this program cannot read
            log.error("an event of the budget of tenant %s is not published: %s", tenant_id, error)
            return []


def reached(row: Mapping[str, Any]) -> tuple[int, ...]:
    """The levels that a budget has reached by what ended runs have used; the last one also where a task was refused for it."""
    shares = [
        100 * row[f"{unit}_used"] // row[f"{unit}_limit"] if row[f"{unit}_limit"] else 100
        for unit in ("nano_usd", "tokens")
        if f"{unit}_limit" in row and f"{unit}_used" in row
    ]
    share = max(shares, default=0)
    return tuple(level for level in LEVELS if level <= share or (level == 100 and row.get(REFUSED, 0)))


def sentence(found: Envelope, level: int) -> str:
    """What is told, in one sentence."""
    parts = []
    if found.limit_usd is not None and found.used_usd is not None:
        parts.append(f"{found.used_usd:.2f} of {found.limit_usd:.2f} US dollars")
    if found.limit_tokens is not None:
        parts.append(f"{found.used_tokens} of {found.limit_tokens} tokens")
    how = f"has used {level} % of its budget" if level < 100 else "has used up its budget"
    if level >= 100 and not _spent(found):
        how = "has too little of its budget left for a task that was refused"
    return f"tenant {found.tenant_id} {how}: {', '.join(parts) or 'not counted'}"


def _spent(found: Envelope) -> bool:
    pairs = ((found.used_usd, found.limit_usd), (found.used_tokens, found.limit_tokens))
    return any(used is not None and limit is not None and used >= limit for used, limit in pairs)
