"""Applying documents: what files say becomes what is there, idempotently, and what is there becomes files again (V10).

Every kind has an `Applier`: the registry's kinds share one, kinds that are not versioned bring their own. Everything
is checked before anything is written; then each document is one change of its own, in the order in which they need
each other. A second time changes nothing, so an application that was cut off is finished by doing it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct
from msgspec.structs import replace

from remit.core.codec import canonical, digest_of, plain
from remit.core.definition import MAIN, Alias, Head, check_alias
from remit.core.errors import ConflictError, InputError, NotFoundError, RemitError
from remit.core.task import Actor
from remit.engine.editing import Editors
from remit.engine.registry import Registry

FILES = "files"
"""The `source` of a definition that was applied from files."""

WHY = "applied from files"
PAGE = 200

Verdict = Literal["create", "edit", "enable", "disable", "alias", "archive", "unchanged"]
Key = tuple[str, str]
Bodies = list[dict[str, Any]]


class CanaryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of the version that so many in a hundred get."""

    spec: dict[str, Any]
    percent: Annotated[int, Meta(ge=1, le=100)]


class AliasBody(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an alias stands for, by the body of the version, since numbers differ from store to store.

    Without a `spec` it is the active version.
    """

    spec: dict[str, Any] | None = None
    canary: CanaryBody | None = None

    @property
    def bodies(self) -> Bodies:
        """The bodies that it names."""
        canary = [] if self.canary is None else [self.canary.spec]
        return canary if self.spec is None else [self.spec, *canary]


Aliases = dict[str, AliasBody]


class Document(Struct, frozen=True):
    """One thing as a file says it; `where` is the file and line, for errors.

    `enabled` None leaves the switch as it is, and `aliases` None the aliases; else those are all that there are.
    """

    kind: str
    name: str
    spec: dict[str, Any]
    comment: str = ""
    reason: str = ""
    enabled: bool | None = None
    where: str = ""
    aliases: Aliases | None = None

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
    aliases: Aliases = {}


class Step(Struct, frozen=True):
    """What applying one document does, or did. `old` and `new` are the bodies, or the aliases where only those change;
    a side that is absent is None.
    """

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

    def __init__(self, appliers: Iterable[Applier], editors: Editors) -> None:
        self._editors = editors
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
        """Take the steps; one that fails ends it, and what was done before stays. Raises ConflictError, InputError.

        Raises DeniedError before the first one, unless policy lets the actor take them all.
        """
        for p in planned:
            if p.step.verdict != "unchanged":
                self._editors.check(tenant_id, actor, p.step.kind, p.step.name, p.step.verdict)
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
                    found.append(
                        Document(
                            kind,
                            name,
                            now.spec,
                            comment=now.comment,
                            enabled=switch,
                            aliases=now.aliases or None,
                        )
                    )
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
                checked[document.key] = self._checked(tenant_id, document)
            except RemitError as error:
                problems.append(
                    f"{document.where}: {error.message}" + (f" ({error.help})" if error.help else "")
                )
        if not problems:
            problems = [p for d in checked.values() for p in await self._dangling(tenant_id, d, checked)]
        if problems:
            raise InputError("\n".join(problems), code="E518", help="correct these; nothing was applied")
        return list(checked.values())

    def _checked(self, tenant_id: str, document: Document) -> Document:
        applier = self._applier(document.kind)
        if document.aliases is not None and not isinstance(applier, RegistryApplier):
            raise InputError(
                f"{document.kind} `{document.name}` has no versions, and so no `aliases`",
                code="E525",
                help="leave them out",
            )
        return applier.check(tenant_id, document)

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
        verdict = _verdict(document, now)
        old, new = (None if now is None else now.spec), document.spec
        if verdict == "alias" and now is not None:
            old, new = _shown(now.aliases), _shown(document.aliases or {})
        return Planned(Step(*document.key, verdict, old, new, document.where), document, now)

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

        def checked(body: dict[str, Any]) -> dict[str, Any]:
            return self._registry.check(tenant_id, document.kind, document.name, body)

        body = checked(document.spec)
        aliases = document.aliases
        if aliases is not None:
            for name in aliases:
                check_alias(name)
            aliases = {name: _tidy(alias, body, checked) for name, alias in sorted(aliases.items())}
            if aliases.get(MAIN) == AliasBody():
                del aliases[MAIN]
            if MAIN in aliases and aliases[MAIN].spec is not None:
                raise InputError(
                    f"alias `{MAIN}` of {document.kind} `{document.name}` stands for the document's own `spec`",
                    code="E526",
                    help="give it a `canary` only",
                )
        return replace(document, spec=body, aliases=aliases)

    async def mistakes(self, tenant_id: str, document: Document, given: Mapping[Key, Document]) -> list[str]:
        """Nothing more: `verify` of the kind has the last word when it is written."""
        return []

    def references(self, document: Document) -> list[Key]:
        """What the kind says that a body refers to."""
        kind = self._registry.kind(self._kind)
        bodies = [body for alias in (document.aliases or {}).values() for body in alias.bodies]
        return list(dict.fromkeys(r for body in (document.spec, *bodies) for r in kind.references(body)))

    async def current(self, tenant_id: str, name: str) -> Standing | None:
        """The active version."""
        head = await self._registry.head(tenant_id, self._kind, name)
        if head is None or not head.active.version:
            return None
        made = await self._registry.get(tenant_id, self._kind, name, head.active.version)
        return Standing(made.body, head.enabled, made.version, made.comment, await self._aliases(head))

    async def write(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        """A new version, for a mere switch no version; then the aliases, of which each is a change of its own."""
        await self._body(tenant_id, document, now, actor=actor, why=why)
        if document.aliases is not None:
            await self._set_aliases(tenant_id, document.name, document.aliases, actor=actor, why=why)

    async def _body(
        self, tenant_id: str, document: Document, now: Standing | None, *, actor: Actor, why: str
    ) -> None:
        registry, at = self._registry, (tenant_id, document.kind, document.name)
        if now is not None and _equal(document.spec, now.spec):
            if document.enabled in (None, now.enabled):
                return
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

    async def _aliases(self, head: Head) -> Aliases:
        """The aliases of a definition, and the canary of its active version, by their bodies."""
        found: Aliases = {}
        for name, alias in sorted({**head.aliases, MAIN: head.active}.items()):
            own = None if alias.version == head.active.version else await self._body_of(head, alias.version)
            canary = None
            if alias.canary:
                canary = CanaryBody(await self._body_of(head, alias.canary), alias.canary_percent)
            if name != MAIN or canary is not None:
                found[name] = AliasBody(own, canary)
        return found

    async def _body_of(self, head: Head, version: int) -> dict[str, Any]:
        return (await self._registry.get(head.tenant_id, head.kind, head.name, version)).body

    async def _set_aliases(
        self, tenant_id: str, name: str, wanted: Aliases, *, actor: Actor, why: str
    ) -> None:
        """Let the aliases stand for the versions that have these bodies, and take the others away."""
        registry, at = self._registry, (tenant_id, self._kind, name)
        who: dict[str, Any] = {"actor": actor, "reason": why}
        for alias, body in wanted.items():
            version = await self._version(at, body.spec, who)
            canary = (0, 0)
            if body.canary is not None:
                canary = (await self._version(at, body.canary.spec, who), body.canary.percent)
            head = await registry.head(*at)
            if head is not None and head.alias(alias) != Alias(version, *canary):
                await registry.set_alias(*at, alias, version, canary=canary, **who)
        head = await registry.head(*at)
        assert head is not None, "it was just written"
        for alias in head.aliases:
            if alias not in wanted:
                await registry.set_alias(*at, alias, 0, **who)
        if head.active.canary and MAIN not in wanted:
            await registry.set_alias(*at, MAIN, head.active.version, **who)

    async def _version(
        self, at: tuple[str, str, str], body: dict[str, Any] | None, who: dict[str, Any]
    ) -> int:
        """The newest version with this body, the active one for None; a new draft when no version has it."""
        if body is None:
            return (await self._registry.get(*at)).version
        wanted, cursor = digest_of(body), None
        while True:
            page = await self._registry.history(*at, limit=PAGE, cursor=cursor)
            for made in page.items:
                if made.digest == wanted:
                    return made.version
            cursor = page.cursor
            if cursor is None:
                return (await self._registry.draft(*at, body, **who)).version

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
    if document.enabled is not None and document.enabled is not now.enabled:
        return "enable" if document.enabled else "disable"
    if document.aliases is not None and not _equal(document.aliases, now.aliases):
        return "alias"
    return "unchanged"


def _tidy(
    alias: AliasBody, active: dict[str, Any], checked: Callable[[dict[str, Any]], dict[str, Any]]
) -> AliasBody:
    """The alias with its bodies as the kind keeps them; one that stands for the active version says no more."""
    own = None if alias.spec is None else checked(alias.spec)
    canary = alias.canary and replace(alias.canary, spec=checked(alias.canary.spec))
    return AliasBody(None if own is not None and _equal(own, active) else own, canary)


def _shown(aliases: Aliases) -> dict[str, Any]:
    return {"aliases": plain(aliases)}


def _equal(a: Any, b: Any) -> bool:
    """Equal as JSON."""
    return canonical(a) == canonical(b)
