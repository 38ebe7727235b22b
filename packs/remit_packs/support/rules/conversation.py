"""A model request as rules read it: what was said last, and which tools answered since."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import Message, ModelRequest

T = TypeVar("T")

OFFLINE = "I am Remit's offline rules model: fixed rules over the shop's data, not a language model."


class Step(Struct, frozen=True):
    """One tool call and its answer."""

    tool: str
    input: dict[str, Any]
    output: Any
    failed: bool


class Talk(Struct, frozen=True):
    """The conversation: `said` is the last thing a person or agent asked, `before` what they said earlier."""

    said: str
    before: str
    steps: tuple[Step, ...]
    calls_so_far: int

    def tried(self, tool: str) -> bool:
        """Whether the tool was called since the last words."""
        return any(step.tool == tool for step in self.steps)

    def done(self, tool: str) -> list[Step]:
        """Calls of the tool that succeeded."""
        return [step for step in self.steps if step.tool == tool and not step.failed]

    def failures(self) -> list[Step]:
        """Calls that failed or were refused."""
        return [step for step in self.steps if step.failed]

    def last(self, tool: str, shape: type[T]) -> T | None:
        """The tool's newest answer as a typed value; None when there is none or it has another shape."""
        for step in reversed(self.done(tool)):
            try:
                return convert(step.output, shape)
            except ValidationError:
                continue
        return None


def listen(request: ModelRequest) -> Talk:
    """Read a request. Calls before the last words belong to an earlier turn and are left out."""
    said = ""
    before: list[str] = []
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    steps: list[Step] = []
    for message in request.messages:
        text = message.text.strip()
        blocks = to_builtins(message)["blocks"]
        answers = any(block["type"] == "tool_result" for block in blocks)
        if message.role == "user" and text and not answers:
            before, said, steps = [*before, said], text, []
        for block in blocks:
            if block["type"] == "tool_use":
                calls[block["id"]] = (block["name"], block["input"])
            elif block["type"] == "tool_result" and block["tool_use_id"] in calls:
                name, given = calls[block["tool_use_id"]]
                steps.append(_step(name, given, block["content"], block["is_error"]))
    return Talk(said, "\n".join(before).strip(), tuple(steps), len(calls))


def _step(tool: str, given: dict[str, Any], content: Any, failed: bool) -> Step:
    """A step; of another agent's result only what it answered, or why it could not, is kept."""
    if not (isinstance(content, dict) and "result_payload" in content):
        return Step(tool, given, content, failed)
    if content.get("status") == "success":
        return Step(tool, given, content["result_payload"], failed)
    problem = content.get("problem") or {"message": f"it ended as {content.get('status')}"}
    return Step(tool, given, problem, True)


def call(talk: Talk, *wanted: tuple[str, dict[str, Any]]) -> Message:
    """Ask for one or more tools at once."""
    blocks = [
        {"type": "tool_use", "id": f"rules_{talk.calls_so_far + position}", "name": name, "input": given}
        for position, (name, given) in enumerate(wanted, 1)
    ]
    return convert({"role": "assistant", "blocks": blocks}, Message)


def say(*sentences: str) -> Message:
    """The final answer."""
    text = "\n".join(sentence for sentence in sentences if sentence)
    return convert({"role": "assistant", "blocks": [{"type": "text", "text": text}]}, Message)


def plain(output: Any) -> str:
    """What a tool or another agent answered, as text."""
    if isinstance(output, str):
        return output.strip()
    if isinstance(output, dict):
        for key in ("message", "answer", "text", "reason"):
            if isinstance(output.get(key), str):
                return str(output[key]).strip()
    return json.dumps(output, ensure_ascii=False)


def lost(request: ModelRequest) -> Message:
    """The last rule of every agent: say what this is and what it can do."""
    names = ", ".join(f"`{tool.name}`" for tool in request.tools) or "no tools"
    return say(
        f"I could not match this to anything I have rules for. {OFFLINE}",
        f"I can work with {names}. Please give an order number or a customer number, and say what you need;"
        " or configure a model to have free text understood.",
    )
