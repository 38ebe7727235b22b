"""Looking around in the registry: definitions by the beginning of their name, as they stood at a time, and as documents."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from remit.core.errors import InputError
from remit.engine.applying import Aliases, Applying
from remit.engine.registry import Heads, Registry

_PLACE = re.compile(r" - at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>\d+)\]")
_LINE = re.compile(r"(?:line \d+, column \d+: )?(?P<pointer>/\S*): (?P<message>.+)", re.DOTALL)


class KindInfo(Struct, frozen=True):
    """A kind of definition. `remark` says what somebody who changes one must know."""

    kind: str
    remark: str = ""


class Kinds(Struct, frozen=True):
    """The kinds that are known here: those that others refer to first."""

    items: list[KindInfo]


class Mistake(Struct, frozen=True):
    """One thing that is wrong with a body; `path` is a JSON pointer to where, as far as that is known."""

    message: str
    path: str = ""
    code: str = ""
    help: str = ""


class Mistakes(Struct, frozen=True):
    """What is wrong with a body; empty when it could be written."""

    items: list[Mistake]


class ExportedDefinition(Struct, frozen=True, omit_defaults=True):
    """A definition as `remit apply` takes it."""

    kind: str
    name: str
    spec: dict[str, Any]
    comment: str = ""
    enabled: bool | None = None
    aliases: Aliases | None = None


class ExportedDefinitions(Struct, frozen=True):
    """A page of documents; `cursor` of the next page, or null at the end."""

    items: list[ExportedDefinition]
    cursor: str | None = None


def kinds(registry: Registry) -> Kinds:
    """Every kind."""
    return Kinds([KindInfo(name, registry.kind(name).remark) for name in registry.kinds])


async def find(
    registry: Registry,
    tenant_id: str,
    *,
    kind: str = "",
    prefix: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Heads:
    """Definitions whose name begins with `prefix`, of one kind or of one kind after the other. Raises InputError."""
    if kind or not prefix:
        return await registry.list(tenant_id, kind, prefix=prefix, limit=limit, cursor=cursor)
    name, inner = _place(registry, cursor)
    rest = registry.kinds[registry.kinds.index(name) :]
    found = Heads([])
    for at, one in enumerate(rest):
        page = await registry.list(
            tenant_id,
            one,
            prefix=prefix,
            limit=limit - len(found.items),
            cursor=inner if one == name else None,
        )
        found.items.extend(page.items)
        if page.cursor is not None:
            return Heads(found.items, f"{one}:{page.cursor}")
        if len(found.items) == limit and at + 1 < len(rest):
            return Heads(found.items, f"{rest[at + 1]}:")
    return found


def _place(registry: Registry, cursor: str | None) -> tuple[str, str | None]:
    """The kind at which a list goes on, and the cursor within it. Raises InputError."""
    if cursor is None:
        return registry.kinds[0], None
    kind, colon, inner = cursor.partition(":")
    if not colon or kind not in registry.kinds:
        raise InputError(
            "the cursor is not one that a list of definitions returned",
            code="E1041",
            help="start again without it",
        )
    return kind, inner or None


async def at(registry: Registry, tenant_id: str, heads: Heads, ts: int) -> Heads:
    """The same definitions as they stood at a time (Unix milliseconds); those that were not there yet are left out."""
    found = []
    for head in heads.items:
        page = await registry.changes(tenant_id, head.kind, head.name, until=ts, limit=1)
        found += [change.after for change in page.items]
    return Heads(found, heads.cursor)


async def documents(
    registry: Registry,
    applying: Applying,
    tenant_id: str,
    *,
    kind: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> ExportedDefinitions:
    """What is active, as documents which apply back to no change; a page may hold fewer than `limit`. Raises InputError."""
    page = await registry.list(tenant_id, kind, limit=limit, cursor=cursor)
    found = []
    for head in page.items:
        if not head.active.version:
            continue
        now = await applying.current(tenant_id, head.kind, head.name)
        found.append(
            ExportedDefinition(
                head.kind,
                head.name,
                now.spec,
                now.comment,
                None if now.enabled else False,
                now.aliases or None,
            )
        )
    return ExportedDefinitions(found, page.cursor)


async def mistakes(registry: Registry, tenant_id: str, kind: str, name: str, body: Any) -> Mistakes:
    """What would be said if this body were written, each with its place; nothing is written.

    Raises InputError for a kind or a name that is none.
    """
    registry.kind(kind)
    await registry.head(tenant_id, kind, name)
    try:
        await registry.verified(tenant_id, kind, name, body)
    except InputError as error:
        return Mistakes(_told(error))
    return Mistakes([])


def _told(error: InputError) -> list[Mistake]:
    """A refusal as its single problems: a text of several lines has one a line, each with its pointer."""
    lines = error.message.split("\n")
    several = [_LINE.match(line.strip()) for line in lines[1:]]
    if several and all(several):
        return [Mistake(m["message"], m["pointer"].rstrip("/"), error.code) for m in several if m]
    found = _PLACE.search(error.message)
    message = error.message[: found.start()] + error.message[found.end() :] if found else error.message
    return [Mistake(message, _pointer(found["path"]) if found else "", error.code, error.help)]


def _pointer(path: str) -> str:
    """`.retry.attempts[0]` as `/retry/attempts/0`, as far as it can be read."""
    made, end = "", 0
    while (step := _STEP.match(path, end)) is not None:
        made += f"/{step['name'] or step['index']}"
        end = step.end()
    return made
