"""Which segments of the keys differ: one pass over each side, and further ones only over segments that are still big.

A segment is the remainder of the key (or of its hash). Its checksum is its number of rows and the sum of their hashes,
so rows that were swapped, doubled or changed show; a change goes unseen with a chance of about 1 in 2^60.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from remit_packs.validation.diff.side import Side
from remit_packs.validation.diff.sql import compares, halves, once, unites

T = TypeVar("T")
NATIVE_ROWS = 2
"""Where one engine joins, it may look at so many times as many rows and segments as would leave an engine."""
_INSIDE, _BETWEEN = 262_139, 65_521
_GROUPS = 1_000_000
Checksums = dict[int | None, tuple[int, int]]
Within = tuple[int, frozenset[int]] | None


class Sizes(Struct, frozen=True):
    """How finely is cut. `segments` at first (None: as many as suit the engine), each into `factor` more while more than
    `rows` would have to be looked at (`NATIVE_ROWS` times as many where one engine joins them).

    Primes, so that keys which are all multiples of something spread too. `block` neighbouring whole keys stay together
    in DuckDB, which groups what stands together faster.
    """

    segments: int | None = None
    factor: int = 31
    rows: int = 1_000_000
    chosen: int = 20_000
    block: int = 16


class Segments(Struct, frozen=True):
    """What narrowing found. `chosen` are the segments that differ, None when it is better to look at all rows."""

    segments: int
    chosen: frozenset[int] | None
    source_rows: int
    target_rows: int
    source_null_keys: int
    target_null_keys: int


class Pass(Struct, frozen=True):
    """What one pass over both sides found: the rows of each, those with a NULL key, and the number of segments.

    `differing` segments hold `rows` rows and are named in `chosen`, unless they are more than was asked for.
    """

    sides: tuple[int, int]
    nulls: tuple[int, int]
    segments: int
    differing: int
    rows: int
    chosen: frozenset[int]


def narrow(source: Side, target: Side, sizes: Sizes) -> Segments:
    """The segments that differ."""
    times = NATIVE_ROWS if source.native else 1
    bearable, most = times * sizes.rows, times * sizes.chosen
    segments = sizes.segments or (_INSIDE if compares(source.dialect) and source.native else _BETWEEN)
    first = found = _pass(source, target, segments, None, most)
    many = 2 * first.differing > first.segments
    while not many and bearable < found.rows and 0 < len(found.chosen) * sizes.factor <= _GROUPS:
        finer = _pass(source, target, segments * sizes.factor, (segments, found.chosen), most)
        if finer.differing > most or 2 * finer.rows > found.rows:
            break
        segments, found = segments * sizes.factor, finer
    picked = None if many or found.differing > most else found.chosen
    return Segments(segments, picked, *first.sides, *first.nulls)


def both(source: Side, target: Side, question: Callable[[Side], T]) -> tuple[T, T]:
    """Ask both sides: at once where two engines answer, else one after the other."""
    if source.runner is target.runner:
        return question(source), question(target)
    with ThreadPoolExecutor(2, "remit-diff") as pool:
        first, second = pool.submit(question, source), pool.submit(question, target)
        return first.result(), second.result()


def _pass(source: Side, target: Side, segments: int, within: Within, most: int) -> Pass:
    """Both sides, cut so finely; at most so many segments are named."""
    if source.native and compares(source.dialect):
        return _compared(source, target, segments, within, most)
    mine, theirs = _sums(source, target, segments, within)
    nulls = mine.pop(None, (0, 0))[0], theirs.pop(None, (0, 0))[0]
    sides = tuple(sum(rows for rows, _ in side.values()) for side in (mine, theirs))
    chosen = {s for s in mine.keys() | theirs.keys() if s is not None and mine.get(s) != theirs.get(s)}
    rows = sum(side.get(segment, (0, 0))[0] for segment in chosen for side in (mine, theirs))
    return Pass(
        sides=(sides[0] + nulls[0], sides[1] + nulls[1]),
        nulls=nulls,
        segments=len(mine.keys() | theirs.keys()),
        differing=len(chosen),
        rows=rows,
        chosen=frozenset(chosen if len(chosen) <= most else ()),
    )


def _compared(source: Side, target: Side, segments: int, within: Within, most: int) -> Pass:
    """The same by one query, out of which come only the segments that differ."""
    grouped = [_grouped(side, _hashed(side, segments, within), "seg") for side in (source, target)]
    both_sides = (
        "SELECT coalesce(a.seg, b.seg) AS seg, coalesce(a.n, 0) AS n, coalesce(b.n, 0) AS m,"
        " a.n IS DISTINCT FROM b.n OR a.h IS DISTINCT FROM b.h AS differs"
        f" FROM ({grouped[0]}) AS a(seg, n, h) FULL JOIN ({grouped[1]}) AS b(seg, n, h) ON a.seg = b.seg"
    )
    of_a_key = "FILTER (WHERE seg IS NOT NULL AND differs)"
    numbers = (
        "sum(n) AS n, sum(m) AS m, sum(n) FILTER (WHERE seg IS NULL) AS nn, sum(m) FILTER (WHERE seg IS NULL) AS mn,"
        f" count(seg) AS s, count(*) {of_a_key} AS d, sum(n + m) {of_a_key} AS r, list(seg) {of_a_key} AS l"
    )
    query = f"SELECT n, m, nn, mn, s, d, r, CASE WHEN d <= {most} THEN l END FROM (SELECT {numbers} FROM ({both_sides}) AS c) AS e"
    (row,) = source.runner.fetch(query)
    n, m, nn, mn, all_segments, differing, rows = (int(number or 0) for number in row[:7])
    return Pass((n, m), (nn, mn), all_segments, differing, rows, frozenset(row[7] or ()))


def _sums(source: Side, target: Side, segments: int, within: Within) -> tuple[Checksums, Checksums]:
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


def _checksums(side: Side, segments: int, within: Within) -> Checksums:
    answer = side.runner.fetch(_grouped(side, _hashed(side, segments, within), "seg"))
    return {_number(segment): _sum(numbers) for segment, *numbers in answer}


def _hashed(side: Side, segments: int, within: Within) -> str:
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
