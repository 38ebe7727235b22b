"""What the engine asks of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from msgspec import Struct

from remit.core.budget import Usage
from remit.core.message import Message
from remit.core.tool import ToolSpec

StopReason = Literal["end_turn", "tool_use", "max_tokens", "refusal", "other"]


class ModelRequest(Struct, frozen=True):
    """One call. `model` is the provider's id; `messages` end with a user message; `timeout_s` bounds the whole call."""

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 2048
    temperature: float | None = None
    output_schema: dict[str, Any] | None = None
    timeout_s: float = 120.0


class ModelReply(Struct, frozen=True):
    """One answer. Tool calls whose arguments were no JSON object carry `ToolUse.malformed`. `usage.cost_usd` may be 0: the engine prices it.

    `notes` say what else befell it, such as which rules of a guardrail took effect; the journal keeps them.
    """

    message: Message
    stop_reason: StopReason
    usage: Usage
    model: str = ""
    notes: tuple[str, ...] = ()


class Delta(Struct, frozen=True):
    """A piece of a message while it streams, on a lossy side channel: never a second history."""

    kind: Literal["text", "thinking", "tool_use"]
    text: str


OnDelta = Callable[[Delta], None]


class Model(Protocol):
    """A provider's wire format. One attempt; no retries inside (switch off the client's own)."""

    @property
    def provider(self) -> str:
        """The GenAI convention's provider name, e.g. `aws.bedrock`, `anthropic`, `openai`."""

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """Raises ModelError (`retryable`, `retry_after_s`). A stream cut short raises; it never yields a tool call."""

    async def close(self) -> None:
        """Let go of connections."""
