"""Vectors of the words themselves: no model, no download, nothing learned. Needs the extra `documents`.

Each word becomes a few signed entries of a vector: its stem, and the pieces of four letters it is made of. Texts that share
words, inflections or parts of compounds come out near each other, misspelt ones too; synonyms do not. This adds forgiveness to
full text, and no understanding: for that, name a model in `documents.embeddings`.
"""

from __future__ import annotations

import asyncio
import functools
import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence

from remit.core.errors import ConfigError
from remit.core.extras import how_to_install
from remit.core.words import COMMON, words
from remit.ports.embeddings import Purpose

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise ConfigError(
        "documents need the package `numpy`, which is not installed",
        code="E695",
        help=how_to_install("documents"),
    ) from error

DIMENSIONS = 384
PIECE = 4
COMMON_WEIGHT = 0.1
PIECES_WEIGHT = 0.6
"""What the pieces of a word weigh together, beside 1 for its stem."""

_ENDINGS = re.compile(
    r"(?:ations?|ations|ities|ity|ness|ments?|ingly|edly|ings?|ied|ies|ers?|ed|es|ly|s|e|y)$"
)
Floats = NDArray[np.float32]


class LexicalEmbeddings:
    """Hashed words and pieces of words. The same text always has the same vector, on any machine."""

    name = "lexical:1"
    batch = 256

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        """A vector a text; the purpose makes no difference."""
        return await asyncio.to_thread(lambda: [embedded(text).tolist() for text in texts])

    async def close(self) -> None:
        """Nothing to let go of."""


def embedded(text: str) -> Floats:
    """The vector of a text, of unit length; one without words has that of the empty word."""
    counts = Counter(words(text)) or Counter({"": 1})
    parts = [_features(word) for word in counts]
    scales = np.repeat(
        [_weight(word, count) for word, count in counts.items()], [len(places) for places, _ in parts]
    )
    places = np.concatenate([places for places, _ in parts])
    values = np.concatenate([values for _, values in parts]) * scales
    vector = np.bincount(places, weights=values, minlength=DIMENSIONS)
    length = float(np.linalg.norm(vector))
    if length < 1e-9:  # signs that cancel out
        vector, length = np.eye(1, DIMENSIONS)[0], 1.0
    return (vector / length).astype(np.float32)


def _weight(word: str, count: int) -> float:
    return (1 + math.log(count)) * (COMMON_WEIGHT if word in COMMON else 1.0)


@functools.lru_cache(maxsize=65_536)
def _features(word: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The entries of a word: places in the vector, and values."""
    stem = _ENDINGS.sub("", word) if len(word) > 4 else word
    padded = f"<{word}>"
    pieces = {padded[n : n + PIECE] for n in range(max(1, len(padded) - PIECE + 1))}
    each = PIECES_WEIGHT / math.sqrt(len(pieces))
    features = [(f"w:{stem}", 1.0), *((f"p:{piece}", each) for piece in sorted(pieces))]
    hashes = [zlib.crc32(feature.encode()) for feature, _ in features]
    places = np.array([h % DIMENSIONS for h in hashes], dtype=np.int64)
    signs = np.array([1.0 if h >> 31 else -1.0 for h in hashes])
    return places, signs * np.array([value for _, value in features])
