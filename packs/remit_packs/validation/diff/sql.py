"""The few expressions that a diff needs beside those of `Dialect`, for every engine in one place."""

from __future__ import annotations

from collections.abc import Sequence

from remit_packs.validation.engines.base import Dialect

CUT = 1000
"""Characters of a text that are carried and shown; of a longer one its length and hash say the rest."""

_TEXT = {"mysql": "CHAR", "bigquery": "STRING", "sqlite": "TEXT", "postgres": "TEXT"}
_WHOLE = {"mysql": "SIGNED", "bigquery": "INT64", "sqlite": "INTEGER"}
_LENGTH = {"mysql": "char_length", "sqlite": "remit_length"}


def exact(dialect: Dialect, text: str) -> str:
    """A text that equals only the very same text, whatever the collation of its column."""
    match dialect.name:
        case "mysql":
            return f"CAST({text} AS BINARY)"
        case "sqlite":
            return f"({text}) COLLATE BINARY"
        case "postgres":
            return f'({text}) COLLATE "C"'
        case _:
            return text


def as_text(dialect: Dialect, value: str) -> str:
    """A number as text."""
    return f"CAST({value} AS {_TEXT.get(dialect.name, 'VARCHAR')})"


def as_whole(dialect: Dialect, text: str) -> str:
    """The text of a whole number of 64 bits as a number."""
    return f"CAST({text} AS {_WHOLE.get(dialect.name, 'BIGINT')})"


def as_decimal(dialect: Dialect, text: str, digits: int) -> str:
    """The text of a number as something that sorts by its size."""
    if dialect.name == "duckdb":
        return f"try_cast({text} AS decimal(38,{digits}))"
    free = dialect.name in ("bigquery", "postgres")
    return f"CAST({text} AS {'NUMERIC' if free else f'DECIMAL(38,{digits})'})"


def concatenated(dialect: Dialect, parts: Sequence[str]) -> str:
    """Texts one after another."""
    return f"CONCAT({', '.join(parts)})" if dialect.name == "mysql" else "(" + " || ".join(parts) + ")"


def remainder(dialect: Dialect, value: str, divisor: int) -> str:
    """The remainder of a whole number."""
    return f"MOD({value}, {divisor})" if dialect.name == "bigquery" else f"(({value}) % {divisor})"


def once(dialect: Dialect, query: str) -> str:
    """A query whose expressions are computed once, for a planner that would paste them into every use.

    An empty branch does that in PostgreSQL, and unlike `OFFSET 0` it leaves the work to parallel workers.
    """
    return (
        f"{query} UNION ALL SELECT * FROM ({query}) AS z WHERE false" if dialect.name == "postgres" else query
    )


def unites(dialect: Dialect) -> bool:
    """Whether two tables are grouped faster in one query: so PostgreSQL sees that workers can group; DuckDB gets slower."""
    return dialect.name == "postgres"


def compares(dialect: Dialect) -> bool:
    """Whether the sums of two tables are compared in the engine: DuckDB groups finely, and only what differs comes out."""
    return dialect.name == "duckdb"


def halves(dialect: Dialect, number: str) -> list[str]:
    """SQL for the exact sum of 64-bit numbers: one sum, or that of the upper 32 bits and that of the lower ones less 2^31.

    PostgreSQL sums 64 bits in a kilobyte a group, and 32 bits in eight bytes.
    """
    if dialect.name != "postgres":
        return [dialect.total(number)]
    return [f"sum(({number} >> 32)::int4)", f"sum((({number} & 4294967295) - 2147483648)::int4)"]


def materialized(dialect: Dialect) -> str:
    """The hint that a common table is read twice and made once, where the engine needs it."""
    return "MATERIALIZED " if dialect.name in ("duckdb", "postgres") else ""


def full_joins(dialect: Dialect) -> bool:
    """Whether the engine has FULL JOIN, whatever its version."""
    return dialect.name not in ("mysql", "sqlite")


def shown(dialect: Dialect, text: str) -> str:
    """A text cut to `CUT` characters and followed by length and hash, so that two are equal only if the texts are."""
    length = f"{_LENGTH.get(dialect.name, 'length')}({text})"
    number = as_whole(dialect, length) if dialect.name == "sqlite" else length
    lanes = [as_text(dialect, lane) for lane in dialect.lanes(text, "md5")]
    tail = ["'… ('", as_text(dialect, length), "' characters, hash '", lanes[0], "'-'", lanes[1], "')'"]
    cut = concatenated(dialect, [f"substr({text}, 1, {CUT})", *tail])
    return f"CASE WHEN {number} <= {CUT} THEN {text} ELSE {cut} END"
