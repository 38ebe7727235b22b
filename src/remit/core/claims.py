"""What the claims of a checked token say: a tenant, a name, roles. Whoever reads them has checked the token before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remit.core.errors import InputError
from remit.core.naming import check_id


def is_tenant(value: Any) -> bool:
    """Whether a claim can be the id of a tenant."""
    try:
        check_id("tenant_id", value if isinstance(value, str) else "")
    except InputError:
        return False
    return True


def is_name(value: Any) -> bool:
    """Whether a claim names somebody or something."""
    return isinstance(value, str) and bool(value.strip())


def names_in(value: Any) -> tuple[str, ...]:
    """The values of a claim that is a list of names, or one name."""
    return tuple(
        dict.fromkeys(each for each in (value if isinstance(value, list) else [value]) if is_name(each))
    )


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, else by its path (`realm_access.roles`); None where there is none."""
    if not name or name in claims:
        return claims.get(name) if name else None
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
