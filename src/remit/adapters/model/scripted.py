"""A model that says what a test wrote down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from remit.adapters.model.assembly import estimated
from remit.core.errors import InputError, ModelError
from remit.core.message import Message, Text, Thinking, ToolUse, assistant
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta

Scripted = Message | str | ModelError | Callable[[ModelRequest], "Message | str | ModelError"]
"""One reply: a message, its text, an error to raise, or a function that makes one of these from the request."""


class ScriptedModel:
    """Gives `replies` in order, at once, and keeps what it was asked in `requests`.

    Usage is counted, four characters a token: the same script costs the same every time. With `cycle` the script
    starts again at its end; else asking past the end raises ModelError E620.
    """

    def __init__(
        self, replies: Iterable[Scripted], *, cycle: bool = False, provider: str = "scripted"
    ) -> None:
        self._replies = list(replies)
        self._cycle = cycle
        self._provider = provider
        self._given = 0
        self.requests: list[ModelRequest] = []

    @classmethod
    def from_file(cls, path: str | Path) -> ScriptedModel:
        """A script from JSON: `{"replies": [...], "cycle": false}`.

        A reply is a text, a message `{"role": "assistant", "blocks": [{"type": "text", "text": "..."}]}`, or
        `{"error": {"message", "code", "retryable", "retry_after_s"}}`. Raises InputError E120.
        """
        try:
            script = msgspec.json.decode(Path(path).read_bytes(), type=_Script)
            return cls([_reply(raw) for raw in script.replies], cycle=script.cycle)
        except (OSError, msgspec.DecodeError) as error:
            raise InputError(
                f"`{path}` is not a model script: {error}", code="E120", help='write {"replies": ["Hello."]}'
            ) from None

    @property
    def provider(self) -> str:
        """`scripted`, or the name given."""
        return self._provider

    @property
    def left(self) -> int:
        """How many replies have not been given."""
        return max(0, len(self._replies) - self._given)

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """The next reply. Raises the scripted ModelError, or E620 when the script is at its end."""
        self.requests.append(request)
        if self._given >= len(self._replies) and not (self._cycle and self._replies):
            raise ModelError(
                f"the script ended after {len(self._replies)} replies",
                code="E620",
                help="write another reply",
            )
        reply = self._replies[self._given % len(self._replies)]
        self._given += 1
        if not isinstance(reply, Message | str | ModelError):
            reply = reply(request)
        if isinstance(reply, ModelError):
            raise reply
        return reply_of(request, assistant(reply) if isinstance(reply, str) else reply, on_delta)

    async def close(self) -> None:
        """Nothing to let go of."""


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    replies: list[Any]
    cycle: bool = False


class _Error(msgspec.Struct, forbid_unknown_fields=True):
    message: str
    code: str = "E600"
    help: str = ""
    retryable: bool = False
    retry_after_s: float | None = None


def _reply(raw: Any) -> Scripted:
    if isinstance(raw, dict) and set(raw) == {"error"}:
        told = msgspec.convert(raw["error"], _Error)
        return ModelError(
            told.message,
            code=told.code,
            help=told.help,
            retryable=told.retryable,
            retry_after_s=told.retry_after_s,
        )
    return msgspec.convert(raw, str | Message)


def reply_of(request: ModelRequest, message: Message, on_delta: OnDelta | None) -> ModelReply:
    """The reply that carries `message`, with counted usage; its blocks are told to `on_delta`."""
    if on_delta is not None:
        for block in message.blocks:
            if isinstance(block, Text):
                on_delta(Delta("text", block.text))
            elif isinstance(block, Thinking):
                on_delta(Delta("thinking", block.text))
            elif isinstance(block, ToolUse):
                on_delta(Delta("tool_use", block.name))
    stop = "tool_use" if any(isinstance(b, ToolUse) for b in message.blocks) else "end_turn"
    return ModelReply(message, stop, estimated(request, message), request.model)  # type: ignore[arg-type]
