"""Which agent a name means for one run: the registry's active version if there is one, else the code's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from remit.core.agent import AgentSpec
from remit.core.codec import convert
from remit.core.definition import Definition, DefinitionUsed, Head, chosen, definition_id, is_name
from remit.core.errors import DeniedError, InputError, NotFoundError
from remit.core.mcp import SEPARATOR
from remit.core.run import Run
from remit.core.words import closest
from remit.engine.kinds import (
    AGENT,
    PROMPT,
    ROUTE,
    TOOL_SCHEMA,
    WORKFLOW,
    AgentBody,
    PromptRef,
    agent_spec,
    parse_prompt,
    route_of,
)
from remit.engine.mcp.kind import MCP_TOOL
from remit.engine.mcp.tools import McpTool
from remit.engine.models import ModelAccess
from remit.engine.registry import PAGE, Registry
from remit.engine.workflows.spec import workflow_spec
from remit.ports.agents import Catalogue


class Resolved(NamedTuple):
    """An agent as a run will record it, and the definitions that it was made of."""

    spec: AgentSpec
    used: tuple[DefinitionUsed, ...] = ()
    document: Mapping[str, Any] | None = None
    """The States Language document of one that is a workflow."""


async def resolve(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str, key: str) -> Resolved:
    """The agent or workflow of this name, or of `NAME@ALIAS`. `key` decides on which side of a canary it falls: the same
    key, the same side.

    Raises NotFoundError for an unknown agent or prompt, and DeniedError for one that is disabled, its model route or a tool's schema.
    """
    found = await _agent(registry, catalogue, tenant_id, name, key)
    return await completed(registry, catalogue, tenant_id, found, key)


async def completed(
    registry: Registry, catalogue: Catalogue, tenant_id: str, found: Resolved, key: str
) -> Resolved:
    """An agent with the definitions of its model route and its tools.

    Raises DeniedError for one that is disabled, E950 for a tool of an MCP server that nobody approved, E1141 for one of a
    server that is not there, E1142 for a delegate that is nowhere.
    """
    model = found.spec.model
    head = await registry.head(tenant_id, ROUTE, model) if is_name(model) else None
    heads = [] if head is None else [head]
    heads += await _contracts(registry, tenant_id, found.spec.tools)
    heads += await _of_servers(registry, catalogue, tenant_id, found.spec)
    await _delegates_exist(registry, catalogue, tenant_id, found.spec)
    more = [used(await _active(registry, head, key)) for head in heads if head.active.version]
    return found._replace(used=(*found.used, *more)) if more else found


async def pinned_route(registry: Registry, models: ModelAccess, run: Run) -> str:
    """The route that a run asks: the version of its first event, made known to `models`; else the one of settings."""
    name = run.agent.model
    pinned = next((d for d in run.start.definitions if (d.kind, d.name) == (ROUTE, name)), None)
    if pinned is None:
        return name
    own = f"{name}@{pinned.digest}"  # the whole digest: no tenant's route may ever pass for another's
    if not models.knows(own):
        made = await registry.get(run.task.tenant_id, ROUTE, name, pinned.version)
        models.add(own, route_of(made.body))
    return own


async def _contracts(registry: Registry, tenant_id: str, tools: tuple[str, ...]) -> list[Head]:
    """The definitions of these tools. Most tenants have few, so one page holds them all; else each is looked up."""
    if not tools:
        return []
    page = await registry.list(tenant_id, TOOL_SCHEMA, limit=PAGE)
    if page.cursor is None:
        return [head for head in page.items if head.name in tools]
    found = [await registry.head(tenant_id, TOOL_SCHEMA, name) for name in tools if is_name(name)]
    return [head for head in found if head is not None]


async def _of_servers(
    registry: Registry, catalogue: Catalogue, tenant_id: str, spec: AgentSpec
) -> list[Head]:
    """The definitions of those tools that are of MCP servers. Raises DeniedError E950 for one that was not approved, E1141
    for one whose server is not there."""
    found: list[Head] = []
    for name in spec.tools:
        tool = catalogue.tools.get(name) if SEPARATOR in name else None
        if isinstance(tool, McpTool):
            head = await registry.head(tenant_id, MCP_TOOL, name)
            if head is None or not head.active.version:
                raise tool.refusal()
            found.append(head)
        elif tool is None and SEPARATOR in name:
            server = name.partition(SEPARATOR)[0]
            raise DeniedError(
                f"agent `{spec.name}` names `{name}`, and there is no MCP server `{server}`",
                code="E1141",
                help=f"add `[mcp.{server}]` to remit.toml, or take the tool out of the agent's `tools`",
            )
    return found


async def _delegates_exist(registry: Registry, catalogue: Catalogue, tenant_id: str, spec: AgentSpec) -> None:
    """Raise DeniedError E1142 for an agent that may delegate to names which neither the code nor the tenant's registry has.

    A workflow's states are checked with its document.
    """
    if spec.kind == "workflow":
        return
    names = sorted({name.partition("@")[0] for name in spec.delegates} - catalogue.agents.keys())
    lacking = [name for name in names if not await is_defined(registry, tenant_id, name)]
    if lacking:
        raise DeniedError(
            f"agent `{spec.name}` may delegate to {', '.join(f'`{name[:100]}`' for name in lacking)}, and there is no such agent",
            code="E1142",
            help=f"correct its `delegates` (there are {closest(lacking[0], catalogue.agents)}), or define it: `remit apply`",
        )


async def is_defined(registry: Registry, tenant_id: str, name: str) -> bool:
    """Whether a tenant's registry has an agent or workflow of a name; what was archived counts: a call of that is refused by itself."""
    return is_name(name) and any([await registry.head(tenant_id, kind, name) for kind in (AGENT, WORKFLOW)])


async def _agent(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str, key: str) -> Resolved:
    """What a name means: an agent of the registry, a workflow of the registry, or either of the code."""
    base, _, alias = name.partition("@")
    for kind in (AGENT, WORKFLOW):
        head = await registry.head(tenant_id, kind, base) if is_name(base) else None
        if head is None or not head.active.version:
            continue
        made = await _active(registry, head, key)
        if alias:
            made = await registry.resolve(tenant_id, kind, base, alias=alias, key=key)
        if kind == WORKFLOW:
            spec = workflow_spec(base, made.body, catalogue, version=str(made.version))
            return Resolved(spec, (used(made),), made.body)
        return await _defined(registry, catalogue, tenant_id, made, key)
    return _in_code(catalogue, name)


async def _defined(
    registry: Registry, catalogue: Catalogue, tenant_id: str, made: Definition, key: str
) -> Resolved:
    told = convert(made.body, AgentBody).instructions
    uses = [used(made)]
    if isinstance(told, PromptRef):
        prompt = await _prompt(registry, tenant_id, told.prompt, key)
        uses.append(used(prompt))
        told = str(prompt.body["text"])
    coded = catalogue.agents.get(made.name)
    kind = coded.spec.kind if coded is not None else "llm"
    return Resolved(agent_spec(made.name, made.version, kind, made.body, told), tuple(uses))


async def agents(
    registry: Registry, catalogue: Catalogue, tenant_id: str, *, after: str = "", limit: int = 50
) -> tuple[list[AgentSpec], str | None]:
    """The agents of a tenant by name, of code and registry, behind the name `after`; and the name where the next page starts."""
    names, cursor = await named(registry, tenant_id, AGENT, catalogue.agents, after=after, limit=limit)
    found = [s for n in names if (s := await _shown(registry, catalogue, tenant_id, n)) is not None]
    return found, cursor


async def named(
    registry: Registry, tenant_id: str, kind: str, coded: Collection[str], *, after: str, limit: int
) -> tuple[list[str], str | None]:
    """The names behind `after` that code (`coded`) or the registry has for a kind, and the name where the next page starts."""
    names = {n for n in coded if n > after}
    page = await registry.list(tenant_id, kind, after=after, limit=limit + 1)
    names |= {h.name for h in page.items if h.active.version}
    # Beyond the last head of a full page there may be heads that were not read.
    known = sorted(n for n in names if page.cursor is None or n <= page.items[-1].name)
    more = len(known) > limit or page.cursor is not None
    last = known[limit - 1] if len(known) >= limit else page.items[-1].name if page.items else ""
    return known[:limit], last if more else None


async def _shown(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str) -> AgentSpec | None:
    """The agent for a list; None for one that would be refused."""
    try:
        return (await resolve(registry, catalogue, tenant_id, name, "")).spec
    except (NotFoundError, DeniedError):
        return None


async def _active(registry: Registry, head: Head, key: str) -> Definition:
    switched_on(head)
    version = chosen(head.active, definition_id(head.tenant_id, head.kind, head.name), key)
    return await registry.get(head.tenant_id, head.kind, head.name, version)


def switched_on(head: Head) -> None:
    """Raise DeniedError E513 for a definition that is disabled."""
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
        switched_on(head)
    if version:
        return await registry.get(tenant_id, PROMPT, name, version)
    return await registry.resolve(tenant_id, PROMPT, name, alias=alias, key=key)


async def must_exist(registry: Registry, catalogue: Catalogue, tenant_id: str, name: str) -> None:
    """Raise InputError E1110, which names those that are known, for what is neither an agent nor a workflow.

    One that is switched off exists.
    """
    try:
        await resolve(registry, catalogue, tenant_id, name, "")
    except NotFoundError as error:
        raise InputError(error.message, code="E1110", help=error.help) from error
    except DeniedError:
        return


def _in_code(catalogue: Catalogue, name: str) -> Resolved:
    agent = catalogue.agents.get(name)
    if agent is None:
        raise NotFoundError(
            f"there is no agent `{name[:100]}`",
            help=f"known agents and workflows: {closest(name, catalogue.agents)}",
        )
    return Resolved(agent.spec, (), getattr(agent, "document", None))


def used(definition: Definition) -> DefinitionUsed:
    """What a run records of a version that it goes by."""
    return DefinitionUsed(definition.kind, definition.name, definition.version, definition.digest)
