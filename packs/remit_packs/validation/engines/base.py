"""What a check asks of an engine. One file per engine beside this one says how it is done there.

Everything is pushed down: an engine answers with counts, sums and digests, and hands over rows only through `stream`.
The canonical text of a value, and so every digest, is the same on every engine (`colhash/1`); the contract suite in
`tests/packs/validation/engines` proves it for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol, Self

from msgspec import Struct

from remit_packs.validation.canonical import Digest, HashFunction, Kind


class Column(Struct, frozen=True):
    """A column as its engine stores it. `nullable` is None where the engine does not say."""

    name: str
    kind: Kind
    nullable: bool | None = None


class Wanted(Struct, frozen=True):
    """A column to read canonically: how it is stored, and the type both sides agreed on."""

    name: str
    stored: Kind
    common: Kind


class Digests(Struct, frozen=True):
    """Digests of columns in order, and of whole rows (over exactly these columns). `rows` is the number of rows."""

    rows: int
    columns: list[Digest]
    row: Digest


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on a column, the same on every engine. `value` is ignored for `is_null` and `not_null`, a list for `in`."""

    column: str
    op: Literal["=", "!=", "<", "<=", ">", ">=", "in", "is_null", "not_null"] = "="
    value: Any = None


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """One aggregate. Counting measures count rows that break a rule; `pattern` is a regular expression that must match whole values.

    `distinct` counts distinct non-null combinations of `columns`; the others use `column`.
    """

    name: Literal[
        "count",
        "nulls",
        "distinct",
        "min",
        "max",
        "sum",
        "avg",
        "max_length",
        "below",
        "above",
        "not_in",
        "not_matching",
        "not_finite",
    ]
    column: str = ""
    columns: list[str] = []
    value: Any = None
    values: list[Any] = []
    pattern: str = ""


class Dialect(Protocol):
    """SQL of one engine, for the few expressions that differ."""

    name: str

    def quote(self, name: str) -> str:
        """A column's or table's name in SQL, whatever characters it holds."""

    def literal(self, value: Any) -> str:
        """A constant in SQL, safely."""

    def canonical(self, column: Wanted) -> str:
        """SQL for the canonical text of a column; NULL has none. A value that does not fit its type is an error, never skipped."""

    def row_text(self, texts: Sequence[str]) -> str:
        """SQL for the text of a row over canonical texts: `-` for NULL, else `length:text`, concatenated."""

    def lanes(self, text: str, algorithm: HashFunction) -> list[str]:
        """SQL for the lanes (60-bit integers) of the hash of a text."""

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane over many rows; what it answers becomes a number by `int(value or 0)`."""

    def where(self, filters: Sequence[Filter]) -> str:
        """SQL of all conditions joined with AND; empty for none. Each is compared as the column's own type."""


class Engine(Protocol):
    """One open table (or file). Blocking; used from a tool's thread and closed by `with`.

    `server` is equal for two engines whose tables one query can join (same database and login; local files share
    DuckDB, if one was opened `beside` the other: see `sources.open_engine`).
    Every method raises `SourceError` with a stable code when the source cannot be read: unreachable, refused, no such
    table, no such column, permission lost.
    """

    @property
    def server(self) -> str:
        """What two tables have in common that one query can join."""

    @property
    def dialect(self) -> Dialect:
        """The SQL of this engine, for this table."""

    @property
    def source(self) -> str:
        """The location without any secret, for people."""

    def columns(self) -> list[Column]:
        """The columns in order."""

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """What goes after FROM so that these columns can be read."""

    def count(self, filters: Sequence[Filter] = ()) -> int:
        """The number of rows."""

    def digests(
        self, columns: Sequence[Wanted], algorithm: HashFunction, filters: Sequence[Filter] = ()
    ) -> Digests:
        """colhash/1 of each column and of the rows, in one pass."""

    def measures(self, measures: Sequence[Measure], filters: Sequence[Filter] = ()) -> list[Any]:
        """The aggregates in order, in one pass; numbers exact (Decimal or int where the engine is exact)."""

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query of this engine's dialect, read-only."""

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches, without holding them all."""

    def close(self) -> None:
        """Let go."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
