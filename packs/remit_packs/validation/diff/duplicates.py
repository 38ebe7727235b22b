"""Keys that stand in more than one row: no row of the other side is theirs, so they are told, and never joined."""

from __future__ import annotations

from remit_packs.validation.canonical import ROUNDED
from remit_packs.validation.diff.result import Duplicates
from remit_packs.validation.diff.side import Side, present
from remit_packs.validation.diff.sql import exact, shown
from remit_packs.validation.engines.base import Wanted

EXAMPLES = 10
_BITS = 2**30
"""The widest range of whole keys that is looked at as a bitmap: 128 MB."""


def duplicates(side: Side) -> Duplicates:
    """The duplicate keys of one side, looked for over all rows."""
    if side.native and side.whole_key and side.dialect.name == "duckdb" and _unique_by_bitmap(side):
        return Duplicates()
    if side.dialect.name == "postgres" and _unique_by_index(side):
        return Duplicates()
    keys = [f"x{i}" for i in range(side.keys)]
    refined = ", ".join(f"{side.refined(side.values[i])} AS x{i}" for i in range(side.keys))
    inner = _grouped(side, refined, keys, "count(*) AS n")
    ((found, rows),) = side.runner.fetch(f"SELECT count(*), sum(n) FROM ({inner}) AS c")
    if not found:
        return Duplicates()
    return Duplicates(int(found), int(rows), _examples(side, keys))


def _unique_by_bitmap(side: Side) -> bool:
    """Whether whole numbers are all different, by one bit for each number between the least and the greatest."""
    query = side.values_query([0])
    ((least, most, rows),) = side.runner.fetch(f"SELECT min(x0), max(x0), count(x0) FROM ({query}) AS a")
    if not rows:
        return True
    if most - least >= min(_BITS, 64 * rows + 1024):
        return False
    bits = f"SELECT bit_count(bitstring_agg(x0, {least}, {most})) FROM ({query}) AS a"
    return bool(side.runner.fetch(bits)[0][0] == rows)


def _unique_by_index(side: Side) -> bool:
    """Whether PostgreSQL itself keeps the key unique, and different keys have different texts."""
    keys = side.wanted[: side.keys]
    if not all(_faithful(wanted) for wanted in keys):
        return False
    literal = side.dialect.literal
    names = ", ".join(literal(wanted.name) for wanted in keys)
    return bool(
        side.runner.fetch(
            f"SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.oid = {literal(side.relation)}::regclass"
            " AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL"
            " AND (c.relkind = 'p' OR NOT c.relhassubclass) AND NOT EXISTS (SELECT 1 FROM pg_attribute a"
            " WHERE a.attrelid = c.oid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])"
            f" AND a.attname <> ALL(ARRAY[{names}]::name[]))"
        )
    )


def _faithful(wanted: Wanted) -> bool:
    """Whether the text of a value says all of it: a rounded float and a cut time do not."""
    stored, common = wanted.stored, wanted.common
    if stored.family in ("float", "other") or common.name == ROUNDED:
        return False
    return stored.family != "timestamp" or stored.digits <= common.digits


def _examples(side: Side, keys: list[str]) -> tuple[tuple[tuple[str, ...], int], ...]:
    """The most frequent ones as text."""
    dialect = side.dialect
    texts = [exact(dialect, dialect.canonical(w)) for w in side.wanted[: side.keys]]
    listed = ", ".join(f"{text} AS x{i}" for i, text in enumerate(texts))
    inner = _grouped(side, listed, keys, ", ".join(["count(*) AS n", *keys]))
    ordered = f"SELECT n, {', '.join(shown(dialect, k) for k in keys)} FROM ({inner}) AS c ORDER BY n DESC, {', '.join(keys)}"
    rows = side.runner.fetch(f"{ordered} LIMIT {EXAMPLES}")
    return tuple((tuple(_text(part) for part in key), int(n)) for n, *key in rows)


def _grouped(side: Side, listed: str, keys: list[str], picked: str) -> str:
    where = f" WHERE {side.condition}" if side.condition else ""
    inner = f"SELECT {listed} FROM {side.relation}{where}"
    names = ", ".join(keys)
    return f"SELECT {picked} FROM ({inner}) AS b WHERE {present(keys)} GROUP BY {names} HAVING count(*) > 1"


def _text(part: str | bytes) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else part
