"""What an app says about itself: its agents, the models they may ask, and its workflows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from remit.core.agent import AgentSpec
from remit.engine.workflows.names import lambdas
from remit.engine.workflows.spec import CodedWorkflow
from remit.ports.agents import Agent
from remit.sdk import CodeAgent
from remit_deploy.config import DEFAULT, AgentConfig, DeployConfig, checked

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.settings import ModelRoute

BEDROCK = "bedrock"


def described(config: DeployConfig, app: App) -> DeployConfig:
    """The configuration with what the app defines; what `[deploy.agents.NAME]` says itself stands. Raises ConfigError."""
    agents = dict(config.agents)
    workflows = dict(config.workflows)
    routes = app.settings.models
    working = _on_tables(app.catalogue.agents)
    for name, agent in app.catalogue.agents.items():
        spec = agent.spec
        own = agents.get(name, AgentConfig())
        agents[name] = replace(
            own,
            kind=spec.kind,
            models=own.models or models_of(spec, config.model or app.settings.model, routes),
            control_plane=own.control_plane or name in working,
        )
        if isinstance(agent, CodedWorkflow):
            workflows.setdefault(name, agent.document)
    together = _together(app.catalogue.agents, config.agents, workflows)
    rest = agents.get(DEFAULT, AgentConfig(kind="llm"))
    agents[DEFAULT] = replace(
        rest,
        models=rest.models or _every_model(config.model or app.settings.model, routes),
        control_plane=rest.control_plane or bool(together),
    )
    agents = {name: agent for name, agent in agents.items() if name not in together}
    chat = config.chat_agent or _default_chat(agents)
    named = lambdas(app.catalogue)
    return checked(replace(config, agents=agents, workflows=workflows, lambdas=named, chat_agent=chat))


def models_of(spec: AgentSpec, default: str, routes: Mapping[str, ModelRoute]) -> tuple[str, ...]:
    """The Bedrock models that an agent's route may ask, its fallbacks too."""
    if spec.kind != "llm":
        return ()
    found: dict[str, None] = {}
    waiting, seen = [spec.model], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        route = routes.get(name)
        provider, model = (route.provider, route.model) if route else ("", "")
        if name == "default" and default:
            provider, _, model = default.partition(":")
        if provider == BEDROCK:
            found[model] = None
        waiting += route.fallbacks if route else ()
    return tuple(found)


def _on_tables(agents: Mapping[str, Agent]) -> set[str]:
    """The agents that work on registered tables: those of validation types, whoever has the tools that all of these share,
    and the code that has them work together, with all whom it calls. Each acts under its own role."""
    checkers = {name for name, agent in agents.items() if _checks(agent)}
    if not checkers:
        return set()
    reading = set.intersection(*(set(agents[name].spec.tools) for name in checkers))
    found = checkers | {name for name, agent in agents.items() if not reading.isdisjoint(agent.spec.tools)}
    size = 0
    while size < len(found):
        size = len(found)
        for name, agent in agents.items():
            if agent.spec.kind == "code" and not found.isdisjoint({name, *agent.spec.delegates}):
                found |= {name, *agent.spec.delegates} & agents.keys()
    return found


def _together(
    agents: Mapping[str, Agent], named: Mapping[str, AgentConfig], workflows: Mapping[str, Any]
) -> set[str]:
    """Agents that share the function `default`: those of validation types, which are many, alike and without a model.

    A stack has at most 500 resources (quota of CloudFormation), and an agent's function brings a dozen. One that the configuration
    names has its own function, and so has one that a workflow speaks of.
    """
    spoken = json.dumps(list(workflows.values()))
    return {
        name for name, agent in agents.items() if _checks(agent) and name not in named and name not in spoken
    }


def _checks(agent: Agent) -> bool:
    """Whether an agent runs validations of some type."""
    return isinstance(agent, CodeAgent) and agent.validation_type is not None


def _every_model(default: str, routes: Mapping[str, ModelRoute]) -> tuple[str, ...]:
    """What an agent of the registry may ask, which may name any route."""
    asked = (models_of(AgentSpec(DEFAULT, model=route), default, routes) for route in ("default", *routes))
    return tuple(dict.fromkeys(model for models in asked for model in models))


def _default_chat(agents: Mapping[str, AgentConfig]) -> str:
    """The agent that answers a chat when nobody says which: `assistant`, or the only one that talks."""
    talking = sorted(name for name, agent in agents.items() if agent.kind == "llm" and name != DEFAULT)
    return "assistant" if "assistant" in agents else talking[0] if len(talking) == 1 else ""
