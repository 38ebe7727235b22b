"""A tenant's own secrets: what is written by people of one tenant must not name another's, nor the deployment's."""

from __future__ import annotations

from remit.core.errors import ConfigError
from remit.core.naming import LOCAL
from remit.ports.secrets import Secrets

MARK = "__"
DEPLOYMENT = "deployment"
"""Whose secrets Remit itself needs: no tenant has this name."""


class TenantSecrets:
    """The secrets of one tenant: `NAME` of tenant `acme` is the secret `acme__NAME`. There is no way to any other.

    Tenant `local` is whoever runs this Remit: its secrets are those without a tenant in their name.
    """

    def __init__(self, secrets: Secrets, tenant_id: str) -> None:
        self._secrets = secrets
        self._tenant_id = tenant_id

    def get(self, name: str) -> str:
        """The value. Raises ConfigError when this tenant has no such secret."""
        tenant = self._tenant_id
        blurred = tenant.endswith("_") or (tenant != LOCAL and name.startswith("_"))
        if MARK in name or MARK in tenant or blurred or tenant != tenant.lower() or tenant == DEPLOYMENT:
            raise ConfigError(
                f"tenant `{self._tenant_id}` cannot have a secret `{name}`",
                code="E250",
                help=f"secrets are found by lower-case tenants, and `{MARK}` stands between tenant and name only, with no `_` beside it",
            )
        return self._secrets.get(name if self._tenant_id == LOCAL else f"{self._tenant_id}{MARK}{name}")

    def known(self) -> tuple[str, ...]:
        """Every value there is, so that each is redacted wherever it turns up."""
        return self._secrets.known()
