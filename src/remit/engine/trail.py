"""The audit trail of what is changed in place: tables and validation types (V5). Versions of definitions have their own."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.codec import canonical, convert, plain
from remit.core.errors import InputError
from remit.core.naming import check_id, stored_id
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.engine.editing import Editors
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Collection, Index, Put, Records

CHANGES = "record_change"

COLLECTION = Collection(
    CHANGES,
    ("subject", "revision"),
    (Index("by_tenant", ("tenant_id", "changed_ts")),),
    numbers=("revision",),
)

Act = Literal["create", "edit", "remove"]
Content = dict[str, Any] | None


class RecordChange(Struct, frozen=True):
    """The audit record of one change of a table or a validation type: who, when, why, and the whole of it before and after.

    `revision` counts its changes, also across a removal. `snapshot` names the blob that holds before and after too.
    """

    kind: str
    name: str
    revision: int
    action: Act
    author: str
    reason: str
    changed_ts: int
    before: Content = None
    after: Content = None
    snapshot: str = ""


class RecordChanges(Struct, frozen=True):
    """A page of audit records, newest first; `cursor` of the next page, or null at the end."""

    items: list[RecordChange]
    cursor: str | None = None


class Trail:
    """Writes an audit record with each change, and asks policy first whether its author may make it."""

    def __init__(
        self, store: Records, blobs: Blobs, clock: Clock, redactor: Redactor, editors: Editors
    ) -> None:
        """`redactor` knows the secrets that no reason may hold."""
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._redactor = redactor
        self._editors = editors

    async def record(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        *,
        actor: Actor,
        reason: str,
        before: Content,
        after: Content,
    ) -> Put:
        """What is to be written with a change, in its transaction: it fails if another change came in between.

        Raises DeniedError unless policy lets the actor, and InputError without a reason.
        """
        action: Act = "remove" if after is None else "create" if before is None else "edit"
        self._editors.check(tenant_id, actor, kind, name, action)
        if not reason.strip():
            raise InputError(
                "a change needs a reason, and none was given", code="E517", help="say why, e.g. `--why TEXT`"
            )
        last = (await self.changes(tenant_id, kind, name, limit=1)).items
        revision = last[0].revision + 1 if last else 1
        # Clocks of several machines differ; what happened to one thing never runs backwards.
        now = max(self._clock.now(), last[0].changed_ts if last else 0)
        told = self._redactor.text(reason)
        snapshot = await self._blobs.put(
            canonical({"kind": kind, "name": name, "revision": revision, "before": before, "after": after})
        )
        change = RecordChange(
            kind, name, revision, action, actor.actor_id, told, now, before, after, snapshot
        )
        item: dict[str, Any] = plain(change)
        subject = _subject(tenant_id, kind, name)
        return Put(CHANGES, {**item, "tenant_id": tenant_id, "subject": subject}, ABSENT)

    async def changes(
        self, tenant_id: str, kind: str, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> RecordChanges:
        """The changes of one thing, newest first, also after it was removed; none for what never was."""
        subject = _subject(tenant_id, kind, name)
        page = await self._store.query(CHANGES, "", (subject,), descending=True, limit=limit, cursor=cursor)
        return RecordChanges([_read(item) for item in page.items], page.cursor)


def _subject(tenant_id: str, kind: str, name: str) -> str:
    return stored_id(tenant_id, f"{kind}/{check_id('name', name)}")


def _read(item: dict[str, Any]) -> RecordChange:
    return convert({k: v for k, v in item.items() if k not in ("tenant_id", "subject")}, RecordChange)
