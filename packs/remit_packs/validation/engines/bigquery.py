"""BigQuery's expressions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.engines.sql import SqlDialect


class BigQueryDialect(SqlDialect):
    """BigQuery's expressions."""

    name = "bigquery"

    def quote(self, name: str) -> str:
        """A column's or table's name in SQL."""
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def text_literal(self, text: str) -> str:
        """A text constant in SQL; backslashes escape there, and a text ends with its line."""
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\x00", "\\000") + "'"

    def bytes_literal(self, value: bytes) -> str:
        """Bytes in SQL."""
        return f"FROM_HEX('{value.hex()}')"

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        return f"{'TIMESTAMP' if value.tzinfo else 'DATETIME'} '{value.isoformat(sep=' ')}'"

    def number(self, value: str, stored: Kind, digits: int) -> str:
        """A number in fixed notation with so many decimals; a cast alone would drop zeros at the end."""
        return f"FORMAT('%.{digits}f', ROUND(CAST({value} AS BIGNUMERIC), {digits}))"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """A float, rounded from its shortest text."""
        text = self.number(f"CAST({value} AS STRING)", stored, digits)
        return f"REGEXP_REPLACE({text}, r'^-(0\\.?0*)$', r'\\1')"

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return f"FORMAT_DATE('%E4Y-%m-%d', {value})"

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        function = "FORMAT_TIMESTAMP" if stored.zoned else "FORMAT_DATETIME"
        zone = ", 'UTC'" if stored.zoned else ""
        text = f"{function}('%E4Y-%m-%dT%H:%M:%E6S', {value}{zone})"
        return f"SUBSTR({text}, 1, {20 + digits if digits else 19})"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"TO_HEX({value})"

    def length(self, text: str) -> str:
        """The number of characters, as text."""
        return f"CAST(CHAR_LENGTH({text}) AS STRING)"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"TO_HEX({algorithm.upper()}({text}))"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"CAST(CONCAT('0x', {digits}) AS INT64)"

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane over many rows."""
        return f"SUM(CAST({lane} AS BIGNUMERIC))"

    def summed(self, value: str, kind: Kind) -> str:
        """An exact sum, of floats a float."""
        return f"SUM({value})" if kind.family == "float" else f"SUM(CAST({value} AS BIGNUMERIC))"

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        if len(columns) == 1:
            return super().distinct(columns)
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        values = ", ".join(name for name, _ in columns)
        return f"COUNT(DISTINCT CASE WHEN {present} THEN TO_JSON_STRING(STRUCT({values})) END)"

    def characters(self, name: str, kind: Kind) -> str:
        """The number of characters of a value, of bytes their number."""
        return f"LENGTH({name})" if kind.family in ("string", "binary") else f"LENGTH(CAST({name} AS STRING))"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression."""
        whole = rf"\A(?:{pattern})\z"
        return f"REGEXP_CONTAINS(CAST({name} AS STRING), {self.literal(whole)})"

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"IS_NAN({name}) OR IS_INF({name})"

    def uuid(self, value: str, stored: Kind) -> str:
        """Lower-case with hyphens."""
        return f"LOWER(CAST({value} AS STRING))"
