"""The exact difference of two tables by key, wherever they are."""

from __future__ import annotations

from remit_packs.validation.diff.equal import columns_equal
from remit_packs.validation.diff.result import Difference, Duplicates, RowDiff, RowDifference
from remit_packs.validation.diff.rows import diff

__all__ = ["Difference", "Duplicates", "RowDiff", "RowDifference", "columns_equal", "diff"]
