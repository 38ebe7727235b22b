"""Who may change definitions: asked of policy for each change, whatever let its author in (P10)."""

from __future__ import annotations

from remit.core.errors import DeniedError
from remit.core.policy import PolicyRequest, Principal
from remit.core.task import Actor
from remit.ports.policy import Policy

PROFILE = "default"


class Editors:
    """Asks the deployment's own `default` profile, never a registry's: what is edited has no say in who edits it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def check(self, tenant_id: str, actor: Actor, kind: str, name: str, change: str) -> None:
        """Raise DeniedError E301 unless policy permits this change (`edit`, `rollback`, ...) of a definition."""
        decision = self._policy.decide(
            PolicyRequest(
                Principal(tenant_id, actor.actor_id, actor.roles),
                "edit_definition",
                f"{kind}/{name}",
                {"tags": (change,)},
                profile=PROFILE,
            )
        )
        if decision.verdict != "allow":
            raise DeniedError(
                decision.reason or f"policy does not let `{actor.actor_id}` {change} {kind} `{name}`",
                code="E301",
                help=decision.help,
            )
