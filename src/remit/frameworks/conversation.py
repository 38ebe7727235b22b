"""Conversations in the form that most frameworks share, OpenAI's chat messages, as Remit's and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remit.core.errors import InputError
from remit.core.message import Block, Message, Text, ToolResult, ToolUse, user
from remit.core.tool import ToolSpec


def conversation(said: Iterable[Mapping[str, Any]]) -> tuple[str, list[Message]]:
    """The instructions, and the messages that models take turns in. Raises InputError E964 for what is no text."""
    system: list[str] = []
    turns: list[tuple[str, list[Block]]] = []
    for each in said:
        role = each.get("role")
        if role in ("system", "developer"):
            system.append(_text(each.get("content")))
            continue
        speaker = "assistant" if role == "assistant" else "user"
        if not turns or turns[-1][0] != speaker:
            turns.append((speaker, []))
        turns[-1][1].extend(_blocks(each))
    messages = [Message(role, tuple(blocks)) for role, blocks in turns if blocks]  # type: ignore[arg-type]
    return "\n\n".join(filter(None, system)), ending_with_a_user(messages)


def ending_with_a_user(messages: list[Message]) -> list[Message]:
    """The conversation with somebody to answer: models answer a user."""
    if messages and messages[-1].role == "user":
        return messages
    return [*messages, user("Go on.")]


def offered(tools: Iterable[Mapping[str, Any]]) -> list[ToolSpec]:
    """The tools that a model is offered, from OpenAI's function schemas."""
    functions = [t.get("function", t) for t in tools]
    return [
        ToolSpec(f["name"], f.get("description") or "", f.get("parameters") or {"type": "object"})
        for f in functions
    ]


def urged(system: str, choice: Any) -> str:
    """The instructions, and the wish that a tool be called: providers differ in how that is asked for."""
    if not choice or choice in ("auto", "none"):
        return system
    name = choice.get("function", choice).get("name", "") if isinstance(choice, Mapping) else choice
    wish = "Call one of the tools." if name in ("", "any", "required") else f"Call the tool `{name}`."
    return f"{system}\n\n{wish}".strip()


def tool_calls(message: Message) -> list[dict[str, Any]]:
    """What a model asks for, as OpenAI's tool calls."""
    return [
        {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": raw_arguments(use)}}
        for use in message.tool_uses
    ]


def raw_arguments(use: ToolUse) -> str:
    """The arguments as the model wrote them."""
    return use.malformed if use.malformed is not None else json.dumps(use.input)


def _blocks(said: Mapping[str, Any]) -> list[Block]:
    if said.get("role") == "tool":
        return [ToolResult(str(said.get("tool_call_id", "")), _text(said.get("content")))]
    text = _text(said.get("content"))
    blocks: list[Block] = [Text(text)] if text else []
    calls: Sequence[Mapping[str, Any]] = said.get("tool_calls") or ()
    return blocks + [_use(str(c.get("id", "")), c["function"]) for c in calls]


def _use(id: str, function: Mapping[str, Any]) -> ToolUse:
    raw = function.get("arguments") or "{}"
    return use_of(id, function["name"], raw)


def use_of(id: str, name: str, raw: Any) -> ToolUse:
    """A tool use from its arguments, given as an object or as its text."""
    if isinstance(raw, Mapping):
        return ToolUse(id, name, dict(raw))
    try:
        made = json.loads(raw)
    except ValueError:
        made = None
    return ToolUse(id, name, made) if isinstance(made, dict) else ToolUse(id, name, malformed=str(raw))


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(_part(p) for p in content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if part.get("type") in ("text", "input_text", "output_text"):
        return str(part["text"])
    raise not_text(str(part.get("type", "content of no type")))


def not_text(kind: str) -> InputError:
    """The error of content that does not pass through a run."""
    return InputError(
        f"`{kind}` in a message of another framework does not reach the model",
        code="E964",
        help="give it as text, or let a tool of Remit read it",
    )
