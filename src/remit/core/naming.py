"""Ids within a tenant, and what they are stored under, so that two tenants never meet under one key."""

from __future__ import annotations

import re

from remit.core.errors import InputError

LOCAL = "local"
"""The tenant of a terminal. Its keys stand without a prefix."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")


def check_id(field: str, value: str) -> str:
    """The id. Raises InputError E530 when it cannot be one: without `/`, no tenant can name another one's key."""
    if _ID.match(value):
        return value
    raise InputError(
        f"`{value[:150]}` is no `{field}`",
        code="E530",
        help="use 1 to 128 letters, digits and `_ . -`, a letter or digit first",
    )


def stored_id(tenant_id: str, own: str) -> str:
    """What an id of a tenant is stored under: itself for `local`, else `tenant/id`."""
    return own if tenant_id == LOCAL else f"{tenant_id}/{own}"


def own_id(tenant_id: str, stored: str) -> str:
    """The id that a tenant knows, from what it is stored under."""
    return stored if tenant_id == LOCAL else stored.removeprefix(f"{tenant_id}/")


def ends(prefix: str) -> str:
    """The upper bound of the ids that begin with `prefix`: no character of an id, or of a schedule, sorts behind the tilde."""
    return f"{prefix}~"
