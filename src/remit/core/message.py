"""Messages between agents, models and people: a role and a list of blocks."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.provenance import Label

Role = Literal["user", "assistant"]


class Text(Struct, frozen=True, tag="text"):
    """Plain text."""

    text: str


class Image(Struct, frozen=True, tag="image"):
    """An image by content digest (`sha256:...`) in the blob store; `media_type` like `image/png`."""

    media_type: str
    digest: str


class Document(Struct, frozen=True, tag="document"):
    """A document (PDF, text, ...) by content digest in the blob store."""

    media_type: str
    digest: str
    name: str = ""


class Thinking(Struct, frozen=True, tag="thinking"):
    """A model's reasoning; `signature` is the provider's, sent back unchanged."""

    text: str
    signature: str = ""


class ToolUse(Struct, frozen=True, tag="tool_use"):
    """A model asks for a tool. `malformed` holds the raw text when the arguments were not a JSON object."""

    id: str
    name: str
    input: dict[str, Any] = {}
    malformed: str | None = None


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What came back for a `ToolUse`, labelled with where it came from."""

    tool_use_id: str
    content: Any
    is_error: bool = False
    label: Label | None = None


Block = Text | Image | Document | Thinking | ToolUse | ToolResult


class Message(Struct, frozen=True):
    """One turn of a conversation. Tool results travel in a `user` message."""

    role: Role
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """All text blocks joined by newlines."""
        return "\n".join(b.text for b in self.blocks if isinstance(b, Text))

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """The tools this message asks for, in order."""
        return tuple([b for b in self.blocks if isinstance(b, ToolUse)])


def user(text: str) -> Message:
    """A message from the user with one text block."""
    return Message("user", (Text(text),))


def assistant(text: str) -> Message:
    """A message from the assistant with one text block."""
    return Message("assistant", (Text(text),))
