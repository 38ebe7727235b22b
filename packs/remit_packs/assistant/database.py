"""A small database of products and articles that ships with the pack, and the tool that searches it.

Safe by construction: what a caller gives is only ever a bound parameter, tables and fields are chosen from a list, the number of
rows is limited, and the connection cannot write.
"""

from __future__ import annotations

import functools
import re
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from remit.sdk import ArgumentsError, tool

SOURCE = Path(__file__).with_name("database.sql")

FIELDS: Mapping[str, tuple[str, ...]] = {
    "products": ("id", "name", "category", "price_usd", "stock", "description"),
    "articles": ("id", "title", "topic", "body"),
}
"""The fields of each table, the first one its key."""

WORDS = 8
"""Words of a query that are looked for."""

_COMMON = frozenset(
    """
    a about all an and any are as at be by can do does for from give have how i in is it list many me my of on or our please
    search show tell the there to us we what when where which who with you your
    """.split()  # noqa: SIM905  (a list of fifty literals would be fifty lines)
)

Table = Literal["products", "articles"]
Query = Annotated[
    str,
    Meta(max_length=200, description="A few plain words; rows with most of them come first. Empty: any row."),
]
Field = Annotated[
    str, Meta(max_length=40, description="A field that must have exactly `value`, e.g. `category`.")
]
Limit = Annotated[int, Meta(ge=1, le=20)]

Row = dict[str, str | int | float]


class Found(Struct, frozen=True):
    """Rows that fit, best first; `total` is how many there are in all."""

    table: Table
    total: int
    rows: list[Row]


@tool(sensitivity="public")
def search_database(
    query: Query, table: Table = "products", field: Field = "", value: str = "", limit: Limit = 5
) -> Found:
    """Search the house's database by words, and by the value of a field if one is given.

    Tables: products (id, name, category, price_usd, stock, description), articles (id, title, topic, body).
    """
    if field and field not in FIELDS[table]:
        raise ArgumentsError(
            f"`{field}` is no field of {table}", code="E848", help=f"its fields: {', '.join(FIELDS[table])}"
        )
    words = _words(query)
    if query.strip() and not words:
        return Found(table, 0, [])
    return _search(table, words, field, value, limit)


def _search(table: Table, words: list[str], field: str, value: str, limit: int) -> Found:
    key, named, *others = FIELDS[table]
    text = others[-1]
    # A word in the name counts three times as much as one elsewhere. Names of fields are our own; the rest is bound.
    points = [
        f"3 * ({named} LIKE :word{i} ESCAPE '!') + ({others[0]} LIKE :word{i} ESCAPE '!') + ({text} LIKE :word{i} ESCAPE '!')"
        for i in range(len(words))
    ]
    where = f"CAST({field} AS TEXT) = :value COLLATE NOCASE" if field else "1"
    statement = (
        f"SELECT *, count(*) OVER () AS total FROM (SELECT *, {' + '.join(points) or '1'} AS points FROM {table} WHERE {where})"
        f" WHERE points > 0 ORDER BY points DESC, {key} LIMIT :limit"
    )
    given = {"value": value, "limit": limit, **{f"word{i}": f"%{_literal(w)}%" for i, w in enumerate(words)}}
    with _LOCK:
        rows = _opened().execute(statement, given).fetchall()
    total = rows[0]["total"] if rows else 0
    return Found(table, total, [{name: row[name] for name in FIELDS[table]} for row in rows])


_LOCK = threading.Lock()


@functools.cache
def _opened() -> sqlite3.Connection:
    """The database in memory, made of the file that ships with the pack; from then on it can only be read."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(SOURCE.read_text("utf-8"))
    connection.execute("PRAGMA query_only = ON")
    return connection


def _words(query: str) -> list[str]:
    """The words that say something, without a plural's `s`."""
    found = (word for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", query.lower()) if word not in _COMMON)
    stems = (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
    )
    return list(dict.fromkeys(stems))[:WORDS]


def _literal(word: str) -> str:
    return re.sub(r"([!%_])", r"!\1", word)
