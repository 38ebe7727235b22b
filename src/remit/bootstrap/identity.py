"""Signing in by the OpenID provider that settings name, and who somebody is by its claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from remit.core.claims import claim, is_name, is_tenant, names_in
from remit.core.errors import ConfigError, DeniedError
from remit.core.task import Actor
from remit.engine.keys import Identity
from remit.ports.clock import Clock
from remit.ports.secrets import Secrets
from remit.settings import OidcSettings

if TYPE_CHECKING:
    from remit.adapters.identity.oidc import OpenIdProvider

VIA = "oidc"
"""How an actor came who signed in at a provider (`Actor.via`)."""


def provider_of(settings: OidcSettings, secrets: Secrets, clock: Clock) -> OpenIdProvider:
    """The provider. Raises ConfigError E1055 for settings by which nobody could get in."""
    missing = [
        name
        for name, there in (
            ("client_id", settings.client_id),
            ("tenant_claim", settings.tenant_claim or settings.tenant),
            ("roles", settings.roles and settings.roles_claim),
        )
        if not there
    ]
    if missing:
        raise ConfigError(
            f"`oidc` of remit.toml lacks `{missing[0]}`", code="E1055", help="see docs/howto/console.md"
        )
    from remit.adapters.identity.oidc import OpenIdProvider

    def client_secret() -> str:
        return secrets.get(settings.client_secret) if settings.client_secret else ""

    return OpenIdProvider(settings.issuer, settings.client_id, client_secret, settings.scopes, clock)


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Whom the claims of a checked token name. Raises DeniedError E1057 for somebody without a name, a tenant or a role here."""
    actor = claim(claims, settings.actor_claim)
    if settings.actor_claim == "email" and claims.get("email_verified") is not True:
        raise _nobody("the provider has not verified their address")
    tenant = claim(claims, settings.tenant_claim) if settings.tenant_claim else settings.tenant
    given = names_in(claim(claims, settings.roles_claim))
    roles = tuple(dict.fromkeys(role for name in given for role in settings.roles.get(name, ())))
    if not is_name(actor):
        raise _nobody(f"there is no `{settings.actor_claim}`")
    if not is_tenant(tenant):
        raise _nobody("they belong to no tenant")
    if not roles:
        raise _nobody("none of their groups has a role here")
    return Identity(str(tenant), Actor(str(actor), roles, VIA))


def kept(claims: Mapping[str, Any], settings: OidcSettings) -> dict[str, Any]:
    """Of a checked token's claims those by which settings say who somebody is, and who vouches."""
    names = {"iss", settings.actor_claim, settings.tenant_claim, settings.roles_claim} - {""}
    names |= {"email_verified"} if settings.actor_claim == "email" else set()
    return {name: claim(claims, name) for name in sorted(names)}


def vouched(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Whom claims that were `kept` name by the settings of now. Raises DeniedError E1057, also for those of another provider."""
    if not settings.issuer or claims.get("iss") != settings.issuer:
        raise _nobody("the provider is not asked any more")
    return identity_of(claims, settings)


def good_until(claims: Mapping[str, Any], settings: OidcSettings, now: int) -> int:
    """When a sign-in of now (Unix milliseconds) ends at the latest."""
    return now + settings.session_s * 1000 if settings.session_s else int(claims["exp"]) * 1000


def _nobody(why: str) -> DeniedError:
    return DeniedError(
        f"the provider knows them, but they may not come in: {why}",
        code="E1057",
        help="whoever runs this Remit says in `[oidc]` of remit.toml who may",
    )
