"""Versioned definitions: look at them, change them, and read who changed what (P6, P17)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.bootstrap import App
from remit.core.definition import MAIN, Definition, Difference, Head
from remit.core.errors import InputError, NotFoundError
from remit.engine import lookup
from remit.engine.bus.rules import RULE
from remit.engine.keys import Identity
from remit.engine.lookup import ExportedDefinitions, Kinds, Mistakes
from remit.engine.registry import Changes, Heads, History
from remit.engine.resolving import must_exist
from remit.server.auth import EDIT, READ, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/definitions", tags=["definitions"])

_Count = Annotated[int, Meta(ge=0, le=2**31)]
_Reason = Annotated[str, Meta(min_length=1, max_length=2000)]
_Comment = Annotated[str, Meta(max_length=10_000)]


class Edit(Struct, frozen=True, forbid_unknown_fields=True):
    """The next version. `expect_version` is the active version that was edited (0: none), so that nobody is overwritten.

    `enabled` absent leaves the switch as it is.
    """

    spec: dict[str, Any]
    reason: _Reason
    comment: _Comment = ""
    enabled: bool | None = None
    expect_version: _Count | None = None


class Draft(Struct, frozen=True, forbid_unknown_fields=True):
    """The next version, not active until it is promoted."""

    spec: dict[str, Any]
    reason: _Reason
    comment: _Comment = ""


class Choose(Struct, frozen=True, forbid_unknown_fields=True):
    """The version to make active; `expect_version` is the one that is active now."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    reason: _Reason
    expect_version: _Count | None = None


class Refuse(Struct, frozen=True, forbid_unknown_fields=True):
    """The draft that is turned down, and why."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    reason: _Reason


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that might be written."""

    spec: dict[str, Any]


class Retire(Struct, frozen=True, forbid_unknown_fields=True):
    """Why it goes out of use; `expect_version` is the one that is active now."""

    reason: _Reason
    expect_version: _Count | None = None


class Switch(Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is switched."""

    reason: _Reason


class SetAlias(Struct, frozen=True, forbid_unknown_fields=True):
    """What an alias stands for (`version` 0 takes it away), and `canary_version` for `canary_percent` of the keys."""

    version: _Count
    reason: _Reason
    canary_version: _Count = 0
    canary_percent: Annotated[int, Meta(ge=0, le=100)] = 0


class Differences(Struct, frozen=True):
    """Where the bodies of two versions differ, by JSON pointer."""

    items: tuple[Difference, ...]


COMPONENTS = (
    Definition,
    Head,
    Heads,
    History,
    Changes,
    Differences,
    Edit,
    Draft,
    Choose,
    Refuse,
    Check,
    Kinds,
    Mistakes,
    ExportedDefinitions,
    Retire,
    Switch,
    SetAlias,
)
"""Types that OpenAPI names."""

MOST = 2**53
KindFilter = Annotated[str, Query(max_length=40, description="Only definitions of this kind; empty for all.")]
Number = Annotated[int, Query(ge=0, le=2**31, description="A version; 0 for the one the alias stands for.")]
Prefix = Annotated[str, Query(max_length=128, description="Only definitions whose name begins so.")]
AliasName = Annotated[str, Query(max_length=64, description="The alias whose version is wanted.")]
At = Annotated[
    int | None, Query(ge=0, le=MOST, description="What was active at this time (Unix milliseconds).")
]
Since = Annotated[int | None, Query(ge=0, le=MOST, description="From this time on (Unix milliseconds).")]
Until = Annotated[int | None, Query(ge=0, le=MOST, description="Up to this time (Unix milliseconds).")]
Old = Annotated[int, Query(ge=1, le=2**31, description="The old version.")]
New = Annotated[int, Query(ge=1, le=2**31, description="The new version.")]


@router.get(
    "",
    operation_id="listDefinitions",
    summary="The tenant's definitions",
    **operation(READ, {200: (Heads, "A page of definitions.")}),
)
async def list_definitions(
    app: TheApp,
    who: Who,
    kind: KindFilter = "",
    prefix: Prefix = "",
    at: At = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Where each definition stands or stood at a time, the archived ones too. A page may hold fewer than `limit`."""
    page = await lookup.find(
        app.registry, who.tenant_id, kind=kind, prefix=prefix, limit=limit, cursor=cursor
    )
    return reply(page if at is None else await lookup.at(app.registry, who.tenant_id, page, at))


@router.get(
    "/kinds",
    operation_id="listKinds",
    summary="The kinds of definition",
    **operation(READ, {200: (Kinds, "Every kind that is known here.")}),
)
async def list_kinds(app: TheApp, who: Who) -> Response:
    """Those that others refer to come first."""
    return reply(lookup.kinds(app.registry))


@router.get(
    "/documents",
    operation_id="exportDefinitions",
    summary="Definitions as documents",
    **operation(READ, {200: (ExportedDefinitions, "A page of what is active, as `remit apply` takes it.")}),
)
async def export(
    app: TheApp, who: Who, kind: KindFilter = "", limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """The items of all pages in one JSON list are a file for `remit apply -f`."""
    return reply(
        await lookup.documents(
            app.registry, app.applying, who.tenant_id, kind=kind, limit=limit, cursor=cursor
        )
    )


@router.get(
    "/changes",
    operation_id="listChanges",
    summary="Every change of the tenant's definitions",
    **operation(READ, {200: (Changes, "A page of audit records, newest first.")}),
)
async def all_changes(
    app: TheApp,
    who: Who,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Who changed what, when and why."""
    return reply(
        await app.registry.changes(who.tenant_id, since=since, until=until, limit=limit, cursor=cursor)
    )


@router.get(
    "/{kind}/{name}",
    operation_id="showDefinition",
    summary="A version of a definition",
    **operation(READ, {200: (Definition, "The version.")}, refusals=(404,)),
)
async def show(
    kind: str,
    name: str,
    app: TheApp,
    who: Who,
    version: Number = 0,
    alias: AliasName = "",
    at: At = None,
) -> Response:
    """The active version, another one, what an alias stands for, or what was active at a time."""
    if sum((version != 0, alias != "", at is not None)) > 1:
        raise InputError("a definition is chosen by one of version, alias and time at once", code="E522")
    await _there(app, who, kind, name)
    if at is not None:
        return reply(await app.registry.at(who.tenant_id, kind, name, at))
    return reply(await app.registry.get(who.tenant_id, kind, name, version, alias=alias or MAIN))


@router.get(
    "/{kind}/{name}/head",
    operation_id="showHead",
    summary="Where a definition stands",
    **operation(READ, {200: (Head, "Its active version, aliases and last change.")}, refusals=(404,)),
)
async def head(kind: str, name: str, app: TheApp, who: Who) -> Response:
    """The active version, the aliases, and who changed it last."""
    return reply(await _there(app, who, kind, name))


@router.get(
    "/{kind}/{name}/versions",
    operation_id="listVersions",
    summary="The versions of a definition",
    **operation(READ, {200: (History, "A page of versions, newest first.")}, refusals=(404,)),
)
async def versions(
    kind: str, name: str, app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """All of them: nothing is ever removed."""
    await _there(app, who, kind, name)
    return reply(await app.registry.history(who.tenant_id, kind, name, limit=limit, cursor=cursor))


@router.get(
    "/{kind}/{name}/changes",
    operation_id="definitionChanges",
    summary="The changes of a definition",
    **operation(READ, {200: (Changes, "A page of audit records, newest first.")}, refusals=(404,)),
)
async def changes(
    kind: str,
    name: str,
    app: TheApp,
    who: Who,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Who changed it, when and why, and the head before and after."""
    await _there(app, who, kind, name)
    return reply(
        await app.registry.changes(
            who.tenant_id, kind, name, since=since, until=until, limit=limit, cursor=cursor
        )
    )


@router.get(
    "/{kind}/{name}/diff",
    operation_id="diffVersions",
    summary="What differs between two versions",
    **operation(READ, {200: (Differences, "The places that differ.")}, refusals=(404,)),
)
async def diff(kind: str, name: str, app: TheApp, who: Who, a: Old, b: New) -> Response:
    """Each place by JSON pointer, with the old and the new value."""
    await _there(app, who, kind, name)
    return reply(Differences(await app.registry.diff(who.tenant_id, kind, name, a, b)))


@router.put(
    "/{kind}/{name}",
    operation_id="putDefinition",
    summary="Create or edit a definition",
    **operation(
        EDIT,
        {200: (Definition, "The new version, active."), 201: (Definition, "Version 1, active.")},
        body=Edit,
        refusals=(404, 409),
    ),
)
async def put(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Write the next version and make it active. Of two who do so at once, one wins and the other is told who."""
    asked = await read(request, Edit, who)
    at = (who.tenant_id, kind, name)
    if kind == RULE:
        body = app.registry.check(*at, asked.spec)
        await must_exist(app.registry, app.catalogue, who.tenant_id, body["target"])
    if await app.registry.head(*at) is None and not asked.expect_version:
        made = await app.registry.create(
            *at,
            asked.spec,
            actor=who.actor,
            reason=asked.reason,
            comment=asked.comment,
            enabled=asked.enabled is not False,
        )
        return reply(made, 201, {"Location": f"/api/v1/definitions/{kind}/{name}"})
    made = await app.registry.edit(
        *at,
        asked.spec,
        actor=who.actor,
        reason=asked.reason,
        comment=asked.comment,
        enabled=asked.enabled,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{kind}/{name}/drafts",
    operation_id="draftDefinition",
    summary="Write a draft",
    **operation(EDIT, {201: (Definition, "The draft.")}, body=Draft, refusals=(409,)),
)
async def draft(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Write the next version without making it active."""
    asked = await read(request, Draft, who)
    made = await app.registry.draft(
        who.tenant_id, kind, name, asked.spec, actor=who.actor, reason=asked.reason, comment=asked.comment
    )
    return reply(made, 201)


@router.post(
    "/{kind}/{name}/promote",
    operation_id="promoteDefinition",
    summary="Make a draft active",
    **operation(EDIT, {200: (Definition, "The version, active.")}, body=Choose, refusals=(404, 409)),
)
async def promote(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Make a draft the active version."""
    asked = await read(request, Choose, who)
    await _there(app, who, kind, name)
    made = await app.registry.promote(
        who.tenant_id,
        kind,
        name,
        asked.version,
        actor=who.actor,
        reason=asked.reason,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{kind}/{name}/refuse",
    operation_id="refuseDefinition",
    summary="Turn down a draft",
    **operation(EDIT, {200: (Definition, "The draft, archived.")}, body=Refuse, refusals=(404, 409)),
)
async def refuse(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Archive a draft that is not wanted; the reason is kept."""
    asked = await read(request, Refuse, who)
    await _there(app, who, kind, name)
    made = await app.registry.refuse(
        who.tenant_id, kind, name, asked.version, actor=who.actor, reason=asked.reason
    )
    return reply(made)


@router.post(
    "/{kind}/{name}/check",
    operation_id="checkDefinition",
    summary="Say what is wrong with a body",
    **operation(
        EDIT, {200: (Mistakes, "What is wrong, each with its place; nothing when it fits.")}, body=Check
    ),
)
async def check(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Nothing is written. The definition need not be there."""
    asked = await read(request, Check, who)
    return reply(await lookup.mistakes(app.registry, who.tenant_id, kind, name, asked.spec))


@router.post(
    "/{kind}/{name}/rollback",
    operation_id="rollbackDefinition",
    summary="Make an older version active again",
    **operation(EDIT, {200: (Definition, "The version, active again.")}, body=Choose, refusals=(404, 409)),
)
async def rollback(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Make an archived version the active one."""
    asked = await read(request, Choose, who)
    await _there(app, who, kind, name)
    made = await app.registry.rollback(
        who.tenant_id,
        kind,
        name,
        asked.version,
        actor=who.actor,
        reason=asked.reason,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{kind}/{name}/archive",
    operation_id="archiveDefinition",
    summary="Take a definition out of use",
    **operation(EDIT, {200: (Definition, "The version that was active.")}, body=Retire, refusals=(404, 409)),
)
async def archive(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Leave nothing active; every version is kept for ever."""
    asked = await read(request, Retire, who)
    await _there(app, who, kind, name)
    made = await app.registry.archive(
        who.tenant_id,
        kind,
        name,
        actor=who.actor,
        reason=asked.reason,
        expect_version=asked.expect_version,
    )
    return reply(made)


@router.post(
    "/{kind}/{name}/enable",
    operation_id="enableDefinition",
    summary="Switch a definition on",
    **operation(EDIT, {200: (Definition, "The active version.")}, body=Switch, refusals=(404, 409)),
)
async def enable(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Switch it on; harmless when it is on."""
    asked = await read(request, Switch, who)
    await _there(app, who, kind, name)
    return reply(await app.registry.enable(who.tenant_id, kind, name, actor=who.actor, reason=asked.reason))


@router.post(
    "/{kind}/{name}/disable",
    operation_id="disableDefinition",
    summary="Switch a definition off",
    **operation(EDIT, {200: (Definition, "The active version.")}, body=Switch, refusals=(404, 409)),
)
async def disable(kind: str, name: str, request: Request, app: TheApp, who: Who) -> Response:
    """Switch it off: its agent starts no run, its rule does not fire. Harmless when it is off."""
    asked = await read(request, Switch, who)
    await _there(app, who, kind, name)
    return reply(await app.registry.disable(who.tenant_id, kind, name, actor=who.actor, reason=asked.reason))


@router.put(
    "/{kind}/{name}/aliases/{alias}",
    operation_id="setAlias",
    summary="Set an alias",
    **operation(EDIT, {200: (Head, "The head with the alias.")}, body=SetAlias, refusals=(404, 409)),
)
async def set_alias(kind: str, name: str, alias: str, request: Request, app: TheApp, who: Who) -> Response:
    """Let a name stand for a version, or give `active` a canary."""
    asked = await read(request, SetAlias, who)
    await _there(app, who, kind, name)
    made = await app.registry.set_alias(
        who.tenant_id,
        kind,
        name,
        alias,
        asked.version,
        canary=(asked.canary_version, asked.canary_percent),
        actor=who.actor,
        reason=asked.reason,
    )
    return reply(made)


async def _there(app: App, who: Identity, kind: str, name: str) -> Head:
    """The head. Raises NotFoundError for what is not there, whatever is wrong with its name."""
    try:
        found = await app.registry.head(who.tenant_id, kind, name)
    except InputError:
        found = None
    if found is None:
        raise NotFoundError(
            f"there is no {kind[:100]} `{name[:150]}`", help="list them with GET /api/v1/definitions"
        )
    return found
