"""What a row diff found."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Difference = Literal["missing", "extra", "changed"]
"""`missing`: in the source alone. `extra`: in the target alone. `changed`: in both, and a column differs."""


class RowDifference(Struct, frozen=True):
    """One row that differs: canonical texts of its key, and of a changed row the columns with both texts.

    A text of more than 1,000 characters is cut, and followed by its length and hash.
    """

    kind: Difference
    key: tuple[str, ...]
    columns: dict[str, tuple[str | None, str | None]] = {}


class Duplicates(Struct, frozen=True):
    """Keys that stand in more than one row of a side, the rows they stand in, and the ten most frequent with their count."""

    keys: int = 0
    rows: int = 0
    examples: tuple[tuple[tuple[str, ...], int], ...] = ()


class RowDiff(Struct, frozen=True):
    """The exact difference of two tables by key.

    Rows with a NULL in their key, and rows whose key is a duplicate on either side, belong to no row of the other side:
    they are counted here and are not among missing, extra and changed. `changed_columns` counts changed rows a column.
    `differences` are the first ones in the order of the key.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...]
    source_rows: int
    target_rows: int
    missing: int = 0
    extra: int = 0
    changed: int = 0
    changed_columns: dict[str, int] = {}
    source_null_keys: int = 0
    target_null_keys: int = 0
    source_duplicates: Duplicates = Duplicates()
    target_duplicates: Duplicates = Duplicates()
    differences: tuple[RowDifference, ...] = ()
    way: Literal["joined", "segments"] = "joined"

    @property
    def differing(self) -> int:
        """Rows that are missing, extra or changed."""
        return self.missing + self.extra + self.changed

    @property
    def decided(self) -> bool:
        """Whether every row has a key of its own, so that every row was compared."""
        nulls = self.source_null_keys + self.target_null_keys
        return not (nulls or self.source_duplicates.keys or self.target_duplicates.keys)

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same rows, and every row was compared."""
        return self.decided and not self.differing
