"""One framework alone, and the same team as an agent of Remit: milliseconds a turn of one question and one tool call.

Usage: python benchmarks/frameworks/overhead.py FRAMEWORK [--quick]     (in the environment that holds the framework)

Alone, the framework asks a scripted model of its own and nothing is recorded. Through Remit the same script is the route's
model, and every question and call is decided, journaled and audited, in memory and on SQLite.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.update(OTEL_SDK_DISABLED="true", CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "frameworks"))

from frameworklib.teams import Team

from benchmarks.common.measure import Json, emit, sample, spread_ms
from remit.core.message import Message, ToolUse, assistant
from remit.frameworks import Contract
from remit.ports.model import ModelRequest
from remit.testing import ScriptedModel, app_for_tests, task

TURNS = 10


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def scripted(request: ModelRequest) -> Message:
    """Asks for `add` ten times, then answers."""
    turn = sum(m.role == "assistant" for m in request.messages)
    return (
        assistant("done")
        if turn == TURNS
        else Message("assistant", (ToolUse(f"c{turn}", "add", arguments(turn)),))
    )


def arguments(turn: int) -> dict[str, Any]:
    """What `add` is asked for in a turn."""
    return {"a": turn, "b": 1}


def langgraph_alone() -> Callable[[], None]:
    """A LangChain agent."""
    from langchain.agents import create_agent
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.tools import tool

    class Scripted(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "scripted"

        def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
            return self.bind(tools=tools, **kwargs)

        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
            turn = sum(isinstance(m, AIMessage) for m in messages)
            asked = [{"name": "add", "args": arguments(turn), "id": f"c{turn}"}]
            said = AIMessage("done") if turn == TURNS else AIMessage("", tool_calls=asked)
            return ChatResult(generations=[ChatGeneration(message=said)])

    graph = create_agent(Scripted(), [tool(add)])

    def run() -> None:
        state = asyncio.run(graph.ainvoke({"messages": [("user", "add")]}, {"recursion_limit": 100}))
        assert state["messages"][-1].text == "done"

    return run


def strands_alone() -> Callable[[], None]:
    """A Strands agent."""
    from strands import Agent, tool
    from strands.models import Model

    class Scripted(Model):
        def update_config(self, **config: Any) -> None: ...

        def get_config(self) -> Json:
            return {}

        async def structured_output(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError
            yield

        async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            turn = sum(m["role"] == "assistant" for m in messages)
            yield {"messageStart": {"role": "assistant"}}
            if turn == TURNS:
                yield {"contentBlockDelta": {"delta": {"text": "done"}}}
            else:
                yield {"contentBlockStart": {"start": {"toolUse": {"name": "add", "toolUseId": f"c{turn}"}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(arguments(turn))}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn" if turn == TURNS else "tool_use"}}

    tools = [tool(add)]

    def run() -> None:
        agent = Agent(model=Scripted(), tools=tools, callback_handler=None)
        assert str(asyncio.run(agent.invoke_async("add"))).strip() == "done"

    return run


def agent_framework_alone() -> Callable[[], None]:
    """An agent of Agent Framework."""
    from agent_framework import Agent, BaseChatClient, ChatResponse, Content, FunctionInvocationLayer, tool
    from agent_framework import Message as Said

    class Scripted(FunctionInvocationLayer, BaseChatClient):  # type: ignore[misc]
        async def _inner_get_response(self, *, messages: Any, **kwargs: Any) -> Any:
            turn = sum(m.role == "assistant" for m in messages)
            asked = Content.from_function_call(f"c{turn}", "add", arguments=arguments(turn))
            return ChatResponse(messages=[Said("assistant", ["done" if turn == TURNS else asked])])

    agent = Agent(client=Scripted(), tools=[tool(add)])

    def run() -> None:
        assert asyncio.run(agent.run("add")).messages[-1].text == "done"

    return run


def crewai_alone() -> Callable[[], None]:
    """A crew of one."""
    from crewai import Agent, BaseLLM, Crew, Task
    from crewai.tools import tool

    class Scripted(BaseLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            turn = sum(m["role"] == "assistant" for m in messages)
            asked = {"name": "add", "arguments": json.dumps(arguments(turn))}
            return "done" if turn == TURNS else [{"id": f"c{turn}", "type": "function", "function": asked}]

        def supports_function_calling(self) -> bool:
            return True

    adding = tool("add")(add)

    def run() -> None:
        clerk = Agent(role="clerk", goal="g", backstory="b", tools=[adding], llm=Scripted(model="scripted"))
        crew = Crew(agents=[clerk], tasks=[Task(description="add", expected_output="done", agent=clerk)])
        assert crew.kickoff().raw == "done"

    return run


ALONE = {
    "langgraph": langgraph_alone,
    "strands": strands_alone,
    "agent_framework": agent_framework_alone,
    "crewai": crewai_alone,
}


def through(framework: str, store: str, home: Path, runs: int) -> list[float]:
    """Seconds of each run through Remit."""
    options: Json = {"config": {"recursion_limit": 100}} if framework == "langgraph" else {}
    contract = Contract(risk="L0", trust="trusted")
    desk = Team(framework).agent([add], {"add": contract}, **options)

    async def measured() -> list[float]:
        loop, times = asyncio.get_running_loop(), []
        async with app_for_tests(
            desk, model=ScriptedModel([scripted], cycle=True), store=store, home=home
        ) as app:
            for number in range(runs + 2):
                started = loop.time()
                result = await app.run(task(desk, f"{store}-{number}"))
                times.append(loop.time() - started)
                assert result.result_payload == "done", result.problem
        return times[2:]

    return asyncio.run(measured())


def measure(framework: str, quick: bool) -> Json:
    """All figures of one framework."""
    runs = 3 if quick else 30
    alone = sample(ALONE[framework](), runs)
    with TemporaryDirectory() as folder:
        memory = through(framework, "memory:", Path(folder), runs)
        sqlite = through(framework, f"sqlite:///{folder}/r.db", Path(folder), runs)
    return {
        "framework": framework,
        "turns_per_run": TURNS,
        "alone_ms": spread_ms(alone, TURNS),
        "through_remit_memory_ms": spread_ms(memory, TURNS),
        "through_remit_sqlite_ms": spread_ms(sqlite, TURNS),
    }


if __name__ == "__main__":
    emit(lambda: measure(sys.argv[1], "--quick" in sys.argv))
