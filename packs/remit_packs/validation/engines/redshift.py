"""Redshift's expressions. It grew out of PostgreSQL, but hashes and reads hex in its own way."""

from __future__ import annotations

from collections.abc import Sequence

from remit_packs.validation.canonical import HashFunction, Kind
from remit_packs.validation.engines.postgres import PostgresDialect


class RedshiftDialect(PostgresDialect):
    """Redshift's expressions."""

    name = "redshift"

    def binary(self, value: str, stored: Kind) -> str:
        """Lower-case hex."""
        return f"lower(to_hex({value}))"

    def hashed(self, text: str, algorithm: HashFunction) -> str:
        """The hash of a text as lower-case hex."""
        return f"md5({text})" if algorithm == "md5" else f"sha2({text}, 256)"

    def lane(self, digits: str) -> str:
        """15 hex digits as an integer."""
        return f"strtol({digits}, 16)"

    def total(self, lane: str) -> str:
        """SQL for the exact sum of a lane over many rows."""
        return f"sum({lane}::numeric(38,0))"

    def distinct(self, columns: Sequence[tuple[str, Kind]]) -> str:
        """The number of distinct combinations without NULL."""
        if len(columns) == 1:
            return super().distinct(columns)
        present = " AND ".join(f"{name} IS NOT NULL" for name, _ in columns)
        text = self.row_text([f"{name}::varchar" for name, _ in columns])
        return f"count(DISTINCT CASE WHEN {present} THEN {text} END)"
