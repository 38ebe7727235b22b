"""`diff`: exactly which rows of two tables differ, by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from remit.sdk import InputError
from remit_packs.validation.agreement import Agreement
from remit_packs.validation.diff.duplicates import duplicates
from remit_packs.validation.diff.join import Join, Joined, half
from remit_packs.validation.diff.result import RowDiff
from remit_packs.validation.diff.scratch import BATCH, Scratch
from remit_packs.validation.diff.segments import Segments, Sizes, both, narrow
from remit_packs.validation.diff.side import Side, sides
from remit_packs.validation.engines.base import Engine, Filter
from remit_packs.validation.engines.errors import unreadable

Progress = Callable[[str], None]


def diff(
    source: Engine,
    target: Engine,
    *,
    key: Sequence[str],
    columns: Mapping[str, Agreement],
    filters: Sequence[Filter] = (),
    limit: int = 1000,
    progress: Progress | None = None,
    sizes: Sizes = Sizes(),
) -> RowDiff:
    """The rows that are missing, extra or changed, and the first `limit` of them in the order of the key.

    `columns` are the columns to compare with the types both sides agreed on; those of `key` must be among them.
    Rows leave an engine only from segments of keys that differ; two tables in one engine are joined there.
    Raises InputError E580 for a key that is empty or not among the columns, and SourceError for what cannot be read.
    """
    _check(key, columns, limit)
    tell = progress or (lambda what: None)
    left, right = sides(source, target, key, columns, filters, sizes.block)
    tell("looking for segments of keys that differ")
    found = narrow(left, right, sizes)
    tell("looking for duplicate keys")
    doubled = both(left, right, duplicates)
    join = _join(left, right, found, bool(doubled[0].keys or doubled[1].keys), limit, tell)
    if found.chosen != frozenset() and not any(join.counts.values()) and not any(d.keys for d in doubled):
        raise unreadable(target.source, "the tables changed while they were compared")
    names = [wanted.name for wanted in left.wanted]
    return RowDiff(
        key=tuple(key),
        columns=tuple(names[len(key) :]),
        source_rows=found.source_rows,
        target_rows=found.target_rows,
        missing=join.counts["missing"],
        extra=join.counts["extra"],
        changed=join.counts["changed"],
        changed_columns={names[i]: n for i, n in join.changed.items()},
        source_null_keys=found.source_null_keys,
        target_null_keys=found.target_null_keys,
        source_duplicates=doubled[0],
        target_duplicates=doubled[1],
        differences=tuple(join.rows),
        way="joined" if left.runner is right.runner else "segments",
    )


def _check(key: Sequence[str], columns: Mapping[str, Agreement], limit: int) -> None:
    if not key or len(set(key)) != len(key):
        raise InputError(
            "`key` names no column, or one twice", code="E580", help="name the columns that tell rows apart"
        )
    for name in key:
        if name not in columns:
            raise InputError(
                f"key column `{name}` is not among the compared columns",
                code="E580",
                help="name columns that both tables have with types that can be compared",
            )
    if limit < 1:
        raise InputError(f"`limit` is {limit}", code="E581", help="give 1 or more")


def _join(left: Side, right: Side, found: Segments, doubled: bool, limit: int, tell: Progress) -> Joined:
    if found.chosen is not None and not found.chosen:
        return Joined({"missing": 0, "extra": 0, "changed": 0}, {}, [])
    together = left.runner is right.runner
    tell(f"comparing the rows of {'all' if found.chosen is None else f'{len(found.chosen):,}'} segments")

    def made(source: Any, target: Any) -> Join:
        return Join(
            dialect=left.dialect if together else Scratch.dialect,
            source=source,
            target=target,
            columns=[w.name for w in left.wanted],
            kinds=[w.common for w in left.wanted],
            keys=left.keys,
            native=left.native,
            duplicates=doubled,
            limit=limit,
        )

    if together:
        join = made(*(half(side, found.segments, found.chosen) for side in (left, right)))
        return join.read(left.runner.fetch(join.query()))
    with Scratch() as scratch:
        halves = [
            scratch.fill(name, len(side.wanted), _texts(side, found))
            for name, side in (("source_rows", left), ("target_rows", right))
        ]
        return scratch.run(made(*halves))


def _texts(side: Side, found: Segments) -> Iterator[list[tuple[Any, ...]]]:
    return side.runner.stream(side.texts_query(found.segments, found.chosen), BATCH)
