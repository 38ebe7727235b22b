"""Which policy a profile's name means for a tenant: the registry's version if there is one, else the folder's.

Policy is asked as it stands now, never as it stood when a run began: whoever tightens a profile tightens it for the
runs under way too. What a run records is the version that it began under.
"""

from __future__ import annotations

from typing import NamedTuple

from remit.core.definition import DefinitionUsed, Head, chosen, definition_id, is_name
from remit.core.errors import ConfigError
from remit.core.policy import Profile
from remit.core.run import Run
from remit.engine.kinds import PROFILE, profile_of
from remit.engine.registry import Registry
from remit.engine.resolving import switched_on, used
from remit.ports.policy import Policy


class InForce(NamedTuple):
    """A profile as it holds for a tenant now: what policy knows it by, what it says, and the version that it is."""

    key: str
    profile: Profile
    used: DefinitionUsed | None = None


async def in_force(
    registry: Registry,
    policy: Policy,
    tenant_id: str,
    name: str,
    *,
    key: str = "",
    began: DefinitionUsed | None = None,
) -> InForce:
    """The profile of this name. `began` is the version that a run began under: it stays on its side of a canary.

    Else `key` decides, as for agents. Raises DeniedError for one that is disabled, ConfigError for an unknown one.
    """
    head = await registry.head(tenant_id, PROFILE, name) if is_name(name) else None
    if head is None or not head.active.version:
        return InForce(name, policy.profile(_of_a_folder(policy, name)))
    switched_on(head)
    made = await registry.get(tenant_id, PROFILE, name, _version(head, key, began))
    fields, cedar = profile_of(made.body)
    known_by = policy.add(name, fields, cedar)
    return InForce(known_by, policy.profile(known_by), used(made))


def _of_a_folder(policy: Policy, name: str) -> str:
    """The name, if a folder's profile has it: what policy knows a tenant's own by is no name that anybody may ask for."""
    known = policy.profiles()
    if name in known:
        return name
    raise ConfigError(
        f"there is no policy profile `{name[:150]}`",
        code="E221",
        help="known profiles: " + (", ".join(f"`{k}`" for k in known) or "none"),
    )


async def of_run(registry: Registry, policy: Policy, run: Run) -> InForce:
    """The profile that a run goes by now. Raises as `in_force` does."""
    name = run.start.profile
    return await in_force(
        registry,
        policy,
        run.task.tenant_id,
        name,
        key=run.task.session_id or run.start.root_run or run.run_id,
        began=next((d for d in run.start.definitions if (d.kind, d.name) == (PROFILE, name)), None),
    )


async def approver_roles(registry: Registry, policy: Policy, tenant_id: str) -> set[str]:
    """The roles that people may approve in by any profile that a tenant's runs can go by."""
    found = {role for name in policy.profiles() for role in policy.profile(name).approver_roles}
    page = await registry.list(tenant_id, PROFILE)
    while True:
        for head in page.items:
            if head.enabled and head.active.version:
                held = await in_force(registry, policy, tenant_id, head.name)
                found |= {*held.profile.approver_roles}
        if page.cursor is None:
            return found
        page = await registry.list(tenant_id, PROFILE, cursor=page.cursor)


def _version(head: Head, key: str, began: DefinitionUsed | None) -> int:
    if began is not None and began.version in (head.active.version, head.active.canary):
        return began.version
    return chosen(head.active, definition_id(head.tenant_id, head.kind, head.name), key)
