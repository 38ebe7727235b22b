"""`columns_equal`: which columns hold the same values on both sides, whatever the order of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from remit_packs.validation.agreement import Agreement
from remit_packs.validation.diff.native import row_hash
from remit_packs.validation.diff.segments import both
from remit_packs.validation.diff.side import Side, sides
from remit_packs.validation.engines.base import Engine, Filter, Wanted


def columns_equal(
    source: Engine, target: Engine, columns: Mapping[str, Agreement], filters: Sequence[Filter] = ()
) -> dict[str, bool]:
    """Of each column whether both sides hold the same values as often, as their colhash/1 digests would say.

    Where one engine holds both sides its own hash decides, which is many times faster than a digest that is kept.
    Raises SourceError.
    """
    if not columns:
        return {}
    left, right = sides(source, target, [], columns, filters)
    if not left.native:
        return _by_digest(source, target, columns, filters)
    (rows, *mine), (others, *theirs) = both(left, right, _sums)
    return {name: rows == others and mine[i] == theirs[i] for i, name in enumerate(columns)}


def _sums(side: Side) -> list[tuple[int, int] | int]:
    """The number of rows, and of each column its non-null values and the sum of all hashes, in which NULLs are alike."""
    dialect = side.dialect
    picked = ["count(*)"]
    for i in range(len(side.values)):
        picked += [f"count(x{i})", dialect.total(row_hash(dialect, side.hashed([i])))]
    (row,) = side.runner.fetch(f"SELECT {', '.join(picked)} FROM ({side.values_query()}) AS a")
    numbers = [int(value or 0) for value in row]
    return [numbers[0], *zip(numbers[1::2], numbers[2::2], strict=True)]


def _by_digest(
    source: Engine, target: Engine, columns: Mapping[str, Agreement], filters: Sequence[Filter]
) -> dict[str, bool]:
    left = [Wanted(name, a.source, a.common) for name, a in columns.items()]
    right = [Wanted(name, a.target, a.common) for name, a in columns.items()]
    mine, theirs = source.digests(left, "md5", filters), target.digests(right, "md5", filters)
    pairs = zip(columns, mine.columns, theirs.columns, strict=True)
    return {name: a.hash == b.hash for name, a, b in pairs}
