"""What a model is told of a database before it asks: tables, columns, keys, what they mean, and a few values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from remit_packs.tools.sql.access import Access

MOST_TABLES = 25
"""Tables that are described at once; of a larger database only the names, until some are named."""


class ColumnDescription(Struct, frozen=True, omit_defaults=True):
    """A column. `masked`: what is seen is not what is stored."""

    name: str
    type: str
    meaning: str = ""
    samples: list[str] = []
    masked: bool = False


class TableDescription(Struct, frozen=True, omit_defaults=True):
    """A table. `references` are foreign keys, e.g. `customer_id -> customers.id`."""

    name: str
    meaning: str = ""
    columns: list[ColumnDescription] = []
    primary_key: list[str] = []
    references: list[str] = []


class Description(Struct, frozen=True):
    """A database: write SQL in its `dialect`. Tables in `others` were not described: name them to see their columns."""

    database: str
    dialect: str
    tables: list[TableDescription]
    others: list[str]


def described(
    database: str,
    dialect: str,
    access: Mapping[str, Access],
    wanted: Sequence[str],
    notes: Mapping[str, str],
    samples: Mapping[str, list[str]],
) -> Description:
    """The description of the wanted tables, or of all where they are few."""
    chosen = list(wanted) or (list(access) if len(access) <= MOST_TABLES else [])
    tables = [_table(access[name], access, notes, samples) for name in chosen]
    others = [name for name in access if name not in chosen]
    return Description(database, dialect, tables, others)


def _table(
    access: Access, visible: Mapping[str, Access], notes: Mapping[str, str], samples: Mapping[str, list[str]]
) -> TableDescription:
    table, seen = access.table, set(access.names)
    return TableDescription(
        table.name,
        notes.get(table.name, table.comment),
        [
            ColumnDescription(
                c.name,
                c.type,
                notes.get(f"{table.name}.{c.name}", c.comment),
                samples.get(f"{table.name}.{c.name}", []),
                c.name in access.masks,
            )
            for c in access.columns
        ],
        [name for name in table.primary_key if name in seen],
        [
            f"{', '.join(key.columns)} -> {', '.join(f'{key.table}.{c}' for c in key.references)}"
            for key in table.foreign_keys
            if set(key.columns) <= seen
            and key.table in visible
            and set(key.references) <= set(visible[key.table].names)
        ],
    )
