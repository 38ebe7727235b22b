"""Versioned definitions: what changes behaviour, as immutable versions under one head (V4, P17).

A transition is a pure function from one head to the next. The head says everything that can change, and every change
of it is one revision; so exactly one version is active, whoever writes at the same time. Times are Unix milliseconds.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import ConflictError, InputError, NotFoundError
from remit.core.naming import stored_id

VersionStatus = Literal["draft", "active", "archived"]
"""`draft`: never active yet. `active`: what the main alias names. `archived`: was active once, or a draft that was refused;
it is kept for ever.
"""

Action = Literal[
    "create", "edit", "draft", "promote", "refuse", "rollback", "archive", "enable", "disable", "alias"
]

MAIN = "active"
"""The alias that every definition has; the others are named by people."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}\Z")


class Definition(Struct, frozen=True):
    """One version of one definition. `body` and `digest` (of its canonical JSON) never change.

    `enabled` is the definition's switch, carried by its active version; an archived version keeps what it had.
    """

    tenant_id: str
    kind: str
    name: str
    version: int
    digest: str
    body: dict[str, Any]
    status: VersionStatus = "active"
    enabled: bool = True
    comment: str = ""
    change_author: str = ""
    change_reason: str = ""
    created_at: int = 0
    updated_at: int = 0


class DefinitionUsed(Struct, frozen=True):
    """A version that a run was started with."""

    kind: str
    name: str
    version: int
    digest: str


class Alias(Struct, frozen=True):
    """What a name stands for: `version` (0: nothing), and `canary` for `canary_percent` in a hundred of the keys."""

    version: int = 0
    canary: int = 0
    canary_percent: int = 0


class LastChange(Struct, frozen=True):
    """Who changed a definition last, how, when and why; `version` is the one that it was about."""

    action: Action
    version: int
    author: str
    reason: str
    ts: int


class Head(Struct, frozen=True):
    """Where a definition stands. `revision` counts its changes; `active.version` is 0 when it is archived.

    `source` is `files` for one that was applied from files, so that pruning knows what it may archive.
    """

    tenant_id: str
    kind: str
    name: str
    revision: int
    latest: int
    active: Alias
    enabled: bool
    last: LastChange
    created_at: int
    aliases: dict[str, Alias] = {}
    source: str = ""

    def alias(self, name: str) -> Alias:
        """What an alias stands for; version 0 for one that is not set."""
        return self.active if name == MAIN else self.aliases.get(name, Alias())


class Change(Struct, frozen=True):
    """The audit record of one change: who, when, why, and the whole head before and after it (V5).

    `digest` is of the version it was about, `digest_before` of the version active before it. `snapshot` names the blob
    with the whole version and head as they stood after it.
    """

    definition_id: str
    tenant_id: str
    kind: str
    name: str
    revision: int
    action: Action
    version: int
    author: str
    reason: str
    changed_ts: int
    before: Head | None
    after: Head
    digest: str
    digest_before: str = ""
    snapshot: str = ""


class Difference(Struct, frozen=True):
    """One place where two bodies differ. `path` is a JSON pointer; a side that has nothing there is absent."""

    path: str
    op: Literal["added", "removed", "changed"]
    old: Any = None
    new: Any = None


class Who(Struct, frozen=True):
    """Who changes something, why and when."""

    author: str
    reason: str
    ts: int


# names


def is_name(name: str) -> bool:
    """Whether this can name a definition."""
    return _NAME.match(name) is not None


def check_names(tenant_id: str, kind: str, name: str) -> None:
    """Raise InputError unless these can name a definition."""
    if not tenant_id or tenant_id == "*":  # `*` is all tenants, to whom only code speaks
        raise InputError("a definition belongs to a tenant, and none is named", code="E523")
    if not _KIND.match(kind):
        raise InputError(f"`{kind[:100]}` is no name for a kind", code="E523", help="e.g. `agent`, `prompt`")
    if not is_name(name):
        raise InputError(
            f"`{name[:150]}` is no name for a definition",
            code="E523",
            help="use 1 to 128 letters, digits and `_ . -`, a letter or digit first",
        )


def check_alias(name: str) -> None:
    """Raise InputError unless this can name an alias; digits alone are a version."""
    if not _ALIAS.match(name):
        raise InputError(
            f"`{name[:100]}` is no name for an alias",
            code="E523",
            help="use 1 to 64 letters, digits and `_ . -`, a letter first",
        )


def definition_id(tenant_id: str, kind: str, name: str) -> str:
    """The key of a definition: `kind/name` of tenant `local`, else `tenant/kind/name`."""
    return stored_id(tenant_id, f"{kind}/{name}")


def chosen(alias: Alias, definition: str, key: str) -> int:
    """The version an alias stands for, for one key: the same key always falls on the same side of a canary.

    Raising the percentage only ever moves keys to the canary. Without a key there is no canary.
    """
    if not alias.canary or not key:
        return alias.version
    bucket = int.from_bytes(hashlib.sha256(f"{definition}\x00{key}".encode()).digest()[:8], "big") % 100
    return alias.canary if bucket < alias.canary_percent else alias.version


# transitions


def created(
    tenant_id: str, kind: str, name: str, who: Who, *, source: str = "", enabled: bool = True
) -> Head:
    """The head of a new definition: version 1, active."""
    last = LastChange("create", 1, who.author, who.reason, who.ts)
    return Head(tenant_id, kind, name, 1, 1, Alias(1), enabled, last, who.ts, source=source)


def drafted(head: Head | None, tenant_id: str, kind: str, name: str, who: Who) -> Head:
    """The head after a version was written that is not active; also the first head of a definition."""
    if head is None:
        last = LastChange("draft", 1, who.author, who.reason, who.ts)
        return Head(tenant_id, kind, name, 1, 1, Alias(), True, last, who.ts)
    version = head.latest + 1
    return _next(head, "draft", version, who, latest=version)


def edited(head: Head, who: Who, *, source: str | None = None, enabled: bool | None = None) -> Head:
    """The head after a new version became active, which archives the one before. It ends a canary."""
    version = head.latest + 1
    return _next(
        head,
        "edit",
        version,
        who,
        latest=version,
        active=Alias(version),
        source=head.source if source is None else source,
        enabled=head.enabled if enabled is None else enabled,
    )


def promoted(head: Head, version: int, status: VersionStatus, who: Who) -> Head:
    """The head after a draft became active. Raises InputError for a version that is no draft."""
    if status != "draft":
        help = "roll back to it" if status == "archived" else ""
        raise InputError(
            f"version {version} is {status}, and only a draft is promoted", code="E524", help=help
        )
    return _next(head, "promote", version, who, active=Alias(version))


def refused(head: Head, version: int, status: VersionStatus, who: Who) -> Head:
    """The head after a draft was turned down, which archives it. Raises InputError for a version that is no draft."""
    if status != "draft":
        raise InputError(
            f"version {version} is {status}, and only a draft is refused",
            code="E524",
            help="archive the definition to take its active version out of use" if status == "active" else "",
        )
    named = [
        name for name, to in {MAIN: head.active, **head.aliases}.items() if version in (to.version, to.canary)
    ]
    if named:
        raise ConflictError(
            f"version {version} is what the alias `{named[0]}` stands for",
            code="E1040",
            help="let the alias stand for another version first",
        )
    return _next(head, "refuse", version, who)


def rolled_back(head: Head, version: int, status: VersionStatus, who: Who) -> Head:
    """The head after an archived version became active again. Raises InputError for any other."""
    if status != "archived":
        help = "promote it" if status == "draft" else "name an older version; `remit history` lists them"
        raise InputError(
            f"version {version} is {status}, and rolling back goes to an archived one", code="E524", help=help
        )
    return _next(head, "rollback", version, who, active=Alias(version))


def archived(head: Head, who: Who) -> Head:
    """The head after nothing is active any more and no alias is set. Raises ConflictError when that is so already."""
    if not head.active.version and not head.aliases and not head.active.canary:
        raise ConflictError(
            f"{head.kind} `{head.name}` has no active version",
            code="E507",
            help="edit it, or roll back, to make one active",
        )
    return _next(head, "archive", head.active.version or head.latest, who, active=Alias(), aliases={})


def switched(head: Head, enabled: bool, who: Who) -> Head:
    """The head after the definition was switched on or off; its versions stay as they are."""
    action: Action = "enable" if enabled else "disable"
    return _next(head, action, head.active.version or head.latest, who, enabled=enabled)


def aliased(head: Head, name: str, to: Alias, who: Who) -> Head:
    """The head after an alias was set, or taken away by `Alias()`. The main one keeps its version. Raises InputError."""
    check_alias(name)
    _check_target(head, to)
    if name != MAIN:
        if not to.version and name not in head.aliases:
            raise NotFoundError(f"{head.kind} `{head.name}` has no alias `{name}`")
        rest = {k: v for k, v in head.aliases.items() if k != name}
        aliases = {**rest, name: to} if to.version else rest
        return _next(
            head, "alias", to.version or head.alias(name).version, who, aliases=dict(sorted(aliases.items()))
        )
    if to.version != head.active.version or not to.version:
        raise InputError(
            f"alias `{MAIN}` stands for version {head.active.version}, and setting it would make another one active",
            code="E508",
            help="promote a draft or roll back to an older version; a canary is set with the version left as it is",
        )
    return _next(head, "alias", to.canary or to.version, who, active=to)


def _check_target(head: Head, to: Alias) -> None:
    for version in (to.version, to.canary):
        if not 0 <= version <= head.latest:
            raise NotFoundError(
                f"{head.kind} `{head.name}` has no version {version}", help=f"its latest is {head.latest}"
            )
    if not 0 <= to.canary_percent <= 100 or bool(to.canary) != bool(to.canary_percent):
        raise InputError(
            f"a canary of version {to.canary} for {to.canary_percent} per cent is none",
            code="E508",
            help="give a version and 1 to 100 per cent, or neither",
        )
    if to.canary and to.canary == to.version:
        raise InputError(f"version {to.canary} cannot be the canary of itself", code="E508")


def _next(head: Head, action: Action, version: int, who: Who, **changed: Any) -> Head:
    # Clocks of several machines differ; a definition's own history never runs backwards.
    ts = max(who.ts, head.last.ts)
    last = LastChange(action, version, who.author, who.reason, ts)
    return replace(head, revision=head.revision + 1, last=last, **changed)


def moved(before: Head | None, after: Head) -> dict[int, VersionStatus]:
    """The versions whose status a change sets: a new one, one that was refused, the one that is active now, the one that no
    longer is.
    """
    found: dict[int, VersionStatus] = {}
    old, new = (before.active.version if before else 0), after.active.version
    if after.latest > (before.latest if before else 0):
        found[after.latest] = "draft"
    if after.last.action == "refuse":
        found[after.last.version] = "archived"
    if old != new:
        found.update({v: s for v, s in ((old, "archived"), (new, "active")) if v})  # type: ignore[misc]
    return found


# differences


def differences(old: Any, new: Any, path: str = "") -> Iterator[Difference]:
    """Where two JSON values differ, in the order of the old one's keys; a list that grew or shrank differs at its end."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            yield from _at(key in old, key in new, old.get(key), new.get(key), f"{path}/{_escaped(key)}")
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            a, b = old[i : i + 1], new[i : i + 1]
            yield from _at(bool(a), bool(b), a[0] if a else None, b[0] if b else None, f"{path}/{i}")
    elif not _same(old, new):
        yield Difference(path, "changed", old, new)


def _at(was: bool, is_: bool, old: Any, new: Any, path: str) -> Iterator[Difference]:
    if was and is_:
        yield from differences(old, new, path)
    elif was:
        yield Difference(path, "removed", old=old)
    else:
        yield Difference(path, "added", new=new)


def _same(old: Any, new: Any) -> bool:
    """Equal as JSON, where `1`, `1.0` and `true` are three values."""
    return type(old) is type(new) and bool(old == new)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
