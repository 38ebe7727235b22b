"""When somebody should be told that a run can go on, where nobody looks by himself."""

from __future__ import annotations

import asyncio

from remit.ports.driving import Driver, Hint
from remit.ports.store import RunHead, Store

SOON_S = 900.0
"""A wake time so near is told at once, with a delay; one farther off is found by the next look at what is due."""

MOST_DUE = 1000
AT_ONCE = 16


def hint_for(old: RunHead | None, new: RunHead | None, now: int) -> Hint | None:
    """What a run's head tells by having changed from `old` to `new`, as seen at `now` (Unix milliseconds).

    A run is told of once when it becomes ready with nobody holding it, and once for each wake time. Its holder sees to it
    as long as there is one; should the holder have died, the lease's end is found by looking at what is due.
    """
    if new is None or new.status == "ended":
        return None
    if new.status == "waiting":
        return _timer(old, new, now)
    if not new.owner:
        was_told = old is not None and old.status == "ready" and not old.owner
        return None if was_told else now_of(new)
    abandoned = new.lease_until <= now and old is not None and new.inbox > old.inbox
    return now_of(new) if abandoned else None


def now_of(head: RunHead) -> Hint:
    """What tells that a run can go on now."""
    return Hint(head.run_id, head.agent, tenant_id=head.tenant_id)


def _timer(old: RunHead | None, new: RunHead, now: int) -> Hint | None:
    if new.wake_ts is None:
        return None
    if old is not None and old.status == "waiting" and old.wake_ts == new.wake_ts:
        return None
    delay_s = max(0.0, (new.wake_ts - now) / 1000)
    return Hint(new.run_id, new.agent, delay_s, new.tenant_id) if delay_s <= SOON_S else None


async def hint_due(store: Store, driver: Driver, *, limit: int = MOST_DUE) -> int:
    """Tell of every run that is due now; how many could be told. Raises StoreError."""
    limited = asyncio.Semaphore(AT_ONCE)

    async def head(run_id: str) -> RunHead | None:
        async with limited:
            return await store.head(run_id)

    heads = await asyncio.gather(*[head(run_id) for run_id in await store.due(limit=limit)])
    hints = [now_of(found) for found in heads if found is not None]
    return len(hints) - len(await driver.hint(hints)) if hints else 0
