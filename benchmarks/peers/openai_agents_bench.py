"""OpenAI Agents SDK: cost of a turn, of an agent, of the import. Run under `.bench/openai_agents`.

The scripted model is a `Model` subclass returning Responses items. Tracing is off (it would send to a service). A run
is 10 turns: 10 model calls that ask for `add`, 10 tool calls, one final answer. The SDK has no journal of steps.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
from common.measure import Json, build_us, emit, import_ms, options, sample, spread_ms, versions
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

TURNS = 10
SILENT = RunConfig(tracing_disabled=True)


def call(turn: int) -> ResponseFunctionToolCall:
    """An answer that asks for `add`."""
    arguments = json.dumps({"a": turn, "b": 1})
    return ResponseFunctionToolCall(
        name="add", arguments=arguments, call_id=f"call-{turn}", type="function_call"
    )


def answer() -> ResponseOutputMessage:
    """The final answer."""
    text = ResponseOutputText(text="done", type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", role="assistant", status="completed", type="message", content=[text])


class Scripted(Model):
    """Asks for `add` ten times, then answers; two input items a turn say where it is."""

    async def get_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> ModelResponse:
        turn = len(input) // 2 if isinstance(input, list) else 0
        return ModelResponse(
            output=[answer() if turn == TURNS else call(turn)], usage=Usage(), response_id=None
        )

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@function_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def build() -> Agent:
    """An agent with one tool; the tool's schema is made once, by the decorator above."""
    return Agent(name="bench", model=Scripted(), tools=[add])


def runner(loop: asyncio.AbstractEventLoop, agent: Agent) -> None:
    """One run of 10 turns."""
    result = loop.run_until_complete(Runner.run(agent, "add", max_turns=TURNS + 2, run_config=SILENT))
    assert len(result.new_items) == 2 * TURNS + 1, len(result.new_items)


def build_with_schema() -> Agent:
    """The same, with the tool's schema derived each time."""
    return Agent(name="bench", model=Scripted(), tools=[function_tool(plain_add)])


async def plain_add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def measure(quick: bool) -> Json:
    """All of the SDK's figures."""
    loop, agent = asyncio.new_event_loop(), build()
    builds = 20 if quick else 200
    return {
        "peer": "openai_agents",
        "versions": versions("openai-agents", "openai"),
        "turns_per_run": TURNS,
        "import_ms": {
            "agent": import_ms("from agents import Agent, Runner, function_tool", 1 if quick else 5)
        },
        "build_us": {
            "agent": build_us(build, builds),
            "agent_and_tool_schema": build_us(build_with_schema, builds),
        },
        "turn_ms": {"agent": spread_ms(sample(lambda: runner(loop, agent), 3 if quick else 20), TURNS)},
        "notes": ["tracing disabled", "asynchronous tool on the event loop"],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
