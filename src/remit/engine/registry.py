"""The registry: definitions of any kind as immutable versions, exactly one of them active (V4, V5, P17).

A change is one transaction: the head on condition of its revision, the versions whose status moves, the audit record,
and whatever the kind adds. So of two who change a definition at the same time one wins, and the other gets a
ConflictError that names the winner; nobody ever sees two active versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core import definition as df
from remit.core.codec import canonical, plain
from remit.core.definition import (
    MAIN,
    Action,
    Alias,
    Change,
    Definition,
    Difference,
    Head,
    Who,
    definition_id,
)
from remit.core.errors import ConditionError, ConflictError, InputError, NotFoundError
from remit.core.naming import ends
from remit.core.redaction import Redactor
from remit.core.task import Actor
from remit.core.times import rfc3339
from remit.engine import versions
from remit.engine.editing import Editors
from remit.engine.versions import CHANGES, HEADS, Kind
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Put, Records, Write

PAGE = 200
Writes = list[Write]


class Heads(Struct, frozen=True):
    """A page of definitions; `cursor` of the next page, or null at the end."""

    items: list[Head]
    cursor: str | None = None


class History(Struct, frozen=True):
    """A page of versions, newest first; `cursor` of the next page, or null at the end."""

    items: list[Definition]
    cursor: str | None = None


class Changes(Struct, frozen=True):
    """A page of audit records, newest first; `cursor` of the next page, or null at the end."""

    items: list[Change]
    cursor: str | None = None


class Registry:
    """The definitions of all tenants; every verb names its tenant, and every change its actor and reason.

    Every change raises DeniedError when policy does not let its actor make it.
    """

    def __init__(
        self,
        store: Records,
        blobs: Blobs,
        clock: Clock,
        kinds: Iterable[Kind],
        redactor: Redactor,
        editors: Editors,
    ) -> None:
        """`redactor` knows the secrets that no definition may hold; `editors` says who may change which."""
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._kinds = {kind.name: kind for kind in kinds}
        self._redactor = redactor
        self._editors = editors

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are known here, in the order in which they were given: those that others refer to first."""
        return tuple(self._kinds)

    def kind(self, name: str) -> Kind:
        """A kind. Raises InputError that lists the known ones."""
        found = self._kinds.get(name)
        if found is None:
            known = ", ".join(f"`{k}`" for k in self.kinds)
            raise InputError(f"there is no kind `{name[:100]}`", code="E523", help=f"known kinds: {known}")
        return found

    def check(self, tenant_id: str, kind: str, name: str, body: Any) -> dict[str, Any]:
        """The body as it would be kept. Raises InputError for a name, a kind or a body that does not fit."""
        df.check_names(tenant_id, kind, name)
        made = versions.checked_body(self.kind(kind), body)
        self._no_secret(kind, name, made)
        return made

    async def verified(self, tenant_id: str, kind: str, name: str, body: Any) -> dict[str, Any]:
        """The body as it would be written now. Raises InputError, also for what it refers to and is not there."""
        made = self.check(tenant_id, kind, name, body)
        for other_kind, other in self.kind(kind).references(made):
            if await self.head(tenant_id, other_kind, other) is None:
                raise InputError(
                    f"{kind} `{name}` refers to {other_kind} `{other}`, which does not exist",
                    code="E514",
                    help="create that one first",
                )
        await self.kind(kind).verify(tenant_id, made)
        return made

    # changing

    async def create(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        body: Any,
        *,
        actor: Actor,
        reason: str,
        comment: str = "",
        enabled: bool = True,
        source: str = "",
    ) -> Definition:
        """Write a new definition: version 1, active. Raises InputError, and ConflictError when there is one."""
        who = self._who(tenant_id, kind, name, "create", actor, reason)
        made = await self.verified(tenant_id, kind, name, body)
        if await self.head(tenant_id, kind, name) is not None:
            raise await self._lost(tenant_id, kind, name, 1)
        after = df.created(tenant_id, kind, name, who, source=source, enabled=enabled)
        return await self._write(None, after, made, comment)

    async def edit(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        body: Any,
        *,
        actor: Actor,
        reason: str,
        comment: str = "",
        enabled: bool | None = None,
        source: str | None = None,
        expect_version: int | None = None,
    ) -> Definition:
        """Write the next version and make it active; the one before is archived. Also revives an archived definition.

        `expect_version` is the active version that was edited (0: none). Raises ConflictError when another is active by now.
        """
        who = self._who(tenant_id, kind, name, "edit", actor, reason)
        made = await self.verified(tenant_id, kind, name, body)
        head = await self._found(tenant_id, kind, name, expect_version)
        after = df.edited(head, who, source=source, enabled=enabled)
        return await self._write(head, after, made, comment)

    async def draft(
        self, tenant_id: str, kind: str, name: str, body: Any, *, actor: Actor, reason: str, comment: str = ""
    ) -> Definition:
        """Write the next version, or the first, without making it active. Raises InputError."""
        who = self._who(tenant_id, kind, name, "draft", actor, reason)
        made = await self.verified(tenant_id, kind, name, body)
        head = await self.head(tenant_id, kind, name)
        return await self._write(head, df.drafted(head, tenant_id, kind, name, who), made, comment)

    async def promote(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        version: int,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> Definition:
        """Make a draft the active version. Raises NotFoundError, InputError for no draft, ConflictError."""
        who = self._who(tenant_id, kind, name, "promote", actor, reason)
        head = await self._found(tenant_id, kind, name, expect_version)
        known = await self.get(tenant_id, kind, name, version)
        await self.kind(kind).verify(tenant_id, known.body)
        return await self._write(head, df.promoted(head, version, known.status, who))

    async def refuse(
        self, tenant_id: str, kind: str, name: str, version: int, *, actor: Actor, reason: str
    ) -> Definition:
        """Turn down a draft: it is archived, with the reason. Raises NotFoundError, InputError for no draft, ConflictError."""
        who = self._who(tenant_id, kind, name, "refuse", actor, reason)
        head = await self._found(tenant_id, kind, name)
        known = await self.get(tenant_id, kind, name, version)
        return await self._write(head, df.refused(head, version, known.status, who))

    async def rollback(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        version: int,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> Definition:
        """Make an archived version active again. Raises NotFoundError, InputError for any other, ConflictError."""
        who = self._who(tenant_id, kind, name, "rollback", actor, reason)
        head = await self._found(tenant_id, kind, name, expect_version)
        known = await self.get(tenant_id, kind, name, version)
        await self.kind(kind).verify(tenant_id, known.body)
        return await self._write(head, df.rolled_back(head, version, known.status, who))

    async def archive(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        *,
        actor: Actor,
        reason: str,
        expect_version: int | None = None,
    ) -> Definition:
        """Leave nothing active; every version is kept for ever. Raises NotFoundError, ConflictError."""
        who = self._who(tenant_id, kind, name, "archive", actor, reason)
        head = await self._found(tenant_id, kind, name, expect_version)
        return await self._write(head, df.archived(head, who))

    async def enable(self, tenant_id: str, kind: str, name: str, *, actor: Actor, reason: str) -> Definition:
        """Switch a definition on. Raises NotFoundError, ConflictError."""
        return await self._switch(
            tenant_id, kind, name, True, self._who(tenant_id, kind, name, "enable", actor, reason)
        )

    async def disable(self, tenant_id: str, kind: str, name: str, *, actor: Actor, reason: str) -> Definition:
        """Switch a definition off; its active version stays what it is. Raises NotFoundError, ConflictError."""
        return await self._switch(
            tenant_id, kind, name, False, self._who(tenant_id, kind, name, "disable", actor, reason)
        )

    async def set_alias(
        self,
        tenant_id: str,
        kind: str,
        name: str,
        alias: str,
        version: int,
        *,
        canary: tuple[int, int] = (0, 0),
        actor: Actor,
        reason: str,
    ) -> Head:
        """Let `alias` stand for `version` (0 takes it away), and for `canary` = (version, per cent) of the keys.

        `active` takes a canary only: its version moves by edit, promote and rollback. Raises InputError, NotFoundError.
        """
        who = self._who(tenant_id, kind, name, "alias", actor, reason)
        head = await self._found(tenant_id, kind, name)
        after = df.aliased(head, alias, Alias(version, *canary), who)
        await self._write(head, after)
        return after

    # looking

    async def head(self, tenant_id: str, kind: str, name: str) -> Head | None:
        """Where a definition stands, or None. Raises InputError for what cannot be a name."""
        self.kind(kind)
        df.check_names(tenant_id, kind, name)
        item = await self._store.get(HEADS, (definition_id(tenant_id, kind, name),))
        return None if item is None else versions.read_head(item)

    async def get(
        self, tenant_id: str, kind: str, name: str, version: int = 0, *, alias: str = MAIN
    ) -> Definition:
        """A version; for 0 the one that `alias` stands for. Raises NotFoundError."""
        if not version:
            return await self.resolve(tenant_id, kind, name, alias=alias)
        df.check_names(tenant_id, kind, name)
        held = self.kind(kind)
        item = await self._store.get(held.collection, (held.key(tenant_id, name), version))
        if item is None:
            raise NotFoundError(
                f"{kind} `{name}` has no version {version}", help=f"`remit history {kind}/{name}` lists them"
            )
        return held.read(item)

    async def resolve(
        self, tenant_id: str, kind: str, name: str, *, alias: str = MAIN, key: str = ""
    ) -> Definition:
        """The version that an alias stands for, for one key (see `definition.chosen`). Raises NotFoundError."""
        head = await self._known(tenant_id, kind, name)
        version = df.chosen(head.alias(alias), definition_id(tenant_id, kind, name), key)
        if not version:
            aliases = ", ".join(f"`{a}`" for a in head.aliases) or "none"
            raise NotFoundError(
                f"{kind} `{name}` has no version under `{alias[:100]}`", help=f"its other aliases: {aliases}"
            )
        return await self.get(tenant_id, kind, name, version)

    async def list(
        self,
        tenant_id: str,
        kind: str = "",
        *,
        after: str = "",
        prefix: str = "",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Heads:
        """Definitions by name, of one kind or of all, the archived ones too.

        With a kind, `after` starts behind a name, and `prefix` is how names begin.
        """
        index, equals = "by_tenant", (tenant_id,)
        if kind:
            index, equals = "by_kind", (versions.scope_of(tenant_id, self.kind(kind).name),)
        # What follows `after` and nothing before it: no character of a name sorts before the space.
        lower = f"{after} " if after else prefix or None
        upper = ends(prefix) if prefix else None
        page = await self._store.query(
            HEADS, index, equals, lower=lower, upper=upper, limit=limit, cursor=cursor
        )
        return Heads([versions.read_head(i) for i in page.items], page.cursor)

    async def history(
        self, tenant_id: str, kind: str, name: str, *, limit: int = 50, cursor: str | None = None
    ) -> History:
        """The versions of a definition, newest first. Raises NotFoundError."""
        await self._known(tenant_id, kind, name)
        held = self.kind(kind)
        page = await self._store.query(
            held.collection, "", (held.key(tenant_id, name),), descending=True, limit=limit, cursor=cursor
        )
        return History([held.read(i) for i in page.items], page.cursor)

    async def changes(
        self,
        tenant_id: str,
        kind: str = "",
        name: str = "",
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Changes:
        """Audit records, newest first: of one definition, or of the whole tenant. Bounds are Unix milliseconds."""
        index, equals = "by_tenant", (tenant_id,)
        if kind:
            df.check_names(tenant_id, kind, name)
            index, equals = "by_time", (definition_id(tenant_id, kind, name),)
        page = await self._store.query(
            CHANGES, index, equals, lower=since, upper=until, descending=True, limit=limit, cursor=cursor
        )
        return Changes([versions.read_change(i) for i in page.items], page.cursor)

    async def at(self, tenant_id: str, kind: str, name: str, ts: int) -> Definition:
        """The version that was active at a time (Unix milliseconds). Raises NotFoundError when none was."""
        await self._known(tenant_id, kind, name)
        page = await self.changes(tenant_id, kind, name, until=ts, limit=1)
        if not page.items or not page.items[0].after.active.version:
            raise NotFoundError(
                f"no version of {kind} `{name}` was active at that time",
                help=f"`remit history {kind}/{name}` shows when it changed",
            )
        then = page.items[0].after
        return versions.as_of(await self.get(tenant_id, kind, name, then.active.version), then)

    async def diff(self, tenant_id: str, kind: str, name: str, a: int, b: int) -> tuple[Difference, ...]:
        """Where the bodies of two versions differ. Raises NotFoundError."""
        old, new = [await self.get(tenant_id, kind, name, v) for v in (a, b)]
        return tuple(df.differences(old.body, new.body))

    # how

    def _no_secret(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """A secret in a body would be carried into prompts, journals and exports."""
        if self._redactor.value(body) is not body:
            raise InputError(
                f"the body of {kind} `{name}` holds a secret",
                code="E515",
                help="take it out; name secrets as `${secret:NAME}` or read them in a tool",
            )

    def _who(self, tenant_id: str, kind: str, name: str, change: Action, actor: Actor, reason: str) -> Who:
        """Who makes a change, if policy lets them. Raises DeniedError, InputError."""
        self.kind(kind)
        df.check_names(tenant_id, kind, name)
        self._editors.check(tenant_id, actor, kind, name, change)
        if not reason.strip():
            raise InputError(
                "a change needs a reason, and none was given", code="E517", help="say why, e.g. `--why TEXT`"
            )
        return Who(actor.actor_id, self._redactor.text(reason), self._clock.now())

    async def _switch(self, tenant_id: str, kind: str, name: str, on: bool, who: Who) -> Definition:
        head = await self._found(tenant_id, kind, name)
        if head.enabled is on:
            return await self.get(tenant_id, kind, name, head.active.version or head.latest)
        return await self._write(head, df.switched(head, on, who))

    async def _known(self, tenant_id: str, kind: str, name: str) -> Head:
        head = await self.head(tenant_id, kind, name)
        if head is None:
            held = self._kinds.get(kind)
            word, listed = (held.word, held.listed) if held else ("", "")
            raise NotFoundError(
                f"there is no {word or kind} `{name}`", help=f"`{listed or f'remit get {kind}'}` lists them"
            )
        return head

    async def _found(self, tenant_id: str, kind: str, name: str, expect: int | None = None) -> Head:
        """The head, if the active version is the expected one. Raises NotFoundError, ConflictError."""
        head = await self._known(tenant_id, kind, name)
        if expect is not None and head.active.version != expect:
            raise _conflict(kind, name, await self._mover(head, expect))
        return head

    async def _mover(self, head: Head, expect: int) -> Change | None:
        """The change that made another version active than the expected one."""
        cursor: str | None = None
        while True:
            page = await self.changes(head.tenant_id, head.kind, head.name, limit=PAGE, cursor=cursor)
            for change in page.items:
                was = change.before.active.version if change.before else 0
                if was == expect != change.after.active.version:
                    return change
            cursor = page.cursor
            if cursor is None:
                return None

    async def _write(
        self, head: Head | None, after: Head, body: dict[str, Any] | None = None, comment: str = ""
    ) -> Definition:
        """Make `after` the head, if nobody was faster. Returns the version that the change is about."""
        moved, writes = await self._versions(head, after, body, self._redactor.text(comment))
        about = moved.get(after.last.version) or await self._version(after, after.last.version)
        before = moved.get(head.active.version) if head else None
        if before is None and head is not None and head.active.version:
            before = await self._version(head, head.active.version)
        change = await self._change(head, after, about, before)
        expect = {"revision": head.revision} if head else ABSENT
        kind = self.kind(after.kind)
        try:
            await self._store.transact(
                [
                    Put(HEADS, versions.head_item(after), expect),
                    Put(CHANGES, plain(change), ABSENT),
                    *writes,
                    *await kind.also(about, before),
                ]
            )
        except ConditionError as error:
            raise await self._lost(after.tenant_id, after.kind, after.name, after.revision) from error
        return about

    async def _versions(
        self, head: Head | None, after: Head, body: dict[str, Any] | None, comment: str
    ) -> tuple[dict[int, Definition], Writes]:
        """The versions that a change touches, as they will be, and the writes that make them so."""
        kind, ts = self.kind(after.kind), after.last.ts
        statuses = df.moved(head, after)
        touched: dict[int, Definition] = {}
        writes: Writes = []
        switched = head is not None and head.enabled is not after.enabled and after.active.version
        for version in sorted({*statuses, *([after.active.version] if switched else [])}):
            fresh = body is not None and version == after.latest
            old = (
                versions.new_version(kind, after, body or {}, comment)
                if fresh
                else await self._version(after, version)
            )
            status = statuses.get(version, old.status)
            enabled = after.enabled if status == "active" else old.enabled
            touched[version] = replace(old, status=status, enabled=enabled, updated_at=ts)
            writes.append(
                Put(kind.collection, kind.item(touched[version]), ABSENT if fresh else {"status": old.status})
            )
        return touched, writes

    async def _version(self, head: Head, version: int) -> Definition:
        return await self.get(head.tenant_id, head.kind, head.name, version)

    async def _change(
        self, head: Head | None, after: Head, about: Definition, before: Definition | None
    ) -> Change:
        """The audit record, whose snapshot is in the blob store before the change is made."""
        last = after.last
        snapshot = await self._blobs.put(canonical({"definition": about, "head": after}))
        return Change(
            definition_id=definition_id(after.tenant_id, after.kind, after.name),
            tenant_id=after.tenant_id,
            kind=after.kind,
            name=after.name,
            revision=after.revision,
            action=last.action,
            version=last.version,
            author=last.author,
            reason=last.reason,
            changed_ts=last.ts,
            before=head,
            after=after,
            digest=about.digest,
            digest_before=before.digest if before else "",
            snapshot=snapshot,
        )

    async def _lost(self, tenant_id: str, kind: str, name: str, revision: int) -> ConflictError:
        """The error for whoever wanted to write a revision that somebody else wrote: it names them."""
        item = await self._store.get(CHANGES, (definition_id(tenant_id, kind, name), revision))
        return _conflict(kind, name, versions.read_change(item) if item else None)


def _conflict(kind: str, name: str, winner: Change | None) -> ConflictError:
    if winner is None:
        return ConflictError(
            f"{kind} `{name}` is not what this change expected",
            code="E516",
            help="read it again and decide again",
        )
    return ConflictError(
        f"{kind} `{name}` was changed by `{winner.author}`: {winner.action} of version {winner.version}"
        f" at {rfc3339(winner.changed_ts)}",
        code="E516",
        help=f"read it again and decide again: `remit history {kind}/{name}`",
    )
