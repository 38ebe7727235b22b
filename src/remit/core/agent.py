"""What an agent says about itself; its behaviour lives with its author."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class AgentSpec(Struct, frozen=True):
    """The definition of an agent. A run records its digest.

    `kind` is `llm` (a loop of model and tools), `code` (an author's `act`) or `workflow` (a States Language document). `model` names a route in settings.
    `tools` and `delegates` are names; nothing else can be called. `max_iterations` bounds model calls of the loop,
    `repairs` how often malformed output is sent back. `publishes` are the types of events that it may publish, `subscribes`
    the types or patterns of those that start it; a type may end in `*`.
    """

    name: str
    description: str = ""
    kind: Literal["llm", "code", "workflow"] = "llm"
    instructions: str = ""
    model: str = "default"
    tools: tuple[str, ...] = ()
    delegates: tuple[str, ...] = ()
    output_schema: dict[str, Any] | None = None
    max_iterations: int = 12
    max_tokens: int = 2048
    temperature: float | None = None
    repairs: int = 2
    version: str = "1"
    publishes: tuple[str, ...] = ()
    subscribes: tuple[str | dict[str, Any], ...] = ()
