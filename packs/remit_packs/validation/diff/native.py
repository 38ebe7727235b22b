"""Comparing within one engine without canonical text: an expression of equal type on both sides, and a hash of the row.

Two native values are equal exactly when their canonical texts are. Where that is not certain there is no native
expression, and the canonical text is compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from remit_packs.validation.agreement import Agreement
from remit_packs.validation.canonical import ROUNDED, Kind
from remit_packs.validation.diff.sql import exact
from remit_packs.validation.engines.base import Dialect, Engine, Wanted

_SAME = frozenset({"boolean", "date", "uuid", "binary"})
_WHOLE = re.compile(
    r"u?(tiny|small|medium)int( unsigned)?|int(eger)?( unsigned)?|uint(eger)?|bigint|int[248]"
)
_NARROW = re.compile(r"DECIMAL\((\d|1[0-8]),\d+\)|UBIGINT|U(TINY|SMALL)INT")
"""Numbers of DuckDB that it keeps in at most 64 bits, besides those that are `whole`."""


def prepare(engine: Engine) -> None:
    """Make room for the groups of one pass in a session of PostgreSQL, whose default of 4 MB spills them to disk."""
    if engine.dialect.name == "postgres":
        engine.fetch("SELECT set_config('work_mem', '64MB', false), set_config('jit', 'off', false)")


def has_native(engine: Engine) -> bool:
    """Whether this engine hashes rows itself."""
    if engine.dialect.name == "postgres":
        return bool(engine.fetch("SELECT to_regproc('hash_record_extended') IS NOT NULL")[0][0])
    return engine.dialect.name == "duckdb"


def row_hash(dialect: Dialect, values: Sequence[str]) -> str:
    """SQL for the engine's own 64-bit hash of a row of `hashable` values, such that hashes of many rows can be summed.

    Both engines combine the hashes of columns so simply (PostgreSQL as 31 times one plus the next) that the sum over
    two rows hardly tells when they swap a value. The hash of the hash does.
    """
    if dialect.name == "postgres":
        combined = f"hash_record_extended(ROW({', '.join(values)}), 0)"
        return f"hash_record_extended(ROW(int8send({combined})), 0)"
    return f"hash(hash({', '.join(values)}))"


def hashable(dialect: Dialect, name: str, agreed: Agreement) -> str:
    """A format that makes of a comparable value one that `row_hash` tells from every other.

    PostgreSQL folds 64 bits into 32 first (1 and 2^32 hash alike), DuckDB 128 into 64 (0.00 and -0.01
    of a wide decimal, and UUIDs with their halves exchanged).
    """
    if _native(dialect, name, agreed) is None:
        return "{}"
    kind = agreed.source
    if dialect.name == "postgres":
        if kind.family == "timestamp":
            return "timestamptz_send({})" if kind.zoned else "timestamp_send({})"
        return "int8send({})" if kind.name == agreed.target.name == "bigint" else "{}"
    if kind.family == "uuid":
        return "{}::varchar"
    if kind.family != "number" or (whole(kind) and whole(agreed.target)):
        return "{}"
    narrow = kind.name == agreed.target.name and _NARROW.fullmatch(kind.name)
    return "{}" if narrow else "{}::varchar"


def comparable(dialect: Dialect, name: str, agreed: Agreement) -> tuple[str, str]:
    """The expressions by which a column of source and target is compared in one engine that has `row_hash`."""
    found = _native(dialect, name, agreed)
    if found is not None:
        return found, found
    stored = (agreed.source, agreed.target)
    source, target = (exact(dialect, dialect.canonical(Wanted(name, s, agreed.common))) for s in stored)
    return source, target


def _native(dialect: Dialect, name: str, agreed: Agreement) -> str | None:
    if agreed.common.name == ROUNDED:
        return None
    return (_postgres if dialect.name == "postgres" else _duckdb)(dialect.quote(name), agreed)


def whole(kind: Kind) -> bool:
    """Whether a column holds whole numbers of at most 64 bits, as such or as text."""
    name = re.sub(r"\(\d+\)", "", kind.name.lower()).strip()
    return kind.family == "number" and kind.digits == 0 and bool(_WHOLE.fullmatch(name))


def _duckdb(value: str, agreed: Agreement) -> str | None:
    source, target, common = agreed.source, agreed.target, agreed.common
    if common.family == "string":
        plain = source.name == target.name == "VARCHAR"
        return value if plain else f"{value}::varchar"
    if source.text or target.text or source.family != target.family:
        return None
    if common.family == "number":
        return _duckdb_number(value, source, target, common)
    if common.family == "timestamp":
        return value if source == target and source.digits == common.digits else None
    return value if common.family in _SAME else None


def _duckdb_number(value: str, source: Kind, target: Kind, common: Kind) -> str | None:
    if source.name == target.name:
        return value
    if whole(source) and whole(target):
        return f"{value}::bigint"
    huge = "HUGEINT" in source.name or "HUGEINT" in target.name
    return None if huge else f"{value}::decimal(38,{common.digits})"


def _postgres(value: str, agreed: Agreement) -> str | None:
    source, target, common = agreed.source, agreed.target, agreed.common
    if source.text or target.text or source.family != target.family:
        return None
    if common.family == "string":
        return f'({value})::text COLLATE "C"'
    if common.family == "number":
        return value if source.name == target.name else f"({value})::numeric"
    if common.family == "timestamp":
        return value if source == target and source.digits == common.digits else None
    return value if common.family in _SAME else None
