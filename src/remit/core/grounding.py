"""Whether an answer stands in its sources: by words and by numbers, sentence for sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from remit.core.tracing import figures, numbers
from remit.core.words import stems

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])|\n+")
_SHORT = 3
"""Words that a sentence needs to claim anything."""


def grounded(answer: str, sources: Iterable[str]) -> float:
    """How well the weakest sentence of an answer stands in the sources, 0 to 1.

    The share of its words that the sources have; 0 for a sentence with a number that they have not, and 1 for an answer that
    claims nothing. What is rightly retold in other words scores low, and a sentence turned into its opposite scores high.
    """
    texts = list(sources)
    known = {word for text in texts for word in stems(text)}
    counted = frozenset[Decimal]().union(*(numbers(text) for text in texts))
    return min((_stands(sentence, known, counted) for sentence in _SENTENCE.split(answer)), default=1.0)


def relevant(answer: str, query: str) -> float:
    """The share of a question's words that its answer takes up, 0 to 1."""
    asked = set(stems(query))
    return len(asked.intersection(stems(answer))) / len(asked) if asked else 1.0


def _stands(sentence: str, known: set[str], counted: frozenset[Decimal]) -> float:
    if any(readings.isdisjoint(counted) for readings in figures(sentence)):
        return 0.0
    said = [word for word in stems(sentence) if not word.isdigit()]
    if len(said) < _SHORT:
        return 1.0
    return sum(word in known for word in said) / len(said)
