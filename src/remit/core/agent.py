"""What an agent says about itself; its behaviour lives with its author."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct


class AgentSpec(Struct, frozen=True):
    """The definition of an agent. A run records its digest.

    `kind` is `llm` (a loop of model and tools) or `code` (an author's `act`). `model` names a route in settings.
    `tools` and `delegates` are names; nothing else can be called. `max_iterations` bounds model calls of the loop,
    `repairs` how often malformed output is sent back.
    """

    name: str
    description: str = ""
    kind: Literal["llm", "code"] = "llm"
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
