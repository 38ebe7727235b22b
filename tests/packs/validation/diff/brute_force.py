"""The difference of two lists of rows in plain Python, from its definition alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stores import Columns

from remit_packs.validation.diff import RowDiff, diff
from remit_packs.validation.diff.segments import Sizes
from remit_packs.validation.diff.tool import agreements
from remit_packs.validation.engines.base import Engine
from remit_packs.validation.sources import open_engine

Row = tuple[Any, ...]
TINY = Sizes(segments=3, factor=2, rows=0, chosen=10_000, block=2)
"""So small that a dozen rows are cut several times."""


def columns_of(types: dict[str, str], rows: Sequence[Row]) -> Columns:
    """Rows as columns."""
    return {name: (types[name], [row[i] for row in rows]) for i, name in enumerate(types)}


def compared(left: str, right: str, key: list[str], *, sizes: Sizes = TINY, **options: Any) -> RowDiff:
    """The diff of two locations."""
    with open_engine(left, beside=[right]) as source, open_engine(right, beside=[left]) as target:
        return of_engines(source, target, key, sizes=sizes, **options)


def of_engines(
    source: Engine, target: Engine, key: list[str], *, sizes: Sizes = TINY, **options: Any
) -> RowDiff:
    """The diff of two open tables."""
    decimals, ignore = options.pop("decimals", None), options.pop("ignore", [])
    columns = agreements(source, target, key, ignore=ignore, decimals=decimals)
    return diff(source, target, key=key, columns=columns, sizes=sizes, **options)


def summary(found: RowDiff) -> dict[str, Any]:
    """What both ways must agree on."""
    return {
        "rows": (found.source_rows, found.target_rows),
        "counts": (found.missing, found.extra, found.changed),
        "columns": found.changed_columns,
        "nulls": (found.source_null_keys, found.target_null_keys),
        "duplicates": [(d.keys, d.rows) for d in (found.source_duplicates, found.target_duplicates)],
        "kinds": sorted((row.kind, row.key, tuple(sorted(row.columns))) for row in found.differences),
    }


def expected(names: list[str], keys: int, source: Sequence[Row], target: Sequence[Row]) -> dict[str, Any]:
    """The same summary, by brute force."""
    sides = [[row for row in rows if None not in row[:keys]] for rows in (source, target)]
    counted = [Counter(row[:keys] for row in rows) for rows in sides]
    doubled = {key for counts in counted for key, n in counts.items() if n > 1}
    left, right = ({row[:keys]: row for row in rows if row[:keys] not in doubled} for rows in sides)
    kinds = [("missing", key, ()) for key in left.keys() - right.keys()]
    kinds += [("extra", key, ()) for key in right.keys() - left.keys()]
    columns: Counter[str] = Counter()
    for key in left.keys() & right.keys():
        differ = tuple(n for i, n in enumerate(names) if left[key][i] != right[key][i])
        columns.update(differ)
        kinds += [("changed", key, tuple(sorted(differ)))] if differ else []
    counts = Counter(kind for kind, _, _ in kinds)
    return {
        "rows": (len(source), len(target)),
        "counts": (counts["missing"], counts["extra"], counts["changed"]),
        "columns": dict(columns),
        "nulls": tuple(len(rows) - len(kept) for rows, kept in zip((source, target), sides, strict=True)),
        "duplicates": [
            (sum(n > 1 for n in c.values()), sum(n for n in c.values() if n > 1)) for c in counted
        ],
        "kinds": sorted((kind, tuple(map(str, key)), names) for kind, key, names in kinds),
    }
