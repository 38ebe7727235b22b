"""Who gets which events: the subscriptions of every tenant, kept in the store and compiled here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remit.core.codec import convert
from remit.core.errors import InputError
from remit.core.pattern import Pattern, compiled
from remit.engine.bus.records import REVISION, SUBSCRIPTION, Subscribed, subscribed_item
from remit.ports.bus import EVERYBODY
from remit.ports.clock import Clock
from remit.ports.store import Delete, Put, Records, Write

PAGE = 200

Subscribeds = list[Subscribed]
Writes = list[Write]


class Matching:
    """The subscriptions of one tenant, with those for everybody, ready to match. Those with plain types are found by type."""

    def __init__(self, subscriptions: Sequence[Subscribed]) -> None:
        self.by_name = {s.name: s for s in subscriptions}
        self._by_type: dict[str, list[tuple[Subscribed, Pattern]]] = {}
        self._others: list[tuple[Subscribed, Pattern]] = []
        for subscribed in subscriptions:
            if subscribed.enabled:
                for pattern in subscribed.subscription.patterns:
                    self._add(subscribed, compiled(pattern))

    def _add(self, subscribed: Subscribed, pattern: Pattern) -> None:
        types = pattern.source.get("type")
        if isinstance(types, list) and all(isinstance(one, str) for one in types):
            for one in types:
                self._by_type.setdefault(one, []).append((subscribed, pattern))
        else:
            self._others.append((subscribed, pattern))

    def of(self, event: dict[str, Any]) -> Subscribeds:
        """The subscriptions that an event is for, each once."""
        found: dict[str, Subscribed] = {}
        for some in (self._by_type.get(event["type"], ()), self._others):
            for subscribed, pattern in some:
                if subscribed.name not in found and pattern.matches(event):
                    found[subscribed.name] = subscribed
        return list(found.values())

    def might_want(self, type_: str) -> bool:
        """Whether an event of this type may be for anybody."""
        return type_ in self._by_type or bool(self._others)


class Subscriptions:
    """The subscriptions of all tenants. A change is seen by whoever asks next; reading again costs two small looks."""

    def __init__(self, store: Records, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[tuple[str, str], int, Matching]] = {}
        self._coded: dict[str, Subscribed] = {}
        self._synced = False

    def declare(self, coded: Sequence[Subscribed]) -> None:
        """Add subscriptions of the code that is loaded here; they are written when events are first published or delivered."""
        self._coded.update({subscribed.name: subscribed for subscribed in coded})
        self._synced = not self._coded

    @property
    def coded(self) -> frozenset[str]:
        """The names of the subscriptions of the code that is loaded here."""
        return frozenset(self._coded)

    async def of(self, tenant_id: str, *, max_age_ms: int = 0) -> Matching:
        """Those of a tenant, as they were at most `max_age_ms` ago. Raises StoreError."""
        known = self._known.get(tenant_id)
        now = self._clock.now()
        if known is not None and 0 <= now - known[1] < max_age_ms:
            return known[2]
        await self.sync()
        revision = (await self._revision(tenant_id), await self._revision(EVERYBODY))
        if known is None or known[0] != revision:
            matching = Matching(await self._all(tenant_id))
            known = (revision, now, matching)
        self._known[tenant_id] = (known[0], now, known[2])
        return known[2]

    async def find(self, tenant_id: str, name: str) -> Subscribed | None:
        """A subscription that gets this tenant's events: its own, or one for everybody."""
        return (await self.of(tenant_id)).by_name.get(name)

    async def list(self, tenant_id: str) -> Subscribeds:
        """The subscriptions that get this tenant's events, by name."""
        found = (await self.of(tenant_id)).by_name
        return [found[name] for name in sorted(found)]

    async def put(self, subscribed: Subscribed) -> None:
        """Write a subscription. Raises InputError E662 for a pattern that cannot be used."""
        await self._store.transact(self.writes(subscribed))

    def writes(self, subscribed: Subscribed) -> Writes:
        """The writes that make a subscription stand, and everybody see it. Raises InputError E662, E102."""
        for pattern in subscribed.subscription.patterns:
            compiled(pattern)
        item = subscribed_item(subscribed)
        convert(item, Subscribed)  # what could not be read again would stand in the way of all others
        return [Put(SUBSCRIPTION, item), self._touched(subscribed.tenant_id)]

    def removal(self, tenant_id: str, name: str) -> Writes:
        """The writes after which there is no such subscription."""
        return [Delete(SUBSCRIPTION, (tenant_id, name)), self._touched(tenant_id)]

    async def remove(self, tenant_id: str, name: str) -> None:
        """Forget a subscription; harmless when there is none."""
        await self._store.transact(self.removal(tenant_id, name))

    def _touched(self, tenant_id: str) -> Put:
        return Put(REVISION, {"tenant_id": tenant_id, "revision": self._clock.new_id("rev")})

    async def _revision(self, tenant_id: str) -> str:
        item = await self._store.get(REVISION, (tenant_id,))
        return "" if item is None else str(item["revision"])

    async def sync(self) -> None:
        """Write what the code here subscribes to, where that is not what is written already: else it only reads."""
        if self._synced:
            return
        for name, subscribed in self._coded.items():
            standing = await self._store.get(SUBSCRIPTION, (EVERYBODY, name))
            if not subscribed.subscription.patterns:
                if standing is not None:
                    await self.remove(EVERYBODY, name)
            elif standing is None or convert(standing, Subscribed) != subscribed:
                await self.put(subscribed)
        self._synced = True

    async def _all(self, tenant_id: str) -> Sequence[Subscribed]:
        found = {s.name: s for s in await self._stored(EVERYBODY)}
        found.update({s.name: s for s in await self._stored(tenant_id)})
        return list(found.values())

    async def _stored(self, tenant_id: str) -> Sequence[Subscribed]:
        found: list[Subscribed] = []
        cursor: str | None = None
        while True:
            page = await self._store.query(SUBSCRIPTION, "", (tenant_id,), limit=PAGE, cursor=cursor)
            found += [convert(item, Subscribed) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return found


def check_name(name: str) -> str:
    """The name of a subscription. Raises InputError E665 for what cannot be one."""
    if name and len(name.encode()) <= 300 and not any(ord(c) < 32 for c in name) and name[0] != "@":
        return name
    raise InputError(
        f"`{name[:100]}` cannot name a subscription",
        code="E665",
        help="use up to 300 printable characters, and no `@` at the beginning",
    )
