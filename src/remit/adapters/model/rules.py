"""The honest offline model: plain rules, labelled as such wherever a run is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remit.adapters.model.scripted import reply_of
from remit.core.message import Message, assistant
from remit.ports.model import ModelReply, ModelRequest, OnDelta

Rule = Callable[[ModelRequest], Message | None]
"""Looks at a request and answers it, or says `None` to let the next rule try. Deterministic."""

NO_RULE = "No rule covers this. Connect a language model to get an answer."


class RulesModel:
    """Answers with the first rule that does; with `otherwise` when none does. Free, deterministic, without a network."""

    def __init__(self, rules: Sequence[Rule], *, otherwise: str = NO_RULE) -> None:
        self._rules = tuple(rules)
        self._otherwise = otherwise

    @property
    def provider(self) -> str:
        """`rules`: the console says so beside every answer."""
        return "rules"

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """The first answer. What a rule raises is its author's mistake and goes through."""
        for rule in self._rules:
            message = rule(request)
            if message is not None:
                return reply_of(request, message, on_delta)
        return reply_of(request, assistant(self._otherwise), on_delta)

    async def close(self) -> None:
        """Nothing to let go of."""
