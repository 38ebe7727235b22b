"""The agents, tools and workflows that code defines."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from typing import Any

from remit.core.errors import ConfigError, InputError
from remit.core.mcp import SEPARATOR
from remit.core.validation import ValidationType
from remit.engine import delegation
from remit.engine.schemas import check_schema
from remit.engine.workflows.kind import refuse
from remit.engine.workflows.spec import CodedWorkflow
from remit.ports.agents import Agent, Catalogue, Tool
from remit.sdk import CodeAgent, Pack

log = logging.getLogger("remit.agents")

EVERY_CHECK = "@validation_types"
"""Among an agent's delegates: the agents of all validation types there are, those of an app file too."""


class Tools(ChainMap[str, Tool]):
    """Tools of code first, then those that servers and AWS have. Asked many times a turn, so without ChainMap's detours."""

    def get(self, key: str, default: Any = None) -> Any:
        """The tool, or `default`."""
        for some in self.maps:
            if key in some:  # not `some.get`: what servers and AWS have is made when it is first asked for
                return some[key]
        return default


class Known:
    """The agents and tools that exist here."""

    def __init__(self, packs: Sequence[Pack]) -> None:
        self.agents: dict[str, Agent] = {}
        self.tools = Tools({})
        self.validation_types: dict[str, ValidationType] = {}
        offered: dict[str, Any] = {}
        for pack in packs:
            for agent in pack.agents:
                self._add(self.agents, "agent", agent.spec.name, agent)
                if isinstance(agent, CodeAgent) and agent.validation_type is not None:
                    kind = agent.validation_type
                    self._add(self.validation_types, "validation type", kind.validation_type, kind)
                if agent.spec.output_schema is not None:
                    check_schema(agent.spec.output_schema)
                self._add(offered, "agent", delegation.tool_name(agent.spec.name), agent)
            for tool in pack.tools:
                self._add(self.tools, "tool", tool.spec.name, tool)
                self._add(offered, "tool", tool.spec.name, tool)

        for pack in packs:
            for flow in pack.workflows:
                # A spec can only be made of a document in order. Which of its functions are tools and which are
                # agents is known once all packs are read.
                check_document(flow.spec_name, flow.document)
                made = CodedWorkflow(flow.spec_name, flow.document, self, flow.description)
                self._add(self.agents, "agent", flow.spec_name, made)
        runners = sorted(kind.agent for kind in self.validation_types.values())
        for known in list(self.agents.values()):
            if isinstance(known, CodeAgent) and EVERY_CHECK in known.spec.delegates:
                self.agents[known.spec.name] = known.with_delegates(EVERY_CHECK, runners)

    def add_tool(self, tool: Tool) -> None:
        """Take in a tool that comes with Remit. Raises ConfigError when a pack has another one of its name."""
        self._add(self.tools, "tool", tool.spec.name, tool)

    def _add(self, known: MutableMapping[str, Any], kind: str, name: str, thing: Any) -> None:
        if known.setdefault(name, thing) is not thing:
            raise ConfigError(
                f"two {kind}s are named `{name}`",
                code="E243",
                help="rename one: names decide what policy and approvals mean",
            )


def check_agents(catalogue: Known) -> None:
    """Raise ConfigError E1094 for an agent of the code that names tools which are not there.

    A tool of an MCP server that is not there is only told, as a warning: it is the machine's settings that lack it, and such
    an agent's runs are refused (E1141).
    """
    found: list[str] = []
    close: dict[str, None] = {}
    for agent in catalogue.agents.values():
        names = [] if isinstance(agent, CodedWorkflow) else sorted({*agent.spec.tools})
        for name in names:
            if name in catalogue.tools:  # asked one by one: servers know their tools without listing them
                continue
            if SEPARATOR in name:
                log.warning(
                    "agent `%s` cannot run: remit.toml has no MCP server `%s`, whose tool `%s` it names",
                    agent.spec.name,
                    name.partition(SEPARATOR)[0],
                    name,
                )
                continue
            found.append(f"agent `{agent.spec.name}` names `{name}`")
            close.update(dict.fromkeys(get_close_matches(name, catalogue.tools, n=1)))
    if found:
        meant = f"did you mean {', '.join(f'`{name}`' for name in close)}? " if close else ""
        lines = "\n".join(found)
        raise ConfigError(
            f"agents name tools that are not there:\n{lines}",
            code="E1094",
            help=f"{meant}name a tool of a pack or of an MCP server of remit.toml, or pass the function itself",
        )


def unknown_delegates(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Names that agents of the code delegate to and that the code does not have, each with the agents that name it.

    No mistake by itself: the registry of a tenant may have them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for agent in catalogue.agents.values():
        for name in agent.spec.delegates:
            base = name.partition("@")[0]
            if base not in catalogue.agents:
                found[base] = (*found.get(base, ()), agent.spec.name)
    return found


def check_workflows(catalogue: Known) -> None:
    """Raise ConfigError E632 for a workflow of the code that could not run, with every reason."""
    for agent in catalogue.agents.values():
        if isinstance(agent, CodedWorkflow):
            check_document(agent.spec.name, agent.document, {"tool": catalogue.tools})


def check_document(
    name: str, document: Mapping[str, Any], known: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raise ConfigError E632 for a workflow of the code that is not in order. `known`: names that exist, by kind."""
    try:
        refuse(document, known=known)
    except InputError as error:
        raise ConfigError(f"`{name}`: {error.message}", code="E632", help="correct its document") from error
