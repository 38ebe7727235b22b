"""`colhash/1`: the type of a column as far as comparing needs it, and the digest of what an engine counted.

The digest of a column does not depend on the order of rows, counts duplicates, and separates NULL from every text.
The same digest comes out of any engine that follows the same rules; each engine has one file of expressions in
`engines`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

HashFunction = Literal["md5", "sha256"]
Family = Literal["number", "boolean", "string", "date", "timestamp", "uuid", "binary", "float", "other"]

LANES: dict[HashFunction, int] = {"md5": 2, "sha256": 4}
LANE_DIGITS = 15
ROUNDED = "rounded"
"""The name of a common number type to which floats are rounded, as the user declared."""


class Kind(Struct, frozen=True):
    """The type of a column as far as comparing needs it.

    `digits` are decimals of a number or of a second; `zoned` means that a timestamp is a moment in UTC;
    `text` that the file holds text (CSV, JSON), and the family is what the text looks like. `name` is for people.
    """

    family: Family
    digits: Annotated[int, Meta(ge=0, le=38)] = 0
    zoned: bool = False
    text: bool = False
    name: str = ""


class Digest(Struct, frozen=True):
    """What a column (or all rows) came to."""

    hash: str
    nulls: int


def digest(algorithm: HashFunction, rows: int, nulls: int, sums: Sequence[int]) -> Digest:
    """The digest of a column from its counts and the sums of its lanes."""
    lanes = ";".join(f"s{lane}={total}" for lane, total in enumerate(sums))
    text = f"colhash/1;algo={algorithm};n={rows};nulls={nulls};{lanes}"
    return Digest(hashlib.new(algorithm, text.encode()).hexdigest(), nulls)


def digests(row: Sequence[int | Decimal | str | None], columns: int, algorithm: HashFunction) -> list[Digest]:
    """The digests of an answer that holds the number of rows, then for each text its non-null count and lane sums."""
    numbers = [int(value or 0) for value in row]
    rows, width = numbers[0], 1 + LANES[algorithm]
    found = []
    for i in range(columns):
        present, *sums = numbers[1 + i * width : 1 + (i + 1) * width]
        found.append(digest(algorithm, rows, rows - present, sums))
    return found
