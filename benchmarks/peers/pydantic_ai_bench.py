"""Pydantic AI: cost of a turn, of an agent, of the import. Run under `.bench/pydantic_ai`.

The scripted model is `FunctionModel`. A run is 10 turns: 10 model calls that ask for `add`, 10 tool calls, one final
answer. Durability is left to DBOS, Temporal and others here, so no step is timed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.measure import Json, build_us, emit, import_ms, options, sample, spread_ms, versions
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

TURNS = 10


def script(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Asks for `add` ten times, then answers; two messages a turn say where it is."""
    turn = len(messages) // 2
    if turn == TURNS:
        return ModelResponse(parts=[TextPart("done")])
    return ModelResponse(parts=[ToolCallPart("add", {"a": turn, "b": 1}, f"call-{turn}")])


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def aadd(a: int, b: int) -> int:
    """Add two numbers, on the event loop: a plain function is sent to a thread."""
    return a + b


aadd.__name__ = "add"


def build(tool: Any = aadd) -> Agent:
    """An agent with one tool."""
    return Agent(FunctionModel(script), tools=[tool])


def runner(loop: asyncio.AbstractEventLoop, agent: Agent) -> None:
    """One run of 10 turns."""
    result = loop.run_until_complete(agent.run("add"))
    assert len(result.all_messages()) == 2 * TURNS + 2, len(result.all_messages())


def turn_ms(tool: Any, runs: int) -> Json:
    """Milliseconds a turn of one agent used again and again."""
    loop, agent = asyncio.new_event_loop(), build(tool)
    spread = spread_ms(sample(lambda: runner(loop, agent), runs), TURNS)
    loop.close()
    return spread


def measure(quick: bool) -> Json:
    """All of Pydantic AI's figures."""
    runs = 3 if quick else 20
    return {
        "peer": "pydantic_ai",
        "versions": versions("pydantic-ai-slim", "pydantic"),
        "turns_per_run": TURNS,
        "import_ms": {"agent": import_ms("from pydantic_ai import Agent", 1 if quick else 5)},
        "build_us": {"agent": build_us(build, 20 if quick else 200)},
        "turn_ms": {"agent": turn_ms(aadd, runs), "agent_plain_function_tool": turn_ms(add, runs)},
        "notes": ["agent = asynchronous tool on the event loop, the faster of the two"],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
