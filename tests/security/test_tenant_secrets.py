"""A tenant's people can name their own secrets, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from remit import agent, tool
from remit.adapters.secrets.mapping import MappingSecrets
from remit.core.errors import ConfigError
from remit.engine.tenant_secrets import TenantSecrets
from remit.sdk import ToolContext
from remit.testing import app_for_tests, task

VALUES = {"smtp_password": "of-the-deployment-1", "acme__db": "of-acme-234567", "other__db": "of-other-89012"}


def test_a_tenant_has_its_own_secrets_only() -> None:
    """The same name is another secret for each tenant; the deployment's are those of `local`."""
    secrets = MappingSecrets(VALUES)
    assert TenantSecrets(secrets, "acme").get("db") == "of-acme-234567"
    assert TenantSecrets(secrets, "local").get("smtp_password") == "of-the-deployment-1"
    with pytest.raises(ConfigError):
        TenantSecrets(secrets, "acme").get("smtp_password")


@pytest.mark.parametrize(
    ("tenant", "name"),
    [("acme", "other__db"), ("local", "acme__db"), ("ACME", "db"), ("a", "cme__db"), ("acme__db", "x")],
)
def test_no_name_reaches_another_tenants_secret(tenant: str, name: str) -> None:
    """Neither by spelling the separator, nor by a tenant that differs in case."""
    with pytest.raises(ConfigError):
        TenantSecrets(MappingSecrets(VALUES), tenant).get(name)


async def test_tools_see_the_secrets_of_the_tenant_they_act_for() -> None:
    """`context.secrets` is the tenant's own."""
    seen: list[str] = []

    @tool
    def look(context: ToolContext) -> str:
        """Read the password."""
        seen.append(context.secrets.get("db"))
        return "seen"

    @agent(tools=[look])
    async def looker(input: Any, memory: Any, context: Any) -> str:
        return str(await context.call("look"))

    async with app_for_tests(looker, secrets=VALUES) as app:
        for tenant in ("acme", "other"):
            assert (await app.run(task(looker, tenant_id=tenant))).status == "success"
    assert seen == ["of-acme-234567", "of-other-89012"]
