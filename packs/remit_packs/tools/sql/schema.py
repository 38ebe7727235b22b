"""What a database holds, as its engine tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Kind = Literal["integer", "number", "text", "time", "boolean", "other"]


class Column(Struct, frozen=True):
    """A column: its type in the engine's words, and the kind of its values."""

    name: str
    type: str
    kind: Kind
    nullable: bool = True
    comment: str = ""


class ForeignKey(Struct, frozen=True):
    """Columns that hold the key of another table."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


class Table(Struct, frozen=True):
    """A table or view. `schema` is what stands before its name, if anything does."""

    name: str
    columns: tuple[Column, ...]
    schema: str = ""
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    comment: str = ""

    def column(self, name: str) -> Column | None:
        """The column of this name, whatever its case."""
        exact = (c for c in self.columns if c.name == name)
        loose = (c for c in self.columns if c.name.lower() == name.lower())
        return next(exact, None) or next(loose, None)


Tables = Mapping[str, Table]


def kind_of(type_name: str) -> Kind:
    """The kind of a type by its name, in the words of all engines."""
    name = type_name.lower()
    if any(mark in name for mark in ("[", "array", "map", "struct", "json", "range")):
        return "other"
    for kind, marks in _MARKS:
        if any(mark in name for mark in marks):
            return kind
    return "other"


_MARKS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("time", ("date", "time", "interval", "year")),
    ("boolean", ("bool",)),
    ("other", ("point", "blob", "bytea", "binary")),
    ("integer", ("int", "serial")),
    ("number", ("numeric", "decimal", "number", "real", "float", "double", "money")),
    ("text", ("char", "text", "string", "clob", "enum", "uuid", "name", "set")),
)
