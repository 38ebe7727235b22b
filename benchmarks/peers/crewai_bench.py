"""CrewAI: cost of a turn, of an agent, of the import. Run under `.bench/crewai`.

The scripted model is a `BaseLLM` subclass with native tool calling. Telemetry and tracing are off. A run is
`Agent.kickoff`, 10 turns: 10 model calls that ask for `add`, 10 tool calls, one final answer. CrewAI adds
messages of its own between turns, so the script counts its calls.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.measure import Json, build_us, emit, import_ms, options, sample, spread_ms, versions
from crewai import Agent, BaseLLM
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.tools import tool
from pydantic import PrivateAttr

TURNS = 10


class Scripted(BaseLLM):
    """Asks for `add` ten times, then answers."""

    _calls: int = PrivateAttr(default=0)

    def supports_function_calling(self) -> bool:
        return True

    def get_input_tokens_count(self, *args: Any, **kwargs: Any) -> int:
        """Constant: the base class warns on every call that it only estimates."""
        return 100

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        turn, self._calls = self._calls, self._calls + 1
        if turn == TURNS:
            return "done"
        function = {"name": "add", "arguments": json.dumps({"a": turn, "b": turn})}
        return [{"id": f"call-{turn}", "type": "function", "function": function}]


ADDED: list[int] = []


@tool("add")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    ADDED.append(a)
    return a + b


def build() -> Agent:
    """An agent with one tool; CrewAI asks for role, goal and backstory."""
    return Agent(
        role="adder",
        goal="add",
        backstory="adds",
        llm=Scripted(model="scripted"),
        tools=[add],
        max_iter=4 * TURNS,
        verbose=False,
    )


def run_once() -> None:
    """One run of 10 turns in a fresh agent, since the script counts its calls."""
    set_suppress_console_output(True)
    ADDED.clear()
    result = build().kickoff("add")
    assert len(ADDED) == TURNS, ADDED
    assert "done" in result.raw, result.raw


def measure(quick: bool) -> Json:
    """All of CrewAI's figures."""
    line = "from crewai import Agent, Crew, Task; from crewai.tools import tool"
    return {
        "peer": "crewai",
        "versions": versions("crewai"),
        "turns_per_run": TURNS,
        "import_ms": {"agent": import_ms(line, 1 if quick else 5)},
        "build_us": {"agent": build_us(build, 10 if quick else 100)},
        "turn_ms": {"agent": spread_ms(sample(run_once, 2 if quick else 20), TURNS)},
        "notes": ["a run includes building its agent", "telemetry, tracing and its console panels off"],
    }


if __name__ == "__main__":
    quick = options(__doc__).quick
    emit(lambda: measure(quick))
