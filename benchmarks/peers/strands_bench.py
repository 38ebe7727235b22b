"""Strands Agents: cost of a turn, of an agent, of the import. Run under `.bench/strands`.

The scripted model is a `Model` subclass that yields the stream events a Bedrock model would. A run is 10 turns: 10
model calls that ask for `add`, 10 tool calls, one final answer. Strands has no journal of steps, so none is timed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["OTEL_SDK_DISABLED"] = "true"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.measure import Json, build_us, emit, import_ms, options, sample, spread_ms, versions
from strands import Agent, tool
from strands.models import Model

TURNS = 10


def tool_events(turn: int) -> list[Json]:
    """The stream of an answer that asks for `add`."""
    return [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockStart": {"start": {"toolUse": {"name": "add", "toolUseId": f"call-{turn}"}}}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps({"a": turn, "b": 1})}}}},
        {"contentBlockStop": {}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]


def text_events() -> list[Json]:
    """The stream of the final answer."""
    return [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "done"}}},
        {"contentBlockStop": {}},
        {"messageStop": {"stopReason": "end_turn"}},
    ]


class Scripted(Model):
    """Asks for `add` ten times, then answers; two messages a turn say where it is."""

    def update_config(self, **model_config: Any) -> None:
        pass

    def get_config(self) -> Json:
        return {}

    async def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError
        yield

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        turn = len(messages) // 2
        for event in text_events() if turn == TURNS else tool_events(turn):
            yield event


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def build() -> Agent:
    """An agent with one tool and no printing."""
    return Agent(model=Scripted(), tools=[add], callback_handler=None)


def run_once(loop: asyncio.AbstractEventLoop) -> None:
    """One run of 10 turns in a fresh agent; the agent keeps its messages, so each run needs its own."""
    agent = build()
    loop.run_until_complete(agent.invoke_async("add"))
    assert len(agent.messages) == 2 * TURNS + 2, len(agent.messages)


def measure(quick: bool) -> Json:
    """All of Strands' figures."""
    loop = asyncio.new_event_loop()
    return {
        "peer": "strands",
        "versions": versions("strands-agents"),
        "turns_per_run": TURNS,
        "import_ms": {"agent": import_ms("from strands import Agent, tool", 1 if quick else 5)},
        "build_us": {"agent": build_us(build, 20 if quick else 200)},
        "turn_ms": {"agent": spread_ms(sample(lambda: run_once(loop), 3 if quick else 20), TURNS)},
        "notes": [
            "a run includes building its agent, since an agent keeps its conversation",
            "one event loop and an asynchronous tool: about a fifth faster than agent(...) with a plain function",
        ],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
