"""Is this one SELECT? The session is read-only besides; this says so before anything is sent."""

from __future__ import annotations

import re

from remit_packs.validation.engines.errors import not_a_query

_SKIPPED = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | --[^\n]* | /\*.*?\*/ | \$([A-Za-z_0-9]*)\$.*?\$\1\$""",
    re.VERBOSE | re.DOTALL,
)
_WRITES = re.compile(r"\bINTO\s+(OUTFILE|DUMPFILE)\b", re.IGNORECASE)


def one_select(sql: str) -> str:
    """The query without a closing semicolon. Raises SourceError E569 when it is not one SELECT."""
    query = sql.strip().rstrip(";").rstrip()
    bare = _SKIPPED.sub(" '' ", query).strip()
    if ";" in bare:
        raise not_a_query("it holds several statements")
    if not re.match(r"(\(\s*)*(SELECT|WITH)\b", bare, re.IGNORECASE):
        raise not_a_query("it is no SELECT")
    if _WRITES.search(bare):
        raise not_a_query("it writes a file")
    return query
