"""What is asked of a filter of content: whether a text may go on, and in which form."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

Source = Literal["input", "output"]
"""`input`: what a model is to read. `output`: what it said."""


class About(Struct, frozen=True):
    """What an answer is about: the texts that it should stand in, and the question that it should answer."""

    sources: tuple[str, ...]
    query: str = ""


class Verdict(Struct, frozen=True):
    """What goes on in the place of a text: itself, the text with parts masked, or a sentence that says it was blocked.

    `why` names the rules that took effect, and never what they found.
    """

    outcome: Literal["passed", "masked", "blocked"]
    text: str
    why: tuple[str, ...] = ()


class Guardrail(Protocol):
    """A filter of content."""

    async def check(self, text: str, source: Source, about: About | None = None) -> Verdict:
        """Judge a text; an answer also by what it is `about`. Raises ModelError when it cannot be judged: then nothing goes on."""
