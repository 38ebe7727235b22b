"""A workflow as an agent: what its document lets it call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remit.core.agent import AgentSpec
from remit.core.errors import ConfigError
from remit.core.states.resources import Resource, parse
from remit.engine.workflows.names import (
    INVOKE,
    INVOKE_TOOL,
    PUBLISH,
    READ,
    START,
    START_TOOL,
    WRITE,
    function_name,
    machine_name,
    target,
)
from remit.ports.agents import Catalogue, Memory, RunContext
from remit.ports.services import tool_name

State = Mapping[str, Any]


def states(machine: Mapping[str, Any]) -> Iterator[State]:
    """Every state of a document, those of branches and processors too."""
    for state in machine["States"].values():
        yield state
        inner = [*state.get("Branches", ()), *(state[f] for f in ("ItemProcessor", "Iterator") if f in state)]
        for below in inner:
            yield from states(below)


def workflow_spec(
    name: str, document: Mapping[str, Any], catalogue: Catalogue, *, version: str = "1", description: str = ""
) -> AgentSpec:
    """The spec under which a workflow runs: the tools, agents and events that its document names, and nothing else."""
    tools: dict[str, None] = {}
    delegates: dict[str, None] = {}
    publishes: dict[str, None] = {}
    for state in states(document):
        if "ItemReader" in state:
            tools[READ] = None
        if "ResultWriter" in state:
            tools[WRITE] = None
        resource = parse(state.get("Resource", "")) if state["Type"] == "Task" else None
        if resource is None:
            continue
        if resource.kind == "event" and resource.mode != "event":
            publishes[resource.name] = None
        agent = _agent(resource, state, catalogue)
        if agent:
            delegates[agent] = None
        else:
            tools.update(dict.fromkeys(_tools(resource, state, catalogue)))
    return AgentSpec(
        name=name,
        description=description or str(document.get("Comment", "")),
        kind="workflow",
        tools=tuple(tools),
        delegates=tuple(delegates),
        version=version,
        publishes=tuple(publishes),
    )


def _parameters(state: State) -> Mapping[str, Any]:
    given = state.get("Arguments", state.get("Parameters"))
    return given if isinstance(given, Mapping) else {}


def _agent(resource: Resource, state: State, catalogue: Catalogue) -> str:
    """The agent or workflow that a Task hands over to, if it does."""
    if resource.kind in ("agent", "workflow") and resource.mode != "async":
        return target(resource)
    if resource.kind == "service" and resource.name == START and resource.mode == "sync":
        return machine_name(_parameters(state))
    name = _function(resource, state)
    return name if name and name not in catalogue.tools and name in catalogue.agents else ""


def _function(resource: Resource, state: State) -> str:
    if resource.kind == "lambda":
        return resource.name
    invokes = resource.kind == "service" and resource.name == INVOKE
    return function_name(_parameters(state)) if invokes else ""


def _tools(resource: Resource, state: State, catalogue: Catalogue) -> list[str]:
    match resource.kind:
        case "tool":
            return [resource.name]
        case "event":
            return [PUBLISH] if resource.mode != "event" else []
        case "workflow":
            return [START_TOOL]
        case "lambda" | "service":
            name = _function(resource, state)
            if name:
                return [name] if name in catalogue.tools else [INVOKE_TOOL]
            return [tool_name(resource.name)]
        case _:
            return []


class CodedWorkflow:
    """A workflow that code defines, among the agents."""

    def __init__(
        self, name: str, document: dict[str, Any], catalogue: Catalogue, description: str = ""
    ) -> None:
        self.document = document
        self.spec = workflow_spec(name, document, catalogue, description=description)

    async def act(self, input: Any, memory: Memory, context: RunContext) -> Any:
        """Workflows are driven by the interpreter."""
        raise ConfigError(
            f"workflow `{self.spec.name}` is driven by its document and has no `act`", code="E240"
        )
