"""Snowflake's expressions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from remit_packs.validation.canonical import LANE_DIGITS, HashFunction, Kind
from remit_packs.validation.engines.errors import unhashable
from remit_packs.validation.engines.sql import SqlDialect


class SnowflakeDialect(SqlDialect):
    """Snowflake's expressions. The text of a FLOAT has 15 digits there, so floats are refused rather than compared wrongly."""

    name = "snowflake"
    max_digits = 37

    def text_literal(self, text: str) -> str:
        """A text constant in SQL; backslashes escape there."""
        return super().text_literal(text.replace("\\", "\\\\"))

    def timestamp_literal(self, value: dt.datetime) -> str:
        """A time in SQL, with its zone if it has one."""
        return f"'{value.isoformat(sep=' ')}'::timestamp_{'tz' if value.tzinfo else 'ntz'}"

    def bytes_literal(self, value: bytes) -> str:
        """Bytes in SQL."""
        return f"to_binary('{value.hex()}', 'HEX')"

    def rounded(self, value: str, stored: Kind, digits: int) -> str:
        """No: Raises SourceError E573."""
        raise unhashable(
            self.source, "the text of a FLOAT there is not the shortest that reads back the same"
        )

    def date(self, value: str, stored: Kind) -> str:
        """`YYYY-MM-DD`."""
        return f"to_char({value}, 'YYYY-MM-DD')"

    def timestamp(self, value: str, stored: Kind, digits: int) -> str:
        """`YYYY-MM-DDTHH:MM:SS`, and so many digits of the second."""
        if stored.zoned:
            value = f"convert_timezone('UTC', {value})::timestamp_ntz(9)"
        else:
            value = f"{value}::timestamp_ntz(9)"
        text = f"to_char({value}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')"
        return f"left({text}, {20 + digits if digits else 19})"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"lower(hex_encode({value}))"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"md5({text})" if algorithm == "md5" else f"sha2({text}, 256)"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"to_number({digits}, '{'X' * LANE_DIGITS}')"

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        return f"count(DISTINCT {', '.join(name for name, _ in columns)})"

    def matching(self, name: str, kind: Kind, pattern: str) -> str:
        """Whether a whole value matches a regular expression, which is what `regexp_like` asks there."""
        return f"regexp_like({name}::varchar, {self.literal(pattern)})"

    def not_finite(self, name: str) -> str:
        """Whether a float is NaN or infinite."""
        return f"{name}::varchar IN ('NaN', 'inf', '-inf')"
