"""Trino's expressions, which are Athena's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.engines.sql import SqlDialect


class TrinoDialect(SqlDialect):
    """Trino's expressions."""

    name = "trino"

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        zone = " UTC" if value.tzinfo else ""
        return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ')}{zone}'"

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals."""
        return f"CAST(CAST({value} AS decimal(38,{digits})) AS varchar)"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        return f"CAST(CAST(CAST(CAST({value} AS double) AS varchar) AS decimal(38,{digits})) AS varchar)"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return _in_range(value, "DATE '0001-01-01'", "DATE '9999-12-31'", f"CAST({value} AS varchar)")

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        if stored.zoned:
            value = f"at_timezone({value}, 'UTC')"
        exact = f"CAST({value} AS timestamp(6))"
        text = f"substr(replace(CAST({exact} AS varchar), ' ', 'T'), 1, {20 + digits if digits else 19})"
        first, last = "TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
        return _in_range(exact, first, last, text)

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"lower(to_hex({value}))"

    def string(self, value: str, stored: Kind) -> str:
        """As it is."""
        return f"CAST({value} AS varchar)"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"lower(to_hex({algorithm}(to_utf8({text}))))"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"from_base({digits}, 16)"

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane over many rows."""
        return f"sum(CAST({lane} AS decimal(38,0)))"

    def summed(self, value: str, kind: Kind) -> str:
        """An exact sum, of floats a float."""
        return (
            f"sum({value})" if kind.family == "float" else f"sum(CAST({value} AS decimal(38,{kind.digits})))"
        )

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        if len(columns) == 1:
            return super().distinct(columns)
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        return f"count(DISTINCT CASE WHEN {present} THEN ROW({', '.join(name for name, _ in columns)}) END)"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        return (
            f"length({name})" if kind.family in ("string", "binary") else f"length(CAST({name} AS varchar))"
        )

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        whole = rf"\A(?:{pattern})\z"
        return f"regexp_like(CAST({name} AS varchar), {self.literal(whole)})"

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"NOT is_finite({name})"


def _in_range(value: str, first: str, last: str, text: str) -> str:
    """SQL that lets only the years 1 to 9999 through: others have no four digits."""
    message = f"concat('`', CAST({value} AS varchar), '` is not between the years 1 and 9999')"
    complaint = f"CAST(CAST({message} AS integer) AS varchar)"
    return f"CASE WHEN {value} BETWEEN {first} AND {last} THEN {text} WHEN {value} IS NOT NULL THEN {complaint} END"
