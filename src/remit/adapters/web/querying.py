"""What every search takes and gives: a query of some length, a number of results, snippets of one size."""

from __future__ import annotations

from remit.adapters.web.text import clean
from remit.core.errors import ArgumentsError

MOST_HITS = 20
MOST_QUERY = 2_000
SNIPPET_CHARS = 500


def checked(query: str, limit: int) -> str:
    """The query on one line. Raises ArgumentsError E928."""
    text = " ".join(clean(query[: MOST_QUERY + 1]).split())
    if not text or len(query) > MOST_QUERY:
        raise ArgumentsError(
            "this is no query",
            code="E928",
            help=f"search with a few plain words, at most {MOST_QUERY:,} characters",
        )
    if not 1 <= limit <= MOST_HITS:
        raise ArgumentsError(
            f"`{limit}` is no number of results", code="E928", help=f"ask for 1 to {MOST_HITS}"
        )
    return text


def snippet_of(text: str) -> str:
    """The start of a text on one line, cut between words."""
    line = " ".join(clean(text[: SNIPPET_CHARS * 4]).split())
    if len(line) <= SNIPPET_CHARS:
        return line
    return line[:SNIPPET_CHARS].rpartition(" ")[0] + " …"
