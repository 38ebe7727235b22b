"""SQL that SQLite and PostgreSQL share: names of a collection's tables and indexes, and a query as one SELECT."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from remit.adapters.store.paging import Query
from remit.ports.store import Collection, Index


def name(*parts: str) -> str:
    """A quoted identifier; one too long for PostgreSQL (63 bytes) is cut and made unique by a hash."""
    text = "_".join(parts)
    if len(text) > 60:
        text = f"{text[:47]}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return f'"{text}"'


def table(collection: str) -> str:
    """The table of a collection."""
    return name("records", collection)


def index(collection: str, index_name: str) -> str:
    """The index of a collection's index."""
    return name("records", collection, "by", index_name)


def column(collection: Collection, field: str) -> str:
    """The column of a key field (`k_`) or an index field (`i_`)."""
    return name("k" if field in collection.key else "i", field)


def index_columns(collection: Collection, declared: Index) -> str:
    """The columns of an index: its fields, then the key, so that the order of a query is total."""
    fields = dict.fromkeys(declared.fields + collection.key)
    return ", ".join(column(collection, field) for field in fields)


def select(
    query: Query, collection: Collection, source: str, mark: str, bind: Callable[[Any], Any]
) -> tuple[str, list[Any]]:
    """The SELECT that answers a query with one document more than its limit, and its parameters."""
    order = [column(collection, field) for field in query.order]
    where: list[str] = []
    values: list[Any] = []

    def condition(text: str, *given: Any) -> None:
        where.append(text)
        values.extend(bind(value) for value in given)

    for field, value in query.equal:
        condition(f"{column(collection, field)} = {mark}", value)
    for field in query.present:
        condition(f"{column(collection, field)} IS NOT NULL")
    if query.lower is not None:
        condition(f"{order[0]} >= {mark}", query.lower)
    if query.upper is not None:
        condition(f"{order[0]} <= {mark}", query.upper)
    if query.after is not None:
        marks = ", ".join([mark] * len(order))
        sign = "<" if query.descending else ">"
        condition(f"({', '.join(order)}) {sign} ({marks})", *query.after)
    way = " DESC" if query.descending else ""
    text = f"SELECT doc FROM {source} WHERE {' AND '.join(where) or '1 = 1'}"
    text += f" ORDER BY {', '.join(part + way for part in order)} LIMIT {query.limit + 1}"
    return text, values
