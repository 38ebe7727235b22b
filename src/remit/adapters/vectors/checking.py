"""What every store of vectors asks of a vector, and how one is named in files and tables."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence

from remit.core.errors import InputError

TOLERANCE = 1e-3
"""How far from 1 the length of a vector may be: float32 and what models round."""


def check(values: Sequence[float], dimensions: int | None) -> None:
    """Raise InputError E931 unless these are `dimensions` finite numbers (any count if None) of unit length."""
    if not len(values) or (dimensions is not None and len(values) != dimensions):
        raise InputError(
            f"a vector has {len(values)} numbers, and those of its collection have {dimensions or 'at least one'}",
            code="E931",
            help="a collection holds vectors of one model: drop it first to use another",
        )
    if not abs(math.hypot(*values) - 1.0) <= TOLERANCE:  # so that NaN fails too
        raise InputError(
            "a vector is not of unit length", code="E931", help="divide its numbers by its length"
        )


def safe_name(collection: str) -> str:
    """A name for files and tables: what is readable of the collection's, and a digest that makes it unique."""
    readable = re.sub(r"[^a-z0-9]+", "_", collection.lower()).strip("_")[:24]
    return f"{readable}_{hashlib.sha256(collection.encode()).hexdigest()[:24]}"
