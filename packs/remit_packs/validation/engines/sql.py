"""What the SQL engines share: how a question becomes one query. An engine's own file holds what differs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from remit_packs.validation.canonical import LANE_DIGITS, LANES, HashFunction, Kind, digests
from remit_packs.validation.engines.base import Column, Digests, Filter, Measure, Wanted
from remit_packs.validation.engines.errors import no_column, senseless, unhashable
from remit_packs.validation.engines.values import constant

_FLIPPED = {"below": "<", "above": ">"}


class SqlDialect:
    """Expressions of plain SQL; engines override those that are different there."""

    name = "sql"
    max_digits = 38
    """The most decimals that a number may have here."""

    def __init__(self) -> None:
        self.kinds: Callable[[], Mapping[str, Kind]] = dict
        """The table's columns by name, asked for only when a condition needs them."""
        self.source = ""

    # names and constants

    def quote(self, name: str) -> str:
        """A column's or table's name in SQL, whatever characters it holds."""
        return '"' + name.replace('"', '""') + '"'

    def text_literal(self, text: str) -> str:
        """A text constant in SQL."""
        return "'" + text.replace("'", "''") + "'"

    def literal(self, value: Any) -> str:
        """A constant in SQL, safely."""
        match value:
            case None:
                return "NULL"
            case bool():
                return "TRUE" if value else "FALSE"
            case int() | Decimal():
                return f"{value:f}"
            case float():
                return f"{Decimal(repr(value)):f}"
            case bytes():
                return self.bytes_literal(value)
            case dt.datetime():
                return self.timestamp_literal(value)
            case dt.date():
                return f"DATE '{value.isoformat()}'"
            case _:
                return self.text_literal(str(value))

    def bytes_literal(self, value: bytes) -> str:
        """Bytes in SQL."""
        return f"X'{value.hex()}'"

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"

    # canonical text

    def canonical(self, column: Wanted) -> str:
        """SQL for the canonical text of a column; NULL has none. A value that does not fit its type is an error."""
        value, stored, common = self.quote(column.name), column.stored, column.common
        match common.family:
            case "number":
                return self._number(value, stored, common.digits)
            case "boolean":
                return self.boolean(value, stored)
            case "date":
                return self.date(value, stored)
            case "timestamp":
                return self.timestamp(value, stored, common.digits)
            case "uuid":
                return self.uuid(value, stored)
            case "binary":
                return self.binary(value, stored)
            case "string":
                return self.string(value, stored)
            case _:
                raise unhashable(self.source, f"column `{column.name}` is `{stored.name or stored.family}`")

    def _number(self, value: str, stored: Kind, digits: int) -> str:
        if digits > self.max_digits:
            raise unhashable(self.source, f"numbers have at most {self.max_digits} decimals there")
        return (
            self.rounded(value, stored, digits)
            if stored.family == "float"
            else self.number(value, stored, digits)
        )

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals."""
        return f"CAST(CAST({value} AS decimal(38,{digits})) AS varchar)"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float: its shortest text that reads back the same, rounded half away from zero."""
        return self.number(f"CAST({value} AS varchar)", stored, digits)

    def boolean(self, value: str, stored: Kind) -> str:
        """`1` or `0`."""
        return f"CASE WHEN {value} THEN '1' WHEN NOT {value} THEN '0' END"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        raise NotImplementedError

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second cut off, not rounded."""
        raise NotImplementedError

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"lower(CAST({value} AS varchar))"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        raise NotImplementedError

    def string(self, value: str, stored: Kind) -> str:
        """As it is."""
        return value

    def length(self, text: str) -> str:
        """The number of characters, as text."""
        return f"CAST(length({text}) AS varchar)"

    def row_text(self, texts: Sequence[str]) -> str:
        """SQL for the text of a row over canonical texts: `-` for NULL, else `length:text`, concatenated."""
        parts = [f"CASE WHEN {t} IS NULL THEN '-' ELSE {self.length(t)} || ':' || {t} END" for t in texts]
        return " || ".join(parts) or "''"

    # hashes

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"{algorithm}({text})"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        raise NotImplementedError

    def lanes(self, text: str, algorithm: HashFunction) -> list[str]:
        """SQL for the lanes (60-bit integers) of the hash of a text."""
        hashed = self.hashed(text, algorithm)
        starts = range(1, 1 + LANES[algorithm] * LANE_DIGITS, LANE_DIGITS)
        return [self.lane(f"substr({hashed}, {start}, {LANE_DIGITS})") for start in starts]

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane over many rows."""
        return f"sum({lane})"

    # conditions

    def where(self, filters: Sequence[Filter]) -> str:
        """SQL of all conditions joined with AND; empty for none."""
        return " AND ".join(f"({self._condition(f)})" for f in filters)

    def kind(self, column: str) -> Kind:
        """How a column is stored. Raises SourceError E565 for one that is not there."""
        kinds = self.kinds()
        if column not in kinds:
            raise no_column(self.source, column, kinds)
        return kinds[column]

    def _condition(self, given: Filter) -> str:
        kind, name = self.kind(given.column), self.quote(given.column)
        if given.op in ("is_null", "not_null"):
            return f"{name} IS {'' if given.op == 'is_null' else 'NOT '}NULL"
        if given.op == "in":
            if not isinstance(given.value, list):
                raise senseless(f"the filter of column `{given.column}` needs a list for `in`")
            return self.among(name, kind, [self._constant(v, kind, given.column) for v in given.value])
        operator = "<>" if given.op == "!=" else given.op
        return self.compared(name, kind, operator, self._constant(given.value, kind, given.column))

    def _constant(self, value: Any, kind: Kind, column: str) -> str:
        return self.constant(constant(value, kind, column), kind)

    def constant(self, value: Any, kind: Kind) -> str:
        """A constant in the form in which `comparable` brings the column."""
        return self.literal(value)

    def comparable(self, name: str, kind: Kind) -> str:
        """A column in the form in which it compares and sorts: numbers exact, text by its bytes."""
        return name

    def compared(self, name: str, kind: Kind, operator: str, value: str) -> str:
        """A comparison of a column with a constant."""
        return f"{self.comparable(name, kind)} {operator} {value}"

    def among(self, name: str, kind: Kind, values: Sequence[str]) -> str:
        """Whether a column is one of these constants; never for none."""
        return f"{self.comparable(name, kind)} IN ({', '.join(values)})" if values else "1 = 0"

    # aggregates

    def measure(self, asked: Measure) -> list[str]:
        """The SQL of one aggregate: one expression, or two (sum and count) for an average."""
        if asked.name == "count":
            return ["count(*)"]
        if asked.name == "distinct":
            return [self.distinct([(self.quote(c), self.kind(c)) for c in asked.columns or [asked.column]])]
        kind, name = self.kind(asked.column), self.quote(asked.column)
        value = self.comparable(name, kind)
        match asked.name:
            case "nulls":
                return [f"count(*) - count({name})"]
            case "min" | "max":
                return [self.extreme(asked.name, value, kind)]
            case "sum" | "avg":
                _numeric(asked, kind)
                return [self.summed(value, kind), *([f"count({name})"] if asked.name == "avg" else [])]
            case "max_length":
                return [f"max({self.characters(name, kind)})"]
            case "below" | "above":
                limit = self._constant(asked.value, kind, asked.column)
                test = self.compared(name, kind, _FLIPPED[asked.name], limit)
                return [self.counted(self.finite(test, name) if kind.family == "float" else test)]
            case "not_in":
                known = [self._constant(v, kind, asked.column) for v in asked.values]
                return [self.counted(f"{name} IS NOT NULL AND NOT ({self.among(name, kind, known)})")]
            case "not_matching":
                return [
                    self.counted(f"{name} IS NOT NULL AND NOT ({self.matching(name, kind, asked.pattern)})")
                ]
            case "not_finite":
                return [self.counted(self.not_finite(name)) if kind.family == "float" else "0 * count(*)"]

    def counted(self, test: str) -> str:
        """The number of rows for which the test holds."""
        return f"count(CASE WHEN {test} THEN 1 END)"

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        if len(columns) == 1:
            return f"count(DISTINCT {self.comparable(*columns[0])})"
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        values = ", ".join(self.comparable(*column) for column in columns)
        return f"count(DISTINCT CASE WHEN {present} THEN ({values}) END)"

    def extreme(self, which: str, value: str, kind: Kind) -> str:
        """The smallest or largest value."""
        return f"{which}({value})"

    def summed(self, value: str, kind: Kind) -> str:
        """An exact sum, of floats a float."""
        return f"sum({value})"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value."""
        return f"length(CAST({name} AS varchar))" if kind.family != "string" else f"length({name})"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        raise NotImplementedError

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"CAST({name} AS varchar) IN ('NaN', 'Infinity', '-Infinity')"

    def finite(self, test: str, name: str) -> str:
        """A test that also holds only for finite floats."""
        return f"{test} AND NOT ({self.not_finite(name)})"


def _numeric(asked: Measure, kind: Kind) -> None:
    if kind.family not in ("number", "float"):
        raise senseless(f"column `{asked.column}` is `{kind.name or kind.family}`, which has no {asked.name}")


class SqlEngine:
    """One open table. A subclass connects, describes the columns, and runs queries."""

    dialect: SqlDialect
    server: str
    source: str

    def __init__(self, dialect: SqlDialect, server: str, source: str) -> None:
        self.dialect, self.server, self.source = dialect, server, source
        self._known: list[Column] | None = None
        dialect.kinds, dialect.source = self._kinds, source

    def columns(self) -> list[Column]:
        """The columns in order."""
        if self._known is None:
            self._known = self._describe()
        return self._known

    def count(self, filters: Sequence[Filter] = ()) -> int:
        """The number of rows."""
        return int(self._only(f"SELECT count(*) FROM {self.relation()}{self._where(filters)}")[0])

    def digests(
        self, columns: Sequence[Wanted], algorithm: HashFunction, filters: Sequence[Filter] = ()
    ) -> Digests:
        """colhash/1 of each column and of the rows, in one pass."""
        self._need([c.name for c in columns])
        row = self._only(self._digests_query(columns, algorithm, filters))
        *found, rows = digests(row, len(columns) + 1, algorithm)
        return Digests(int(row[0]), found, rows)

    def measures(self, measures: Sequence[Measure], filters: Sequence[Filter] = ()) -> list[Any]:
        """The aggregates in order, in one pass; numbers exact."""
        if not measures:
            return []
        asked = [self.dialect.measure(m) for m in measures]
        picked = ", ".join(part for parts in asked for part in parts)
        row = list(self._only(f"SELECT {picked} FROM {self.relation()}{self._where(filters)}"))
        found = []
        for measure, parts in zip(measures, asked, strict=True):
            values, row = row[: len(parts)], row[len(parts) :]
            found.append(self._measured(measure, values))
        return found

    def _measured(self, measure: Measure, values: Sequence[Any]) -> Any:
        """What an aggregate answered, as the same Python value on every engine."""
        if measure.name in ("min", "max", "sum", "avg"):
            kind = self.dialect.kind(measure.column)
            total = plain(values[0], kind)
            return _average(total, values[1]) if measure.name == "avg" else total
        return plain(values[0], Kind("number"))

    def _digests_query(
        self, columns: Sequence[Wanted], algorithm: HashFunction, filters: Sequence[Filter]
    ) -> str:
        dialect = self.dialect
        texts = [f"t{i}" for i in range(len(columns))]
        inner = ", ".join(f"{dialect.canonical(c)} AS {t}" for c, t in zip(columns, texts, strict=True))
        source = f"SELECT {inner or '1 AS one'} FROM {self.relation(columns)}{self._where(filters)}"
        named = ", ".join([*texts, f"{dialect.row_text(texts)} AS r"])
        sums = ["count(*)"]
        for text in [*texts, "r"]:
            sums.append(f"count({text})")
            sums += [dialect.total(lane) for lane in dialect.lanes(text, algorithm)]
        return f"SELECT {', '.join(sums)} FROM (SELECT {named} FROM ({self._fenced(source)}) AS a) AS b"

    def _fenced(self, query: str) -> str:
        """A query whose expressions are computed once, for planners that would paste them into every use."""
        return query

    def _where(self, filters: Sequence[Filter]) -> str:
        condition = self.dialect.where(filters)
        return f" WHERE {condition}" if condition else ""

    def _need(self, names: Sequence[str]) -> None:
        known = self._kinds()
        for name in names:
            if name not in known:
                raise no_column(self.source, name, known)

    def _kinds(self) -> dict[str, Kind]:
        return {column.name: column.kind for column in self.columns()}

    def _only(self, sql: str) -> tuple[Any, ...]:
        return self.fetch(sql)[0]

    # what an engine adds

    def _describe(self) -> list[Column]:
        raise NotImplementedError

    def relation(self, columns: Sequence[Wanted] = ()) -> str:
        """What goes after FROM so that these columns can be read."""
        raise NotImplementedError

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """A small answer of a query of this engine's dialect, read-only."""
        raise NotImplementedError

    def stream(self, sql: str, batch: int = 50_000) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of a large answer in batches, without holding them all."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _average(total: Any, count: Any) -> Any:
    """Computed here, so that exact numbers have the same average on every engine."""
    if not int(count):
        return None
    return (
        total / int(count) if isinstance(total, float) else plain(Decimal(total) / int(count), Kind("number"))
    )


def plain(value: Any, kind: Kind) -> Any:
    """A value of a column as every engine shall give it: whole numbers as int, others as Decimal, times in UTC."""
    if value is None:
        return None
    match kind.family:
        case "number":
            number = value if isinstance(value, Decimal) else Decimal(str(value))
            return int(number) if number.is_finite() and number == number.to_integral_value() else number
        case "float":
            return float(value)
        case "boolean":
            return str(value).lower() in ("1", "true")
        case "date":
            return dt.date.fromisoformat(value[:10]) if isinstance(value, str) else value
        case "timestamp":
            moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
            return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
        case "binary":
            return bytes(value).hex() if isinstance(value, bytes | bytearray | memoryview) else str(value)
        case _:
            return value.decode() if isinstance(value, bytes | bytearray) else str(value)
