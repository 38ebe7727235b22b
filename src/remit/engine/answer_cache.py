"""Answers of models that are kept for a while, where a route asks for that: the same question of the same tenant is answered from the store.

A question is the same only if everything that is sent is the same: the models of the route, instructions, messages, tools, limits and
schema; and the policy profile it is asked under, by which answers are redacted. What a kept answer holds is text and wishes: each call of a
tool is decided, approved and carried out anew. Kept is only what came from the route's own model, was whole, and left every guardrail
untouched. Rows lie beside the shared state, whose sweeper erases them.
"""

from __future__ import annotations

from typing import Any

from remit.core.budget import Usage
from remit.core.codec import convert, digest_of, encode, plain
from remit.core.errors import InputError
from remit.core.message import Message
from remit.engine.kit import Kit
from remit.engine.models import Answer
from remit.engine.shared_state import EXPIRING, LARGEST, STATE, YES
from remit.ports.model import Delta, ModelReply, ModelRequest, OnDelta
from remit.ports.store import Put, Write

HIT = "cache_hit"
"""The incident of an answer from the store."""

SCOPE = "answers"
_WHOLE = frozenset({"end_turn", "tool_use"})


class AnswerCache:
    """Asks a route as `ModelAccess` does, for one question of one tenant."""

    def __init__(self, kit: Kit, tenant_id: str, profile: str) -> None:
        self._kit = kit
        self._tenant_id = tenant_id
        self._profile = profile
        self._key = ""

    async def ask(self, route: str, request: ModelRequest, on_delta: OnDelta | None = None) -> Answer:
        """The answer that is kept, else the model's. Raises what `ModelAccess.ask` raises, and StoreError."""
        began = self._kit.clock.monotonic()
        self._key = self._digest(route, request)
        row = await self._kit.store.get(STATE, (_place(self._tenant_id), self._key))
        kept = _reply(row, self._kit.clock.now())
        if kept is None:
            return await self._kit.models.ask(route, request, on_delta)
        if on_delta is not None and kept.message.text:
            on_delta(Delta("text", kept.message.text))
        took = (self._kit.clock.monotonic() - began) * 1000
        return Answer(kept, Usage(), route, kept.model, 0, (HIT,), took)

    def keeping(self, answer: Answer, message: Message) -> list[Write]:
        """The write that keeps an answer, with its message as it goes into the journal; none for one that is not to be kept."""
        reply = answer.reply
        malformed = any(use.malformed is not None for use in message.tool_uses)
        if answer.incidents or reply.stop_reason not in _WHOLE or malformed or not self._key:
            return []
        value = plain({"message": message, "stop_reason": reply.stop_reason, "model": answer.model})
        if len(encode(value)) > LARGEST:
            return []
        now = self._kit.clock.now()
        item = {
            "place": _place(self._tenant_id),
            "key": self._key,
            "scope": SCOPE,
            "version": now,
            EXPIRING: YES,
            "expires_ts": now + int(self._kit.models.cache_ttl_s(answer.route) * 1000),
            **value,
        }
        return [Put(STATE, item)]

    def _digest(self, route: str, request: ModelRequest) -> str:
        asked = (
            self._tenant_id,
            self._profile,
            self._kit.models.identity(route),
            request.system,
            request.messages,
            request.tools,
            request.max_tokens,
            request.temperature,
            request.output_schema,
        )
        return digest_of(plain(asked))


def _place(tenant_id: str) -> str:
    """No scope of shared state has such a place: theirs are digests."""
    return f"{SCOPE}/{tenant_id}"


def _reply(row: dict[str, Any] | None, now: int) -> ModelReply | None:
    """What a row says, unless its time is over or it is of a form that is not known here."""
    if row is None or row["expires_ts"] <= now:
        return None
    try:
        message = convert(row["message"], Message)
    except InputError:
        return None
    return ModelReply(message, row["stop_reason"], Usage(), row["model"])
