"""The same small team in each framework: an agent with tools, asked with the task's input."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from remit import Agent, CodeAgent, tool
from remit.frameworks import Contract

PACKAGES = {
    "remit": "remit",
    "langgraph": "langgraph",
    "strands": "strands",
    "agent_framework": "agent_framework",
    "crewai": "crewai",
}

PROMPT = "You run a shop's desk."


class Team(NamedTuple):
    """A framework, and how its teams are made."""

    name: str

    def agent(
        self,
        functions: Sequence[Callable[..., Any]],
        contracts: Mapping[str, Contract] | None = None,
        **options: Any,
    ) -> Agent | CodeAgent:
        """The agent `desk` with these functions as its tools, which have these contracts."""
        return MAKERS[self.name](functions, contracts or {}, options)


def of_remit(functions: Any, contracts: Any, options: Any) -> Agent:
    """Remit's own agent: the reference."""
    return Agent(
        "desk",
        instructions=PROMPT,
        tools=[own_tool(f, contracts.get(f.__name__, Contract())) for f in functions],
        **options,
    )


def own_tool(function: Callable[..., Any], contract: Contract) -> Any:
    """A function as Remit's own tool, under the same contract."""
    made = tool(
        risk=contract.risk,
        effect=contract.effect,
        timeout_s=contract.timeout_s,
        retry=contract.retry,
        outward=contract.outward,
        trust=contract.trust,
        sensitivity=contract.sensitivity,
    )(function)
    if contract.reconcile is not None:
        made.reconciler(contract.reconcile)
    if contract.facts is not None:
        made.facts(contract.facts)
    return made


def of_langgraph(functions: Any, contracts: Any, options: Any) -> CodeAgent:
    """A LangChain agent, which is a LangGraph graph."""
    from langchain.agents import create_agent
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import tool

    from remit.frameworks import langgraph

    class Unasked(BaseChatModel):
        """A model with a bill that nobody may run up."""

        @property
        def _llm_type(self) -> str:
            return "unasked"

        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(tools=tools, **kwargs)

        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the framework's own model was asked")

    more = [langgraph.colleague(d) for d in options.get("delegates", ())]
    graph = create_agent(Unasked(), [*map(tool, functions), *more], system_prompt=PROMPT)
    return langgraph.agent(graph, name="desk", contracts=contracts, **options)


def of_strands(functions: Any, contracts: Any, options: Any) -> CodeAgent:
    """A Strands agent."""
    from strands import Agent, tool
    from strands.models import Model

    from remit.frameworks import strands

    class Unasked(Model):
        """A model with a bill that nobody may run up."""

        def update_config(self, **config: Any) -> None: ...

        def get_config(self) -> Any:
            return {}

        async def structured_output(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the framework's own model was asked")
            yield

        async def stream(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the framework's own model was asked")
            yield

    tools = [*map(tool, functions), *(strands.colleague(d) for d in options.get("delegates", ()))]

    def build() -> Agent:
        return Agent(model=Unasked(), tools=tools, system_prompt=PROMPT, callback_handler=None)

    return strands.agent(build, name="desk", contracts=contracts, **options)


def of_agent_framework(functions: Any, contracts: Any, options: Any) -> CodeAgent:
    """An agent of Microsoft's Agent Framework."""
    from agent_framework import Agent, BaseChatClient, FunctionInvocationLayer, tool

    from remit.frameworks import agent_framework

    class Unasked(FunctionInvocationLayer, BaseChatClient):  # type: ignore[misc]
        """A client with a bill that nobody may run up."""

        def _inner_get_response(self, **kwargs: Any) -> Any:
            raise AssertionError("the framework's own model was asked")

    tools = [*map(tool, functions), *(agent_framework.colleague(d) for d in options.get("delegates", ()))]
    made = Agent(client=Unasked(), tools=tools, instructions=PROMPT)
    return agent_framework.agent(made, name="desk", contracts=contracts, **options)


def of_crewai(functions: Any, contracts: Any, options: Any) -> CodeAgent:
    """A crew of one."""
    from crewai import Agent, BaseLLM, Crew, Task
    from crewai.tools import tool

    from remit.frameworks import crewai

    class Unasked(BaseLLM):
        """A model with a bill that nobody may run up."""

        def call(self, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("the framework's own model was asked")

        def supports_function_calling(self) -> bool:
            return True

    tools = [tool(f.__name__)(f) for f in functions]
    tools += [crewai.colleague(d) for d in options.get("delegates", ())]

    def build() -> Crew:
        clerk = Agent(role="clerk", goal="help", backstory=PROMPT, tools=tools, llm=Unasked(model="unasked"))
        return Crew(
            agents=[clerk], tasks=[Task(description="{input}", expected_output="an answer", agent=clerk)]
        )

    return crewai.agent(build, name="desk", contracts=contracts, **options)


MAKERS: Mapping[str, Callable[[Any, Any, Any], Agent | CodeAgent]] = {
    "remit": of_remit,
    "langgraph": of_langgraph,
    "strands": of_strands,
    "agent_framework": of_agent_framework,
    "crewai": of_crewai,
}
