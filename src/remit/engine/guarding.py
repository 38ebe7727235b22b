"""The guardrail on the way to a model and back, whoever's model it is."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec.structs import replace

from remit.core.errors import ModelError
from remit.core.message import Block, Message, Text, ToolResult
from remit.core.roles import texts_of
from remit.engine.kit import Kit
from remit.engine.models import Answer, AskError
from remit.ports.guardrail import About, Guardrail
from remit.ports.model import Delta, ModelRequest, OnDelta


class Ask(Protocol):
    """Asks a route, as `ModelAccess.ask` does."""

    async def __call__(self, route: str, request: ModelRequest, on_delta: OnDelta | None = None, /) -> Answer:
        """Raises AskError and ConfigError."""


async def guarded(kit: Kit, ask: Ask, route: str, request: ModelRequest, on_delta: OnDelta) -> Answer:
    """The answer of a model that is asked by `ask`; with a guardrail, of what it lets through, and told only once it was judged. Raises ModelError."""
    if kit.guardrail is None:
        return await ask(route, request, on_delta)
    guarding = Guarding(kit.guardrail)
    request = await guarding.request(request)
    answer = await ask(route, request)
    try:
        message = await guarding.answer(answer.reply.message, request)
    except ModelError as error:
        raise _charged(error, answer, guarding.notes) from None
    if message.text:
        on_delta(Delta("text", message.text))
    incidents = (*answer.incidents, *guarding.notes)
    return replace(answer, reply=replace(answer.reply, message=message), incidents=incidents)


def _charged(error: ModelError, answer: Answer, notes: list[str]) -> AskError:
    """The error of an answer that is withheld and was billed all the same."""
    charged = AskError(error.message, code=error.code, help=error.help)
    charged.usage, charged.tries = answer.usage, answer.tries
    charged.incidents = (*answer.incidents, *notes)
    return charged


class Guarding:
    """Passes what a model is to read, and what it said, through a guardrail. `notes` say what that did, for the journal."""

    def __init__(self, guardrail: Guardrail) -> None:
        self._guardrail = guardrail
        self.notes: list[str] = []

    async def request(self, request: ModelRequest) -> ModelRequest:
        """The request as it may go on. Raises ModelError E971 for a blocked text of whoever asks.

        The blocked result of a tool is replaced: what a page says must not be able to end a run.
        """
        messages = [m if m.role == "assistant" else await self._read(m) for m in request.messages]
        return replace(request, messages=tuple(messages))

    async def answer(self, message: Message, request: ModelRequest) -> Message:
        """What a model said as it may go on. Raises ModelError E972. The arguments of its calls are policy's matter."""
        about = None if message.tool_uses else _about(request)
        blocks: list[Block] = []
        for block in message.blocks:
            if isinstance(block, Text) and block.text.strip():
                verdict = await self._guardrail.check(block.text, "output", about)
                self._note(verdict.outcome, verdict.why, "an answer")
                if verdict.outcome == "blocked":
                    raise ModelError(f"{verdict.text}", code="E972", help=_named(verdict.why))
                block = block if verdict.outcome == "passed" else Text(verdict.text)
            blocks.append(block)
        return Message(message.role, tuple(blocks))

    async def _read(self, message: Message) -> Message:
        blocks: list[Block] = []
        for block in message.blocks:
            if isinstance(block, Text) and block.text.strip():
                verdict = await self._guardrail.check(block.text, "input")
                self._note(verdict.outcome, verdict.why, "a message")
                if verdict.outcome == "blocked":
                    raise ModelError(f"{verdict.text}", code="E971", help=_named(verdict.why))
                block = block if verdict.outcome == "passed" else Text(verdict.text)
            elif isinstance(block, ToolResult):
                block = await self._result(block)
            blocks.append(block)
        return Message(message.role, tuple(blocks))

    async def _result(self, result: ToolResult) -> ToolResult:
        whole = await self._guardrail.check("\n".join(texts_of(result.content)), "input")
        self._note(whole.outcome, whole.why, "a result")
        if whole.outcome == "passed":
            return result
        content = whole.text if whole.outcome == "blocked" else await self._masked(result.content)
        return ToolResult(result.tool_use_id, content, result.is_error, result.label)

    async def _masked(self, value: Any) -> Any:
        """The value with each text in it as it may go on."""
        if isinstance(value, str):
            return (await self._guardrail.check(value, "input")).text if value.strip() else value
        if isinstance(value, dict):
            return {await self._masked(key): await self._masked(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [await self._masked(inner) for inner in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = str(value)
            masked = (await self._guardrail.check(text, "input")).text
            return value if masked == text else masked
        return value

    def _note(self, outcome: str, why: tuple[str, ...], what: str) -> None:
        if outcome != "passed":
            self.notes.append(f"guardrail {outcome} {what}: {', '.join(why)}")


def _about(request: ModelRequest) -> About | None:
    """The sources and the question of a final answer; None where there is nothing that it should stand in."""
    results = [b for m in request.messages for b in m.blocks if isinstance(b, ToolResult) and not b.is_error]
    asked = [m.text for m in request.messages if m.role == "user" and m.text]
    if not results:
        return None
    sources = tuple("\n".join(texts_of(b.content)) for b in results)
    return About((*sources, *asked), asked[-1] if asked else "")


def _named(why: tuple[str, ...]) -> str:
    return f"a rule of the guardrail took effect: {', '.join(why)}" if why else ""
