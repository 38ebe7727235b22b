"""What the engine asks of servers of the Model Context Protocol: their tools, and calls of them."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from remit.core.mcp import Contract

KEY = "remit.dev/idempotency-key"
"""Where the idempotency key of a call stands in its `_meta`: the same whenever this very call is sent again."""


class Attachment(Struct, frozen=True):
    """An image, a sound or a file of an answer."""

    name: str
    data: bytes
    media_type: str


class Answer(Struct, frozen=True):
    """What a tool answered. `structured` is its structured content, if it gave any; `failed` that it says it failed."""

    text: str = ""
    structured: Any = None
    attachments: tuple[Attachment, ...] = ()
    failed: bool = False


class OutcomeUnknownError(Exception):
    """A call was sent, and nothing tells what became of it."""


class Servers(Protocol):
    """The servers of `remit.toml`. What one tenant's calls do to a server's state is never seen by another's."""

    async def tools(self, tenant_id: str, server: str, *, fresh: bool = False) -> tuple[Contract, ...]:
        """What a server offers this tenant; `fresh` asks it now. Raises ToolError E953, ConfigError."""

    async def call(
        self, tenant_id: str, server: str, tool: str, arguments: dict[str, Any], *, key: str
    ) -> Answer:
        """Call a tool by the name that its server has for it.

        Raises ToolError when it certainly did not happen (E953: the server cannot be reached), ArgumentsError E955,
        OutcomeUnknownError otherwise.
        """

    async def close(self) -> None:
        """Stop what was started."""
