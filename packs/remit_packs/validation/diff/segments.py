"""Which segments of the keys differ: one pass over each side, and further ones only over segments that are still big.

A segment is the remainder of the key (or of its hash). Its checksum is its number of rows and the sum of their hashes,
so rows that were swapped, doubled or changed show; a change goes unseen with a chance of about 1 in 2^60.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from remit_packs.validation.diff.side import Side
from remit_packs.validation.diff.sql import halves, once, unites

T = TypeVar("T")
NATIVE_ROWS = 8
Checksums = dict[int | None, tuple[int, int]]


class Sizes(Struct, frozen=True):
    """How finely is cut. `segments` at first, each into `factor` more while more than `rows` would have to be looked at
    (`NATIVE_ROWS` times as many where one engine joins them).

    Primes, so that keys which are all multiples of something spread too.
    """

    segments: int = 65_521
    factor: int = 127
    rows: int = 1_000_000
    chosen: int = 20_000


class Segments(Struct, frozen=True):
    """What narrowing found. `chosen` are the segments that differ, None when it is better to look at all rows."""

    segments: int
    chosen: frozenset[int] | None
    source_rows: int
    target_rows: int
    source_null_keys: int
    target_null_keys: int


def narrow(source: Side, target: Side, sizes: Sizes) -> Segments:
    """The segments that differ."""
    segments = sizes.segments
    mine, theirs = _sums(source, target, segments, None)
    nulls = [side.pop(None, (0, 0))[0] for side in (mine, theirs)]
    totals = [sum(rows for rows, _ in side.values()) for side in (mine, theirs)]
    all_segments = len(mine.keys() | theirs.keys())
    chosen = _differing(mine, theirs)
    rows = _rows(mine, theirs, chosen)
    many = 2 * len(chosen) > all_segments
    bearable = sizes.rows * (NATIVE_ROWS if source.native else 1)
    while not many and bearable < rows and len(chosen) * sizes.factor <= 1_000_000:
        mine, theirs = _sums(source, target, segments * sizes.factor, (segments, chosen))
        finer = _differing(mine, theirs)
        left = _rows(mine, theirs, finer)
        if len(finer) > sizes.chosen or 2 * left > rows:
            break
        segments, chosen, rows = segments * sizes.factor, finer, left
    picked = None if many or len(chosen) > sizes.chosen else frozenset(chosen)
    return Segments(segments, picked, totals[0] + nulls[0], totals[1] + nulls[1], nulls[0], nulls[1])


def both(source: Side, target: Side, question: Callable[[Side], T]) -> tuple[T, T]:
    """Ask both sides: at once where two engines answer, else one after the other."""
    if source.runner is target.runner:
        return question(source), question(target)
    with ThreadPoolExecutor(2, "remit-diff") as pool:
        first, second = pool.submit(question, source), pool.submit(question, target)
        return first.result(), second.result()


def _sums(
    source: Side, target: Side, segments: int, within: tuple[int, Iterable[int]] | None
) -> tuple[Checksums, Checksums]:
    """Of both sides the rows and summed hashes of each segment; rows with a NULL key under None."""
    if source.runner is not target.runner or not unites(source.dialect):
        return both(source, target, lambda side: _checksums(side, segments, within))
    sides = (_hashed(side, segments, within) for side in (source, target))
    inner = " UNION ALL ".join(
        f"SELECT {i} AS side, u{i}.* FROM ({side}) AS u{i}" for i, side in enumerate(sides)
    )
    found: tuple[Checksums, Checksums] = ({}, {})
    for side, segment, *numbers in source.runner.fetch(_grouped(source, inner, "side, seg")):
        found[int(side)][_number(segment)] = _sum(numbers)
    return found


def _checksums(side: Side, segments: int, within: tuple[int, Iterable[int]] | None) -> Checksums:
    answer = side.runner.fetch(_grouped(side, _hashed(side, segments, within), "seg"))
    return {_number(segment): _sum(numbers) for segment, *numbers in answer}


def _hashed(side: Side, segments: int, within: tuple[int, Iterable[int]] | None) -> str:
    """A query for the segment and the hash of every row."""
    values = side.values_query() if side.native else once(side.dialect, side.values_query())
    where = f" WHERE {side.chosen(*within)}" if within else ""
    return f"SELECT {side.segment(segments)} AS seg, {side.checksum()} AS h FROM ({values}) AS a{where}"


def _grouped(side: Side, inner: str, by: str) -> str:
    return f"SELECT {by}, count(*), {', '.join(halves(side.dialect, 'h'))} FROM ({inner}) AS b GROUP BY {by}"


def _number(segment: int | None) -> int | None:
    return None if segment is None else int(segment)


def _sum(numbers: Sequence[int | str | Decimal | None]) -> tuple[int, int]:
    rows, *sums = (int(number or 0) for number in numbers)
    return rows, sums[0] if len(sums) == 1 else (sums[0] << 32) + sums[1] + (rows << 31)


def _differing(mine: Checksums, theirs: Checksums) -> set[int]:
    return {s for s in mine.keys() | theirs.keys() if s is not None and mine.get(s) != theirs.get(s)}


def _rows(mine: Checksums, theirs: Checksums, chosen: set[int]) -> int:
    return sum(side.get(segment, (0, 0))[0] for segment in chosen for side in (mine, theirs))
