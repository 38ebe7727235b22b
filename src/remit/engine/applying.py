"""Applying documents: what files say becomes what is there, idempotently, and what is there becomes files again (V10).

Every kind has an `Applier`: the registry's kinds share one, kinds that are not versioned bring their own. Everything
is checked before anything is written; then each document is one change of its own, in the order in which they need
each other. A second time changes nothing, so an application that was cut off is finished by doing it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import canonical
from remit.core.errors import ConflictError, InputError, NotFoundError, RemitError
from remit.core.task import Actor
from remit.engine.registry import Registry

FILES = "files"
"""The `source` of a definition that was applied from files."""

WHY = "applied from files"
PAGE = 200

Verdict = Literal["create", "edit", "enable", "disable", "archive", "unchanged"]
Key = tuple[str, str]


class Document(Struct, frozen=True):
    """One thing as a file says it. `enabled` None leaves the switch as it is; `where` is the file and line, for errors."""

    kind: str
    name: str
    spec: dict[str, Any]
    comment: str = ""
    reason: str = ""
    enabled: bool | None = None
    where: str = ""

    @property
    def key(self) -> Key:
        """What it is about."""
        return self.kind, self.name


class Standing(Struct, frozen=True):
    """One thing as it stands. `version` is 0 for a kind that is not versioned."""

    spec: dict[str, Any]
    enabled: bool = True
    version: int = 0
    comment: str = ""


class Step(Struct, frozen=True):
    """What applying one document does, or did. `old` and `new` are the bodies; a side that is absent is None."""

    kind: str
    name: str
    verdict: Verdict
    old: dict[str, Any] | None = None
    new: dict[str, Any] | None = None
    where: str = ""


class Applier(Protocol):
    """How documents of one kind are applied. Errors of `check` are told with all others before anything is written."""

    @property
    def kind(self) -> str:
        """The kind."""

    def check(self, tenant_id: str, document: Document) -> Document:
        """The document as it is kept, with what was left out filled in. Raises InputError for one that cannot be applied."""

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """What is wrong with a document beside those `given` with it and what is there already."""

    def references(self, document: Document) -> list[Key]:
        """What must be there before this one, as (kind, name)."""

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """What is there now; None for nothing, and for what is archived."""

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """Make it so. `now` is what the plan was made from. Raises ConflictError when that is no longer there."""

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        """Take it away, or archive it."""

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        """What is there, by name; with `from_files` only what was applied from files."""


class Planned(Struct, frozen=True):
    """A step with what is needed to take it."""

    step: Step
    document: Document | None
    now: Standing | None


class Applying:
    """Applies documents, and says what is there as documents. `appliers` stand in the order in which kinds need each other."""

    def __init__(self, appliers: Iterable[Applier]) -> None:
        self._appliers = {applier.kind: applier for applier in appliers}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that can be applied, in order."""
        return tuple(self._appliers)

    async def plan(
        self, tenant_id: str, documents: Sequence[Document], *, prune: bool = False
    ) -> list[Planned]:
        """What applying these would do, in order. Raises InputError E518 that lists every mistake by file and line."""
        documents = await self._check(tenant_id, documents)
        planned = [await self._planned(tenant_id, document) for document in self._ordered(documents)]
        if prune:
            planned += await self._surplus(tenant_id, documents)
        return planned

    async def carry_out(
        self, tenant_id: str, planned: Sequence[Planned], *, actor: Actor, why: str = ""
    ) -> list[Step]:
        """Take the steps; one that fails ends it, and what was done before stays. Raises ConflictError, InputError."""
        for p in planned:
            applier = self._appliers[p.step.kind]
            await self._unmoved(tenant_id, p)
            if p.step.verdict == "archive":
                await applier.remove(tenant_id, p.step.name, actor=actor, why=why or WHY)
            elif p.step.verdict != "unchanged" and p.document is not None:
                reason = p.document.reason or why or WHY
                await applier.write(tenant_id, p.document, p.now, actor=actor, why=reason)
        return [p.step for p in planned]

    async def _unmoved(self, tenant_id: str, planned: Planned) -> None:
        """Raise ConflictError when this is no longer what the plan showed. New versions say themselves who was faster."""
        step, now = planned.step, planned.now
        if step.verdict == "unchanged":
            return
        found = await self._appliers[step.kind].current(tenant_id, step.name)
        versioned = any(standing is not None and standing.version for standing in (now, found))
        if found != now and (step.verdict == "archive" or not versioned):
            raise ConflictError(
                f"{step.kind} `{step.name}` was changed by somebody else since this was planned",
                code="E516",
                help="apply again: the plan is made anew",
            )

    async def names(self, tenant_id: str, kind: str) -> list[str]:
        """What there is of a kind. Raises InputError for an unknown kind."""
        return await self._applier(kind).names(tenant_id, from_files=False)

    async def current(self, tenant_id: str, kind: str, name: str) -> Standing:
        """One thing as it stands. Raises NotFoundError, and InputError for an unknown kind."""
        found = await self._applier(kind).current(tenant_id, name)
        if found is None:
            raise NotFoundError(f"there is no {kind} `{name[:150]}`", help=f"`remit get {kind}` lists them")
        return found

    async def export(self, tenant_id: str, kinds: Sequence[str] = ()) -> list[Document]:
        """Everything that is there, or all of some kinds, as documents which apply back to no change. Raises InputError."""
        found = []
        for kind in kinds or self.kinds:
            applier = self._applier(kind)
            for name in await applier.names(tenant_id, from_files=False):
                now = await applier.current(tenant_id, name)
                if now is not None:
                    switch = None if now.enabled else False
                    found.append(Document(kind, name, now.spec, comment=now.comment, enabled=switch))
        return found

    def _applier(self, kind: str) -> Applier:
        found = self._appliers.get(kind)
        if found is None:
            known = ", ".join(f"`{k}`" for k in sorted(self._appliers))
            raise InputError(f"there is no kind `{kind[:100]}`", code="E523", help=f"known kinds: {known}")
        return found

    async def _check(self, tenant_id: str, documents: Sequence[Document]) -> list[Document]:
        """The documents as they are kept."""
        checked: dict[Key, Document] = {}
        problems: list[str] = []
        seen: dict[Key, str] = {}
        for document in documents:
            if document.key in seen:
                first = seen[document.key]
                problems.append(f"{document.where}: {document.kind} `{document.name}` is already in {first}")
                continue
            seen[document.key] = document.where
            try:
                checked[document.key] = self._applier(document.kind).check(tenant_id, document)
            except RemitError as error:
                problems.append(
                    f"{document.where}: {error.message}" + (f" ({error.help})" if error.help else "")
                )
        if not problems:
            problems = [p for d in checked.values() for p in await self._dangling(tenant_id, d, checked)]
        if problems:
            raise InputError("\n".join(problems), code="E518", help="correct these; nothing was applied")
        return list(checked.values())

    async def _dangling(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """What a document refers to that is neither given with it nor there already, and what else does not fit."""
        applier = self._appliers[document.kind]
        dangling = [
            f"{document.where}: {document.kind} `{document.name}` refers to {kind} `{name}`, which does not exist"
            for kind, name in applier.references(document)
            if (kind, name) not in given and await self._applier(kind).current(tenant_id, name) is None
        ]
        mistakes = [] if dangling else await applier.mistakes(tenant_id, document, given)
        return [*dangling, *(f"{document.where}: {text}" for text in mistakes)]

    def _ordered(self, documents: Sequence[Document]) -> list[Document]:
        """What is referred to comes first; otherwise kinds in their order, names as given."""
        rank = {kind: i for i, kind in enumerate(self._appliers)}
        by_key = {d.key: d for d in sorted(documents, key=lambda d: rank[d.kind])}
        graph = {
            key: [r for r in self._appliers[key[0]].references(d) if r in by_key] for key, d in by_key.items()
        }
        try:
            return [by_key[key] for key in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            circle = " -> ".join(f"{kind}/{name}" for kind, name in error.args[1])
            raise InputError(
                f"these refer to each other in a circle: {circle}",
                code="E518",
                help="break it; nothing was applied",
            ) from error

    async def _planned(self, tenant_id: str, document: Document) -> Planned:
        now = await self._appliers[document.kind].current(tenant_id, document.name)
        old = None if now is None else now.spec
        step = Step(*document.key, _verdict(document, now), old, document.spec, document.where)
        return Planned(step, document, now)

    async def _surplus(self, tenant_id: str, documents: Sequence[Document]) -> list[Planned]:
        """What was applied from files, is of the kinds given, and is in them no more; dependants first."""
        kept = {d.key for d in documents}
        kinds = {d.kind for d in documents}
        found = []
        for kind in reversed([k for k in self.kinds if k in kinds]):
            applier = self._appliers[kind]
            for name in await applier.names(tenant_id, from_files=True):
                now = await applier.current(tenant_id, name)
                if (kind, name) not in kept and now is not None:
                    found.append(Planned(Step(kind, name, "archive", now.spec), None, now))
        return found


class RegistryApplier:
    """Applies documents of one of the registry's kinds."""

    def __init__(self, registry: Registry, kind: str) -> None:
        self._registry = registry
        self._kind = kind

    @property
    def kind(self) -> str:
        """The kind."""
        return self._kind

    def check(self, tenant_id: str, document: Document) -> Document:
        """The document with its body as the kind keeps it. Raises InputError for a name or a body that does not fit."""
        body = self._registry.check(tenant_id, document.kind, document.name, document.spec)
        return replace(document, spec=body)

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Nothing more: `verify` of the kind has the last word when it is written."""
        return []

    def references(self, document: Document) -> list[Key]:
        """What the kind says that a body refers to."""
        return self._registry.kind(self._kind).references(document.spec)

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """The active version."""
        head = await self._registry.head(tenant_id, self._kind, name)
        if head is None or not head.active.version:
            return None
        made = await self._registry.get(tenant_id, self._kind, name, head.active.version)
        return Standing(made.body, head.enabled, made.version, made.comment)

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """A new version; for a mere switch no version."""
        registry, at = self._registry, (tenant_id, document.kind, document.name)
        if now is not None and _equal(document.spec, now.spec):
            switch = registry.enable if document.enabled else registry.disable
            await switch(*at, actor=actor, reason=why)
        elif await registry.head(*at) is None:
            enabled = document.enabled is not False
            await registry.create(
                *at,
                document.spec,
                actor=actor,
                reason=why,
                comment=document.comment,
                enabled=enabled,
                source=FILES,
            )
        else:
            await registry.edit(
                *at,
                document.spec,
                actor=actor,
                reason=why,
                comment=document.comment,
                enabled=document.enabled,
                source=FILES,
                expect_version=now.version if now else 0,
            )

    async def remove(self, tenant_id: str, name: str, *, actor: Actor, why: str) -> None:
        """Archive it."""
        await self._registry.archive(tenant_id, self._kind, name, actor=actor, reason=why)

    async def names(self, tenant_id: str, *, from_files: bool) -> list[str]:
        """Those with an active version."""
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._registry.list(tenant_id, self._kind, limit=PAGE, cursor=cursor)
            found += [
                h.name for h in page.items if h.active.version and (h.source == FILES or not from_files)
            ]
            cursor = page.cursor
            if cursor is None:
                return found


def _verdict(document: Document, now: Standing | None) -> Verdict:
    if now is None:
        return "create"
    if not _equal(document.spec, now.spec):
        return "edit"
    if document.enabled is None or document.enabled is now.enabled:
        return "unchanged"
    return "enable" if document.enabled else "disable"


def _equal(a: Any, b: Any) -> bool:
    """Equal as JSON."""
    return canonical(a) == canonical(b)
