"""The words of texts and queries by which one finds the other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

MOST = 32
"""Words of a query at most; the rest of a longer one is not looked for."""

COMMON = frozenset(
    """
    a about after all also am an and any are as at be because been before being between both but by can could did do does
    doing done down during each either few for from further had has have having he her here hers him his how i if in into is
    it its just me more most my no nor not of off on once only or other our out over own please same she should so some such
    tell than that the their them then there these they this those through to too under until up us very was we were what when
    where which while who whom whose why will with would you your
    """.split()  # noqa: SIM905  (as a list it would be a page)
)
"""English words that say nothing about what a text is about."""

_WORD = re.compile(r"\w+")
_ALPHANUMERIC = re.compile(r"[^\W_]+")
_LONGEST = 40


def closest(name: str, known: Iterable[str], most: int = 12) -> str:
    """Known names in backticks, those like `name` first, at most so many of them; `none` where there are none."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    shown = [*near, *(other for other in names if other not in near)]
    more = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return (", ".join(f"`{one}`" for one in shown[:most]) or "none") + more


def words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return _WORD.findall(text.casefold())


def telling(query: str) -> list[str]:
    """The words of a query to look for, each once: those that are not common, or all where there are only common ones."""
    found = list(dict.fromkeys(words(query)))
    return ([word for word in found if word not in COMMON] or found)[:MOST]


def stems(text: str) -> list[str]:
    """The words by which a text is found, each once, in order: folded, without accents, plurals as singulars.

    Plurals after Harman's S-stemmer (1991): it mends what people vary most, and does little harm to other languages.
    """
    flat = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in flat if not unicodedata.combining(c))
    found = (_singular(word[:_LONGEST]) for word in _ALPHANUMERIC.findall(plain) if word not in COMMON)
    return list(dict.fromkeys(found))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    if len(word) > 3 and word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    return word
