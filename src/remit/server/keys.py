"""API keys over HTTP: an administrator makes, lists and ends those of their own tenant."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import Meta, Struct

from remit.engine.keys import KeyPage, NewKey
from remit.server.auth import ADMIN, TheApp, Who
from remit.server.schemas import Cursor, Limit, operation, read, reply

router = APIRouter(prefix="/api/v1/keys", tags=["keys"])

Name = Annotated[str, Meta(min_length=1, max_length=128)]


class MakeKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key for `actor_id`, whom its calls count as, in these roles. It ends after `days`; null: never.

    `roles` are built in or let people approve by a policy profile; any other, that a workflow's gate or a policy's text
    asks for, belongs to `custom_roles`.
    """

    actor_id: Name
    roles: Annotated[list[Name], Meta(max_length=20)] = []
    days: Annotated[int, Meta(ge=1, le=3650)] | None = 90
    custom_roles: Annotated[list[Name], Meta(max_length=20)] = []


COMPONENTS = (MakeKey, KeyPage, NewKey)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="listKeys",
    summary="List API keys",
    **operation(ADMIN, {200: (KeyPage, "A page of keys, newest first; never their secrets.")}),
)
async def list_keys(app: TheApp, who: Who, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """The keys of the tenant, revoked ones included."""
    return reply(await app.keys.page(who.tenant_id, limit=limit, cursor=cursor))


@router.post(
    "",
    operation_id="createKey",
    summary="Make an API key",
    **operation(ADMIN, {201: (NewKey, "The key. Its secret is shown this once.")}, body=MakeKey),
)
async def create_key(request: Request, app: TheApp, who: Who) -> Response:
    """Make a key of the caller's own tenant."""
    asked = await read(request, MakeKey, who)
    ttl_s = asked.days * 86_400 if asked.days else None
    made = await app.keys.create(
        who.tenant_id, asked.actor_id, asked.roles, custom_roles=asked.custom_roles, ttl_s=ttl_s
    )
    return reply(made, 201)


@router.delete(
    "/{key_id}",
    operation_id="revokeKey",
    summary="End an API key",
    **operation(
        ADMIN, {204: (None, "The key, and every session opened with it, no longer works.")}, refusals=(404,)
    ),
)
async def revoke_key(key_id: str, app: TheApp, who: Who) -> Response:
    """End a key at once, and with it its sessions. Revoking twice is harmless."""
    await app.keys.revoke(key_id, who.tenant_id)
    return Response(status_code=204)
