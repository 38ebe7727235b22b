"""Rules that wait for a person: drafts that an agent or somebody else proposed, beside what is active."""

from __future__ import annotations

from msgspec import Struct

from remit.core.codec import plain
from remit.core.definition import Difference, differences
from remit.core.validation import TableValidation
from remit.engine.registry import Registry
from remit.engine.validations import KIND, Validations, body_of


class Proposal(Struct, frozen=True):
    """A draft of a rule. `active_version` is 0 for a rule that is new; `differences` are from the active version to the draft."""

    rule: TableValidation
    active_version: int
    differences: tuple[Difference, ...]


class ProposalPage(Struct, frozen=True):
    """A page of proposals; `cursor` of the next page, or null at the end."""

    items: list[Proposal]
    cursor: str | None = None


async def proposals(
    validations: Validations,
    registry: Registry,
    tenant_id: str,
    *,
    table_id: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> ProposalPage:
    """The drafts of a table, or of the tenant, that were neither accepted nor refused. Raises InputError."""
    page = await validations.list(tenant_id, table_id=table_id, status="draft", limit=limit, cursor=cursor)
    return ProposalPage([await _proposal(registry, tenant_id, rule) for rule in page.items], page.cursor)


async def _proposal(registry: Registry, tenant_id: str, rule: TableValidation) -> Proposal:
    head = await registry.head(tenant_id, KIND, rule.config_id)
    active = head.active.version if head else 0
    if not active:
        return Proposal(rule, 0, ())
    now = await registry.get(tenant_id, KIND, rule.config_id, active)
    return Proposal(rule, active, tuple(differences(now.body, plain(body_of(rule)))))
