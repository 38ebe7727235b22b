"""What rules of the offline model read of a request: the last words, those before them, and what tools answered since."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from remit.sdk import Message, ModelRequest, Text, ToolResult, ToolUse

OFFLINE = "I am Remit's offline rules model: fixed rules, not a language model."


class Step(NamedTuple):
    """A tool's answer since the last words."""

    tool: str
    output: Any
    failed: bool


class Talk(NamedTuple):
    """The last words, what the user said before them, and what tools answered since."""

    said: str
    before: tuple[str, ...]
    steps: tuple[Step, ...]

    def answers(self, tool: str) -> list[Any]:
        """What a tool answered, where it did not fail."""
        return [step.output for step in self.steps if step.tool == tool and not step.failed]

    def call(self, thought: str, tool: str, given: dict[str, Any]) -> Message:
        """The next message: a thought, and a call of a tool."""
        made = f"rules_{len(self.before)}_{len(self.steps)}"
        return Message("assistant", (Text(thought), ToolUse(made, tool, given)))


def listen(request: ModelRequest) -> Talk:
    """A request as rules read it."""
    said: list[str] = []
    steps: list[Step] = []
    names: dict[str, str] = {}
    for message in request.messages:
        answers = [block for block in message.blocks if isinstance(block, ToolResult)]
        names |= {block.id: block.name for block in message.blocks if isinstance(block, ToolUse)}
        if message.role == "user" and message.text.strip() and not answers:
            said, steps = [*said, message.text.strip()], []
        steps += [Step(names.get(a.tool_use_id, ""), a.content, a.is_error) for a in answers]
    return Talk(said[-1] if said else "", tuple(said[:-1]), tuple(steps))


def handed_over(request: ModelRequest) -> dict[str, Any]:
    """The input that a workflow handed over: JSON behind `Input:`; empty where there is none."""
    try:
        found = json.loads(listen(request).said.partition("Input:\n")[2])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
