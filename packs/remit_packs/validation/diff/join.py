"""One query that joins two sets of rows by key, counts what differs, and hands over the first rows that do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from remit_packs.validation.canonical import Kind
from remit_packs.validation.diff.result import Difference, RowDifference
from remit_packs.validation.diff.side import Side
from remit_packs.validation.diff.sql import as_decimal, as_text, exact, full_joins, materialized
from remit_packs.validation.engines.base import Dialect

_KINDS: dict[int, Difference] = {1: "missing", 2: "extra", 3: "changed"}


class Half(Struct, frozen=True):
    """One side of a join: a query for rows with values `x0`, ... and `carried` columns.

    `displays` are the texts to show, over carried columns that are called `names` there.
    """

    query: str
    carried: Sequence[str]
    names: Sequence[str]
    displays: Sequence[str]


class Joined(Struct, frozen=True):
    """What a join found: counts by kind, changed rows by number of the column, and the first rows."""

    counts: dict[Difference, int]
    changed: dict[int, int]
    rows: list[RowDifference]


class Join(Struct, frozen=True):
    """A join of two halves. `native` values sort and compare as they are, others are texts of these `kinds`."""

    dialect: Dialect
    source: Half
    target: Half
    columns: Sequence[str]
    kinds: Sequence[Kind]
    keys: int
    native: bool
    duplicates: bool
    limit: int

    def query(self) -> str:
        """The query. Its rows are told apart by their first column: 0 counts, 1 texts of the source, 2 of the target."""
        parts = [
            *self._halves(),
            f"d AS {materialized(self.dialect)}({self._differing()})",
            f"f AS ({self._first()})",
        ]
        answers = [self._counts(), self._texts(1, "s", self.source), self._texts(2, "t", self.target)]
        return f"WITH {', '.join(parts)} {' UNION ALL '.join(answers)}"

    def read(self, answer: Iterable[Sequence[Any]]) -> Joined:
        """The answer of the query."""
        counts: dict[Difference, int] = {"missing": 0, "extra": 0, "changed": 0}
        changed: dict[int, int] = {}
        texts: dict[int, dict[int, list[str | None]]] = {}
        sides: dict[int, Difference] = {}
        for part, number, side, *values in answer:
            if part:
                sides[int(number)] = _KINDS[side]
                texts.setdefault(int(number), {})[part] = [_text(value) for value in values]
                continue
            counts[_KINDS[side]] = int(values[0])
            if side == 3:
                found = {i: int(values[i] or 0) for i in range(self.keys, len(self.columns))}
                changed = {i: n for i, n in found.items() if n}
        return Joined(counts, changed, [self._row(sides[n], texts[n]) for n in sorted(texts)])

    def _row(self, kind: Difference, texts: dict[int, list[str | None]]) -> RowDifference:
        source, target = texts[1], texts[2]
        key = tuple(str(t) for t in (target if kind == "extra" else source)[: self.keys])
        if kind != "changed":
            return RowDifference(kind, key)
        pairs = {
            name: (source[i], target[i])
            for i, name in enumerate(self.columns)
            if i >= self.keys and source[i] != target[i]
        }
        return RowDifference(kind, key, pairs)

    def _halves(self) -> list[str]:
        """The common tables `s` and `t`, without the rows of duplicate keys."""
        if not self.duplicates:
            return [f"s AS ({self.source.query})", f"t AS ({self.target.query})"]
        keys = [f"k{i}" for i in range(self.keys)]
        doubled = " UNION ".join(
            f"SELECT {', '.join(keys)} FROM (SELECT {self._keys()} FROM {name}) AS g{name}"
            f" GROUP BY {', '.join(keys)} HAVING count(*) > 1"
            for name in ("s0", "t0")
        )
        same = " AND ".join(f"u.k{i} = {self._refined(f'a.x{i}')}" for i in range(self.keys))
        single = "SELECT * FROM {} AS a WHERE NOT EXISTS (SELECT 1 FROM u WHERE " + same + ")"
        return [
            f"s0 AS ({self.source.query})",
            f"t0 AS ({self.target.query})",
            f"u AS ({doubled})",
            f"s AS ({single.format('s0')})",
            f"t AS ({single.format('t0')})",
        ]

    def _keys(self) -> str:
        return ", ".join(f"{self._refined(f'x{i}')} AS k{i}" for i in range(self.keys))

    def _differing(self) -> str:
        """Rows that are on one side alone, or differ in a value."""
        width = range(len(self.columns))
        same = " AND ".join(
            f"{self._refined(f's.x{i}')} = {self._refined(f't.x{i}')}" for i in range(self.keys)
        )
        flags = {i: self._differ(i) for i in width if i >= self.keys}
        carried = [f"s.{name} AS s{i}" for i, name in enumerate(self.source.carried)]
        carried += [f"t.{name} AS t{i}" for i, name in enumerate(self.target.carried)]
        marked = [f"CASE WHEN {flag} THEN 1 ELSE 0 END AS d{i}" for i, flag in flags.items()]
        changed = "".join(f" OR {flag}" for flag in flags.values())
        if full_joins(self.dialect):
            side = "CASE WHEN t.x0 IS NULL THEN 1 WHEN s.x0 IS NULL THEN 2 ELSE 3 END AS side"
            keys = [f"coalesce(s.x{i}, t.x{i}) AS k{i}" for i in range(self.keys)]
            listed = ", ".join([side, *keys, *carried, *marked])
            return f"SELECT {listed} FROM s FULL JOIN t ON {same} WHERE s.x0 IS NULL OR t.x0 IS NULL{changed}"
        left = [
            "CASE WHEN t.x0 IS NULL THEN 1 ELSE 3 END AS side",
            *(f"s.x{i} AS k{i}" for i in range(self.keys)),
        ]
        right = ["2", *(f"t.x{i}" for i in range(self.keys)), *carried, *("0" for _ in marked)]
        return (
            f"SELECT {', '.join([*left, *carried, *marked])} FROM s LEFT JOIN t ON {same} WHERE t.x0 IS NULL{changed}"
            f" UNION ALL SELECT {', '.join(right)} FROM t LEFT JOIN s ON {same} WHERE s.x0 IS NULL"
        )

    def _differ(self, i: int) -> str:
        """Whether a value differs; never NULL where it counts."""
        mine, theirs = self._refined(f"s.x{i}"), self._refined(f"t.x{i}")
        return f"({mine} <> {theirs} OR (s.x{i} IS NULL) <> (t.x{i} IS NULL))"

    def _refined(self, value: str) -> str:
        return value if self.native else exact(self.dialect, value)

    def _first(self) -> str:
        ordered = ", ".join(part for i in range(self.keys) for part in self._order(i))
        inner = f"SELECT * FROM d ORDER BY {ordered} LIMIT {self.limit}"
        return f"SELECT e.*, row_number() OVER (ORDER BY {ordered}) AS rn FROM ({inner}) AS e"

    def _order(self, i: int) -> list[str]:
        value, kind = self._refined(f"k{i}"), self.kinds[i]
        return [as_decimal(self.dialect, f"k{i}", kind.digits), value] if kind.family == "number" else [value]

    def _counts(self) -> str:
        width = range(self.keys, len(self.columns))
        sums = ", ".join(["count(*) AS n", *(f"sum(d{i}) AS n{i}" for i in width)])
        numbers = [as_text(self.dialect, "n")]
        numbers += [as_text(self.dialect, "NULL")] * (self.keys - 1)
        numbers += [as_text(self.dialect, f"n{i}") for i in width]
        named = ", ".join(f"{number} AS y{i}" for i, number in enumerate(numbers))
        return (
            f"SELECT 0 AS part, 0 AS rn, side, {named} FROM (SELECT side, {sums} FROM d GROUP BY side) AS n"
        )

    def _texts(self, part: int, side: str, half: Half) -> str:
        named = ", ".join(f"{side}{i} AS {name}" for i, name in enumerate(half.names))
        inner = f"SELECT rn AS remit_rn, side AS remit_side, {named} FROM f"  # beside names that users chose
        return f"SELECT {part}, remit_rn, remit_side, {', '.join(half.displays)} FROM ({inner}) AS p{part}"


def half(side: Side, segments: int, chosen: frozenset[int] | None) -> Half:
    """The rows of a side that lie in the chosen segments, as half of a join in their own engine."""
    return Half(side.rows_query(segments, chosen), side.carried, side.names, side.displays)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="replace")
    return None if value is None else str(value)
