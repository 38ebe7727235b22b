"""Which agent a name means for one run: the registry's active version if there is one, else the code's."""

from __future__ import annotations

from typing import NamedTuple

from remit.core.agent import AgentSpec
from remit.core.codec import convert
from remit.core.definition import Definition, DefinitionUsed, Head, chosen, definition_id, is_name
from remit.core.errors import DeniedError, NotFoundError
from remit.core.run import Run
from remit.engine.kinds import AGENT, PROMPT, ROUTE, AgentBody, PromptRef, agent_spec, parse_prompt, route_of
from remit.engine.models import ModelAccess
from remit.engine.registry import Registry
from remit.ports.agents import Catalogue


class Resolved(NamedTuple):
    """An agent as a run will record it, and the definitions that it was made of."""

    spec: AgentSpec
    used: tuple[DefinitionUsed, ...] = ()


async def resolve(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str, key: str) -> Resolved:
    """The agent of this name. `key` decides on which side of a canary it falls: the same key, the same side.

    Raises NotFoundError for an unknown agent or prompt, and DeniedError for one that is disabled, or its model route.
    """
    found = await _agent(registry, catalogue, tenant_id, name, key)
    model = found.spec.model
    head = await registry.head(tenant_id, ROUTE, model) if is_name(model) else None
    if head is None or not head.active.version:
        return found
    return Resolved(found.spec, (*found.used, _used(await _active(registry, head, key))))


async def pinned_route(registry: Registry, models: ModelAccess, run: Run) -> str:
    """The route that a run asks: the version of its first event, made known to `models`; else the one of settings."""
    name = run.agent.model
    used = next((d for d in run.start.definitions if (d.kind, d.name) == (ROUTE, name)), None)
    if used is None:
        return name
    own = f"{name}@{used.digest.removeprefix('sha256:')[:12]}"
    if not models.knows(own):
        made = await registry.get(run.task.tenant_id, ROUTE, name, used.version)
        models.add(own, route_of(made.body))
    return own


async def _agent(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str, key: str) -> Resolved:
    head = await registry.head(tenant_id, AGENT, name) if is_name(name) else None
    if head is None or not head.active.version:
        return Resolved(_in_code(catalogue, name))
    made = await _active(registry, head, key)
    told = convert(made.body, AgentBody).instructions
    used = [_used(made)]
    if isinstance(told, PromptRef):
        prompt = await _prompt(registry, tenant_id, told.prompt, key)
        used.append(_used(prompt))
        told = str(prompt.body["text"])
    coded = catalogue.agents.get(name)
    kind = coded.spec.kind if coded is not None else "llm"
    return Resolved(agent_spec(name, made.version, kind, made.body, told), tuple(used))


async def agents(
    registry: Registry, catalogue: Catalogue, tenant_id: str, *, after: str = "", limit: int = 50
) -> tuple[list[AgentSpec], str | None]:
    """The agents of a tenant by name, of code and registry, behind the name `after`; and the name where the next page starts."""
    names = {n for n in catalogue.agents if n > after}
    page = await registry.list(tenant_id, AGENT, after=after, limit=limit + 1)
    names |= {h.name for h in page.items if h.active.version}
    # Beyond the last head of a full page there may be heads that were not read.
    known = sorted(n for n in names if page.cursor is None or n <= page.items[-1].name)
    found = [s for n in known[:limit] if (s := await _shown(registry, catalogue, tenant_id, n)) is not None]
    more = len(known) > limit or page.cursor is not None
    last = known[limit - 1] if len(known) >= limit else page.items[-1].name if page.items else ""
    return found, last if more else None


async def _shown(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str) -> AgentSpec | None:
    """The agent for a list; None for one that would be refused."""
    try:
        return (await resolve(registry, catalogue, tenant_id, name, "")).spec
    except (NotFoundError, DeniedError):
        return None


async def _active(registry: Registry, head: Head, key: str) -> Definition:
    _switched_on(head)
    version = chosen(head.active, definition_id(head.tenant_id, head.kind, head.name), key)
    return await registry.get(head.tenant_id, head.kind, head.name, version)


def _switched_on(head: Head) -> None:
    if not head.enabled:
        by = f" by `{head.last.author}`: {head.last.reason}" if head.last.action == "disable" else ""
        raise DeniedError(
            f"{head.kind} `{head.name}` is disabled{by}",
            code="E513",
            help=f"`remit enable {head.kind}/{head.name}` switches it on again",
        )


async def _prompt(registry: Registry, tenant_id: str, reference: str, key: str) -> Definition:
    name, version, alias = parse_prompt(reference)
    head = await registry.head(tenant_id, PROMPT, name)
    if head is not None:
        _switched_on(head)
    if version:
        return await registry.get(tenant_id, PROMPT, name, version)
    return await registry.resolve(tenant_id, PROMPT, name, alias=alias, key=key)


def _in_code(catalogue: Catalogue, name: str) -> AgentSpec:
    agent = catalogue.agents.get(name)
    if agent is None:
        known = ", ".join(f"`{a}`" for a in sorted(catalogue.agents)) or "none"
        raise NotFoundError(f"there is no agent `{name}`", help=f"known agents: {known}")
    return agent.spec


def _used(definition: Definition) -> DefinitionUsed:
    return DefinitionUsed(definition.kind, definition.name, definition.version, definition.digest)
