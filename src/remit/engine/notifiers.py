"""Notifiers: who is told about failing and recovering rules (V9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.errors import ConditionError, ConflictError, InputError, NotFoundError
from remit.core.naming import check_id, own_id, stored_id
from remit.core.notification import NotifierConfig, check_notifier
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.engine.applying import FILES, Document, Key, Standing
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Delete, Index, Put, Records

NOTIFIERS = "notifier_config"

COLLECTION = Collection(NOTIFIERS, ("notifier_id",), (Index("by_tenant", ("tenant_id", "notifier_id")),))

PAGE = 200
ATTEMPTS = 5
_STATE = ("muted_until", "created_at")
"""Fields that nobody writes in a file."""

Several = list[NotifierConfig]
Names = list[str]
Items = list[dict[str, Any]]


class NotifierPage(Struct, frozen=True):
    """A page of notifiers by id; `cursor` of the next page, or null at the end."""

    items: list[NotifierConfig]
    cursor: str | None = None


class Notifiers:
    """The notifiers of all tenants; every verb names its tenant."""

    def __init__(self, store: Records, clock: Clock, redactor: Redactor) -> None:
        """`redactor` knows the secrets that no notifier may hold."""
        self._store = store
        self._clock = clock
        self._redactor = redactor

    async def put(self, tenant_id: str, config: NotifierConfig, *, applied_from: str = "") -> NotifierConfig:
        """Add a notifier, or change it; it stays muted if it is. Raises InputError with every mistake."""
        check_notifier(config)
        if self._redactor.value(given := plain(config)) is not given:
            raise InputError(
                f"notifier `{config.notifier_id}` holds a secret",
                code="E619",
                help="take it out, and write `${secret:NAME}` in its place",
            )
        return await self._change(tenant_id, config.notifier_id, config, applied_from=applied_from)

    async def get(self, tenant_id: str, notifier_id: str) -> NotifierConfig:
        """A notifier. Raises NotFoundError."""
        found = await self.find(tenant_id, notifier_id)
        if found is None:
            raise NotFoundError(
                f"there is no notifier `{notifier_id[:150]}`", help="`remit notifiers list` shows them"
            )
        return found

    async def find(self, tenant_id: str, notifier_id: str) -> NotifierConfig | None:
        """A notifier, or None."""
        item = await self._item(tenant_id, notifier_id)
        return None if item is None else _config(tenant_id, item)

    async def list(self, tenant_id: str, *, limit: int = 50, cursor: str | None = None) -> NotifierPage:
        """Notifiers by id."""
        page = await self._store.query(NOTIFIERS, "by_tenant", (tenant_id,), limit=limit, cursor=cursor)
        return NotifierPage([_config(tenant_id, item) for item in page.items], page.cursor)

    async def all(self, tenant_id: str) -> Several:
        """Every notifier of a tenant."""
        return [_config(tenant_id, item) for item in await self._items(tenant_id)]

    async def names(self, tenant_id: str, *, applied_from: str = "") -> Names:
        """Notifiers by id; with `applied_from` only what came from there."""
        return [
            own_id(tenant_id, item["notifier_id"])
            for item in await self._items(tenant_id)
            if not applied_from or item["applied_from"] == applied_from
        ]

    async def remove(self, tenant_id: str, notifier_id: str) -> None:
        """Forget a notifier. Raises NotFoundError."""
        await self.get(tenant_id, notifier_id)
        await self._store.transact([Delete(NOTIFIERS, (stored_id(tenant_id, notifier_id),))])

    async def mute(self, tenant_id: str, notifier_id: str, until: int) -> NotifierConfig:
        """Send nothing until a time (Unix milliseconds, 0 ends it); what still fails then is told. Raises NotFoundError."""
        return await self._change(tenant_id, notifier_id, muted_until=until)

    async def _change(
        self,
        tenant_id: str,
        notifier_id: str,
        config: NotifierConfig | None = None,
        *,
        applied_from: str = "",
        muted_until: int | None = None,
    ) -> NotifierConfig:
        """Write a whole notifier, or its mute alone; what the other says of it stays."""
        for _ in range(ATTEMPTS):
            known = await self._item(tenant_id, notifier_id)
            old = None if known is None else _config(tenant_id, known)
            made = config or old or await self.get(tenant_id, notifier_id)
            made = replace(
                made,
                created_at=old.created_at if old else self._clock.now(),
                muted_until=muted_until if muted_until is not None else old.muted_until if old else 0,
            )
            item = plain(made) | {
                "tenant_id": tenant_id,
                "notifier_id": stored_id(tenant_id, notifier_id),
                "applied_from": applied_from if config else known["applied_from"] if known else "",
                "revision": known["revision"] + 1 if known else 1,
            }
            try:
                expect = {"revision": known["revision"]} if known else ABSENT
                await self._store.transact([Put(NOTIFIERS, item, expect)])
            except ConditionError:
                continue
            return made
        raise ConflictError(
            f"notifier `{notifier_id}` is being changed by somebody else", code="E617", help="try again"
        )

    async def _item(self, tenant_id: str, notifier_id: str) -> dict[str, Any] | None:
        return await self._store.get(NOTIFIERS, (stored_id(tenant_id, check_id("notifier_id", notifier_id)),))

    async def _items(self, tenant_id: str) -> Items:
        found: Items = []
        cursor: str | None = None
        while True:
            page = await self._store.query(NOTIFIERS, "by_tenant", (tenant_id,), limit=PAGE, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found


class NotifierApplier:
    """Applies notifiers from files."""

    kind = "notifier"

    def __init__(self, notifiers: Notifiers) -> None:
        self._notifiers = notifiers

    def check(self, tenant_id: str, document: Document) -> Document:
        """The document with every field of its notifier. Raises InputError."""
        config = _of(document)
        check_notifier(config)
        return replace(document, spec=_spec(config), enabled=None)

    def references(self, document: Document) -> list[Key]:
        """Tables and rules may come later: a notifier that waits for them does no harm."""
        return []

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Nothing beyond the document itself."""
        return []

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """The notifier as it stands."""
        config = await self._notifiers.find(tenant_id, name)
        return None if config is None else Standing(_spec(config))

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """Add or change it."""
        await self._notifiers.put(tenant_id, _of(document), applied_from=FILES)

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        """Forget it."""
        await self._notifiers.remove(tenant_id, name)

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        """Notifiers by id."""
        return await self._notifiers.names(tenant_id, applied_from=FILES if from_files else "")


def _of(document: Document) -> NotifierConfig:
    spec = {k: v for k, v in document.spec.items() if k not in _STATE}
    if spec.get("notifier_id", document.name) != document.name:
        raise InputError(
            f"notifier `{document.name}` names another `notifier_id` in its spec",
            code="E624",
            help="leave `notifier_id` out of the spec",
        )
    if document.enabled is not None:
        spec["enabled"] = document.enabled
    return convert({**spec, "notifier_id": document.name}, NotifierConfig)


def _spec(config: NotifierConfig) -> dict[str, Any]:
    spec: dict[str, Any] = plain(config)
    return {k: v for k, v in spec.items() if k not in ("notifier_id", *_STATE)}


def _config(tenant_id: str, item: Mapping[str, Any]) -> NotifierConfig:
    fields = {name: item[name] for name in NotifierConfig.__struct_fields__ if name in item}
    return convert(fields | {"notifier_id": own_id(tenant_id, item["notifier_id"])}, NotifierConfig)
