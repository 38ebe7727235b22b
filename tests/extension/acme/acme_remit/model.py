"""A model provider: it says again what it was told, in the words of its options."""

from __future__ import annotations

from remit import Delta, ModelReply, ModelRequest, OnDelta, Opening, Usage, assistant

NAME = "acme"


class EchoModel:
    """Answers without any model."""

    provider = NAME

    def __init__(self, greeting: str, key: str) -> None:
        self._greeting = greeting
        self._key = key

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        """One answer, and what it used."""
        said = f"{self._greeting}: {request.messages[-1].text} ({request.model}, key of {len(self._key)} letters)"
        if on_delta is not None:
            on_delta(Delta("text", said))
        usage = Usage(input_tokens=len(request.messages[-1].text), output_tokens=len(said), model_calls=1)
        return ModelReply(assistant(said), "end_turn", usage, request.model)

    async def close(self) -> None:
        """There is nothing to let go of."""


def open_model(opening: Opening) -> EchoModel:
    """The entry of `remit.models`."""
    return EchoModel(opening.options.get("greeting", "acme"), opening.secret("acme_key"))


def open_nothing(opening: Opening) -> object:
    """An author's mistake: what it gives is no model."""
    del opening
    return object()


def open_telling(opening: Opening) -> EchoModel:
    """Another: an error that holds a secret."""
    raise ValueError(f"the key {opening.secret('acme_key')} is not accepted")
