"""Puts an answer together from its pieces, streamed or not: the one place where blocks, stop reasons and emptiness are judged."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from remit.adapters.model import failures
from remit.adapters.model.arguments import parse_arguments
from remit.adapters.model.failures import MAX_ANSWER_BYTES, Provider
from remit.core.budget import Usage
from remit.core.message import Block, Message, Text, Thinking, ToolResult, ToolUse
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta, StopReason

Kind = Literal["text", "thinking", "tool_use"]


class _Part:
    """One block while it grows."""

    __slots__ = ("id", "kind", "name", "pieces", "signature")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.pieces: list[str] = []
        self.id = ""
        self.name = ""
        self.signature = ""


class Assembler:
    """Collects blocks by a key the wire format gives them, in order of first appearance.

    `on_delta` gets every piece as it comes (for a tool call its name, once); what it raises is ignored.
    Raises ModelError E608 when the pieces together pass 8 MB.
    """

    def __init__(self, who: Provider, request: ModelRequest, on_delta: OnDelta | None = None) -> None:
        self._who = who
        self._request = request
        self._on_delta = on_delta
        self._parts: dict[object, _Part] = {}
        self._size = 0

    def text(self, key: object, piece: str) -> None:
        """More of a text block."""
        self._grow(key, "text", piece)

    def thinking(self, key: object, piece: str) -> None:
        """More of the model's reasoning."""
        self._grow(key, "thinking", piece)

    def sign(self, key: object, signature: str) -> None:
        """The provider's signature of a thinking block, sent back unchanged later."""
        self._part(key, "thinking").signature += signature

    def tool(self, key: object, id: str = "", name: str = "") -> None:
        """A tool call begins, or its id or name comes late."""
        part = self._part(key, "tool_use")
        part.id = part.id or id
        if name and not part.name:
            part.name = name
            self._tell("tool_use", name)

    def arguments(self, key: object, piece: str) -> None:
        """More of a tool call's arguments, as raw text."""
        self._grow(key, "tool_use", piece)

    def finish(self, stop: StopReason, usage: Usage, model: str, *, suspect: bool = False) -> ModelReply:
        """The reply. Raises ModelError E605 when nothing was said.

        A tool call at the very end of an answer that ran into `max_tokens` may be incomplete although it parses,
        so it is malformed; with `suspect` (the provider itself calls them so) all tool calls are.
        """
        parts = list(self._parts.values())
        blocks: list[Block] = []
        for place, part in enumerate(parts):
            cut = suspect or (stop == "max_tokens" and place == len(parts) - 1)
            block = _tool_use(part, cut) if part.kind == "tool_use" else _said(part)
            if block is not None:
                blocks.append(block)
        calls = any(isinstance(b, ToolUse) for b in blocks)
        if (
            not calls
            and stop != "refusal"
            and not any(isinstance(b, Text) and b.text.strip() for b in blocks)
        ):
            raise failures.empty(self._who, usage, cut=stop == "max_tokens")
        message = Message("assistant", _unique(blocks, len(self._request.messages)))
        if usage.tokens == 0:
            usage = estimated(self._request, message)
        return ModelReply(message, _settled(stop, calls), usage, model or self._request.model)

    def _grow(self, key: object, kind: Kind, piece: str) -> None:
        if not piece:
            return
        self._size += len(piece)
        if self._size > MAX_ANSWER_BYTES:
            raise failures.too_large(self._who)
        self._part(key, kind).pieces.append(piece)
        if kind != "tool_use":
            self._tell(kind, piece)

    def _part(self, key: object, kind: Kind) -> _Part:
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part(kind)
        elif part.kind != kind:
            raise failures.not_understood(self._who, f"a {part.kind} block turned into {kind}")
        return part

    def _tell(self, kind: Kind, text: str) -> None:
        if self._on_delta is not None:
            with suppress(Exception):
                self._on_delta(Delta(kind, text))


def _said(part: _Part) -> Block | None:
    text = "".join(part.pieces)
    if part.kind == "thinking":
        return Thinking(text, part.signature) if text or part.signature else None
    return Text(text) if text else None


def _tool_use(part: _Part, cut: bool) -> ToolUse:
    raw = "".join(part.pieces)
    values, malformed = parse_arguments(raw)
    if cut and malformed is None:
        values, malformed = {}, raw or "(cut off)"
    return ToolUse(part.id, part.name, values, malformed)


def _unique(blocks: list[Block], turn: int) -> tuple[Block, ...]:
    """Every tool call gets an id, and no two the same one: an answer is matched to its call by it."""
    seen: set[str] = set()
    named: list[Block] = []
    for place, block in enumerate(blocks):
        if isinstance(block, ToolUse):
            id = block.id or f"call_{turn}_{place}"
            while id in seen:
                id += f"_{place}"
            seen.add(id)
            block = ToolUse(id, block.name, block.input, block.malformed)
        named.append(block)
    return tuple(named)


def _settled(stop: StopReason, calls: bool) -> StopReason:
    """The stop reason that fits the blocks: several servers say `stop` beside tool calls."""
    if calls and stop == "end_turn":
        return "tool_use"
    if not calls and stop == "tool_use":
        return "other"
    return stop


def estimated(request: ModelRequest, message: Message) -> Usage:
    """Usage by counting, four characters a token, for a provider that does not say. Deterministic."""
    asked = len(request.system) + sum(len(t.description) + len(t.name) for t in request.tools)
    asked += sum(_length(block) for m in request.messages for block in m.blocks)
    said = sum(_length(block) for block in message.blocks)
    return Usage(input_tokens=asked // 4 + 1, output_tokens=said // 4 + 1, model_calls=1)


def _length(block: Block) -> int:
    if isinstance(block, Text | Thinking):
        return len(block.text)
    if isinstance(block, ToolUse):
        return len(block.name) + len(block.malformed or str(block.input))
    if isinstance(block, ToolResult):
        return len(block.content) if isinstance(block.content, str) else len(str(block.content))
    return 800
