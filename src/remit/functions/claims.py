"""Who calls, by the claims of a token that API Gateway has checked before it called us.

Nothing is read from claims unless the settings name the claim that holds the tenant.
"""

from __future__ import annotations

from typing import Any

from remit.core.claims import is_name, is_tenant
from remit.core.task import Actor
from remit.engine.keys import Identity
from remit.functions.invocation import Event

VIA = "jwt"


def identity_of(event: Event, *, tenant_claim: str, roles_claim: str) -> Identity | None:
    """Whom the checked token belongs to; None where no authorizer checked one or it names no tenant or subject."""
    claims = checked_claims(event)
    tenant, subject = claims.get(tenant_claim), claims.get("sub")
    if not tenant_claim or not is_tenant(tenant) or not is_name(subject):
        return None
    roles = _listed(claims.get(roles_claim)) if roles_claim else ()
    return Identity(str(tenant), Actor(str(subject), roles, VIA))


def checked_claims(event: Event) -> dict[str, Any]:
    """The claims that a JWT or Cognito authorizer vouches for: of a REST API, or of an HTTP API."""
    authorizer = _within(_within(event, "requestContext"), "authorizer")
    return _within(_within(authorizer, "jwt") if "jwt" in authorizer else authorizer, "claims")


def caller_of(event: Event) -> str:
    """What API Gateway calls whom it let through, the surest name first; empty when it knows nobody.

    The subject of a checked token, the principal of a Lambda authorizer, the ARN of who signed with IAM, the id of an API key.
    """
    context = _within(event, "requestContext")
    authorizer, identity = _within(context, "authorizer"), _within(context, "identity")
    names = (
        checked_claims(event).get("sub"),
        authorizer.get("principalId"),
        _within(authorizer, "iam").get("userArn"),
        identity.get("userArn"),
        identity.get("apiKeyId"),
    )
    return next((name for name in names if isinstance(name, str) and name.strip()), "")


def _within(given: dict[str, Any], name: str) -> dict[str, Any]:
    """A field that is an object; an empty one for whatever else is there."""
    found = given.get(name)
    return found if isinstance(found, dict) else {}


def _listed(value: Any) -> tuple[str, ...]:
    """Several values of a claim, taken apart where its own form says: a part of a group's name is no role.

    An HTTP API writes a list as `[a b]`, Cognito at a REST API as `a,b`; OAuth's scope is `a b`.
    """
    if isinstance(value, list):
        return tuple(dict.fromkeys(each for each in value if is_name(each)))
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("[") and text.endswith("]"):
        parts = text[1:-1].split()
    else:
        parts = text.split(",") if "," in text else text.split()
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
