"""Is this one SELECT? The session is read-only besides; this says so before anything is sent."""

from __future__ import annotations

import re

from remit_packs.validation.engines.errors import not_a_query

_QUOTED = r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | /\*.*?\*/"""
_SKIPPED = re.compile(
    _QUOTED + r" | --[^\n]* | \$([A-Za-z_0-9]*)\$.*?\$\1\$",
    re.VERBOSE | re.DOTALL,
)
_SKIPPED_BY_MYSQL = re.compile(_QUOTED + r" | (?:\#|--(?=\s|\Z))[^\n]*", re.VERBOSE | re.DOTALL)
"""There `1--1` is 2, `$$` is a name, and `#` begins a comment."""

_RUN_BY_MYSQL = re.compile(r"/\*M?!")
"""A comment that is none: MySQL and MariaDB run what it holds."""

_WRITES = re.compile(r"\b(INTO|INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_GAP = r"""["`]?(?:\s|/\*.*?\*/|--[^\n]*\n|\#[^\n]*\n)*\("""
_REACHING = re.compile(
    r"\b(pg_read_\w+|pg_ls_\w+|pg_stat_file|lo_import|lo_export|dblink\w*|\w+_to_xml\w*|load_file|load_extension"
    r"|set_config|pg_sleep\w*|sleep|benchmark|get_lock|pg_advisory\w*|pg_terminate_backend|pg_cancel_backend)"
    + _GAP,
    re.IGNORECASE | re.DOTALL,
)
"""Functions that read files, reach other servers, run texts as SQL, change the session, or only wait."""

_DISGUISED = re.compile(r"\bU&[\"']", re.IGNORECASE)


def one_select(sql: str, *, mysql: bool = False) -> str:
    """The query without a closing semicolon. Raises SourceError E569 when it is not one SELECT."""
    query = sql.strip().rstrip(";").rstrip()
    bare = (_SKIPPED_BY_MYSQL if mysql else _SKIPPED).sub(" '' ", query).strip()
    if ";" in bare:
        raise not_a_query("it holds several statements")
    if not re.match(r"(\(\s*)*(SELECT|WITH)\b", bare, re.IGNORECASE):
        raise not_a_query("it is no SELECT")
    found = _WRITES.search(bare)
    if found:
        raise not_a_query(f"`{found[1]}` writes or locks")
    return query


def harmless(sql: str) -> str:
    """A query that a person wrote, if it asks for nothing but data. Raises SourceError E569.

    What the login may do is the engine's to say; this keeps a login that may too much from being used for it.
    """
    found = _REACHING.search(sql)
    if found:
        raise not_a_query(f"`{found[1]}` is no question about a table")
    if _DISGUISED.search(sql) or _RUN_BY_MYSQL.search(sql):
        raise not_a_query("it hides what it is: write it without `U&` and without `/*!`")
    return sql
