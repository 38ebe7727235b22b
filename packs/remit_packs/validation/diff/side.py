"""One table of a diff: the SQL that says how its rows are keyed, compared, cut into segments and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from remit_packs.validation.agreement import Agreement
from remit_packs.validation.diff.native import comparable, has_native, hashable, prepare, row_hash, whole
from remit_packs.validation.diff.sql import as_whole, exact, once, remainder, shown
from remit_packs.validation.engines.base import Dialect, Engine, Filter, Wanted


class Side(Struct, frozen=True):
    """One side. Columns are numbered, those of the key first; `values` are what is compared.

    `native` says that values are the engine's own; else they are canonical texts. `runner` answers the queries: for a
    table that stands in one engine with the other, that is the engine of the source, so that both are one snapshot.
    """

    runner: Engine
    relation: str
    condition: str
    wanted: Sequence[Wanted]
    values: Sequence[str]
    keys: int
    native: bool
    whole_key: bool
    hashables: Sequence[str] = ()
    """Of native values, formats that make them `hashable`."""
    block: int = 1
    """So many whole keys that follow each other share a segment: what stands together is grouped faster."""

    @property
    def dialect(self) -> Dialect:
        """The SQL of whoever runs the queries."""
        return self.runner.dialect

    @property
    def names(self) -> list[str]:
        """What the carried columns are called where they are shown."""
        if self.native:
            return [self.dialect.quote(w.name) for w in self.wanted]
        return [f"c{i}" for i in range(len(self.wanted))]

    @property
    def displays(self) -> list[str]:
        """SQL over `names` for the texts that people see."""
        if self.native:
            return [shown(self.dialect, self.dialect.canonical(w)) for w in self.wanted]
        return [shown(self.dialect, name) for name in self.names]

    def refined(self, value: str) -> str:
        """A value in the form in which only equal ones are equal."""
        return value if self.native else exact(self.dialect, value)

    def segment(self, segments: int) -> str:
        """SQL over `x0`, `x1`, ... for the segment of a row: of its key, and the same on both sides; NULL for a NULL key."""
        keys = [f"x{i}" for i in range(self.keys)]
        if self.whole_key:
            value = keys[0] if self.native else as_whole(self.dialect, keys[0])
            return remainder(self.dialect, value if self.block == 1 else f"{value} // {self.block}", segments)
        if self.native:
            hashed = row_hash(self.dialect, keys)
        else:
            hashed = self.dialect.lanes(self.dialect.row_text(keys) if self.keys > 1 else keys[0], "md5")[0]
        return f"CASE WHEN {present(keys)} THEN {remainder(self.dialect, hashed, segments)} END"

    def checksum(self) -> str:
        """SQL over `x0`, `x1`, ... for a number that tells rows apart."""
        values = [f"x{i}" for i in range(len(self.values))]
        if self.native:
            return row_hash(self.dialect, self.hashed(range(len(values))))
        return self.dialect.lanes(self.dialect.row_text(values), "md5")[0]

    def hashed(self, picked: Iterable[int]) -> list[str]:
        """SQL over `x0`, `x1`, ... for what the engine's own hash takes."""
        return [self.hashables[i].format(f"x{i}") for i in picked]

    def values_query(self, picked: Sequence[int] | None = None) -> str:
        """The values as `x0`, `x1`, ..., all by default."""
        columns = range(len(self.values)) if picked is None else picked
        listed = ", ".join(f"{self.values[i]} AS x{i}" for i in columns)
        return self._from(listed)

    def rows_query(self, segments: int, chosen: Iterable[int] | None) -> str:
        """Rows without a NULL in their key, of the chosen segments (all for None): values `x` and `carried` columns."""
        listed = [f"{value} AS x{i}" for i, value in enumerate(self.values)]
        listed += [
            f"{self._column(i)} AS {name}" for i, name in enumerate(self.carried) if name.startswith("c")
        ]
        return f"SELECT * FROM ({self._from(', '.join(listed))}) AS a WHERE {self.chosen(segments, chosen)}"

    @property
    def carried(self) -> list[str]:
        """What `rows_query` calls the columns to show: a value that is the column itself is not carried twice."""
        same = [not self.native or value == self._column(i) for i, value in enumerate(self.values)]
        return [f"{'x' if known else 'c'}{i}" for i, known in enumerate(same)]

    def _column(self, i: int) -> str:
        return self.dialect.quote(self.wanted[i].name)

    def texts_query(self, segments: int, chosen: Iterable[int] | None) -> str:
        """Rows without a NULL in their key, of the chosen segments, as the texts that people see."""
        texts = ", ".join(shown(self.dialect, f"x{i}") for i in range(len(self.values)))
        query = once(self.dialect, self.values_query())
        return f"SELECT {texts} FROM ({query}) AS a WHERE {self.chosen(segments, chosen)}"

    def chosen(self, segments: int, chosen: Iterable[int] | None) -> str:
        """The condition over `x0`, `x1`, ... that a row has a key, in one of the chosen segments."""
        condition = present([f"x{i}" for i in range(self.keys)])
        if chosen is None:
            return condition
        return (
            f"{condition} AND {self.segment(segments)} IN ({', '.join(map(str, sorted(chosen))) or 'NULL'})"
        )

    def _from(self, listed: str) -> str:
        where = f" WHERE {self.condition}" if self.condition else ""
        return f"SELECT {listed} FROM {self.relation}{where}"


def present(keys: Sequence[str]) -> str:
    """The condition that no part of a key is NULL."""
    return " AND ".join(f"{key} IS NOT NULL" for key in keys)


def sides(
    source: Engine,
    target: Engine,
    key: Sequence[str],
    columns: Mapping[str, Agreement],
    filters: Sequence[Filter],
    block: int = 1,
) -> tuple[Side, Side]:
    """Both sides, native where one engine holds both and can; `block` is for whole keys in DuckDB."""
    names = [*key, *(name for name in columns if name not in key)]
    together = source.server == target.server
    for engine in (source,) if together else (source, target):
        prepare(engine)
    native = together and has_native(source)
    agreed = [columns[name] for name in names]
    whole_key = len(key) == 1 and all(whole(kind) for kind in (agreed[0].source, agreed[0].target))
    compared = (
        [comparable(source.dialect, n, a) for n, a in zip(names, agreed, strict=True)] if native else []
    )
    hashables = [hashable(source.dialect, n, a) for n, a in zip(names, agreed, strict=True)] if native else []
    made = []
    for which, engine in enumerate((source, target)):
        stored = [(a.source, a.target)[which] for a in agreed]
        wanted = [Wanted(n, s, a.common) for n, s, a in zip(names, stored, agreed, strict=True)]
        values = [pair[which] for pair in compared] or [engine.dialect.canonical(w) for w in wanted]
        made.append(
            Side(
                runner=source if together else engine,
                relation=engine.relation(wanted),
                condition=engine.dialect.where(filters),
                wanted=wanted,
                values=values,
                keys=len(key),
                native=native,
                whole_key=whole_key,
                hashables=hashables,
                block=block if native and whole_key and source.dialect.name == "duckdb" else 1,
            )
        )
    return made[0], made[1]
