"""`colhash/1` on DuckDB: the canonical text of a value, and the digest of a column, as SQL.

The digest of a column does not depend on the order of rows, counts duplicates, and separates NULL from every text.
The same digest comes out of any engine that follows the same rules; each engine has one small file of expressions.
"""

from __future__ import annotations

import hashlib
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
    `text` that the file holds text (CSV), and the family is what the text looks like. `name` is for people.
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


def quote(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def canonical(column: str, stored: Kind, common: Kind) -> str:
    """SQL for the canonical text of a column of type `stored` when both sides agreed on `common`."""
    value = quote(column)
    match common.family:
        case "number":
            return _number(value, stored, common)
        case "boolean":
            return f"CASE {value}::boolean WHEN true THEN '1' WHEN false THEN '0' END"
        case "date":
            if stored.text:
                value = _only(value, "[0-9]{4}-[0-9]{2}-[0-9]{2}", "is no date like 2026-11-20")
            return f"strftime({value}::date, '%Y-%m-%d')"
        case "timestamp":
            return _timestamp(value, stored, common.digits)
        case "uuid":
            return f"lower({value}::uuid::varchar)"
        case "binary":
            return f"lower({value})" if stored.text else f"lower(hex({value}))"
        case _:
            return f"{value}::varchar"


def _number(value: str, stored: Kind, common: Kind) -> str:
    digits = common.digits
    if stored.text and common.name != ROUNDED:
        part = f"(\\.[0-9]{{0,{digits}}})?"
        value = _only(
            value, f"\\s*[-+]?[0-9]*{part}\\s*", f"is no plain number with at most {digits} decimals"
        )
    if digits == 0 and stored.family == "number" and not stored.text:
        return f"{value}::varchar"
    return f"{value}::decimal(38,{digits})::varchar"


def _only(value: str, pattern: str, complaint: str) -> str:
    """SQL that lets only text of this form through, so that no cast can drop a part of a value unseen."""
    message = f"concat('`', left({value}, 40), '` {complaint}')"
    return f"(CASE WHEN regexp_full_match({value}, '{pattern}') THEN {value} WHEN {value} IS NOT NULL THEN error({message}) END)"


def _timestamp(value: str, stored: Kind, digits: int) -> str:
    if stored.zoned:
        value = f"({value}::timestamptz AT TIME ZONE 'UTC')"
    elif stored.text:
        pattern = "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,6})?)?"
        value = f"{_only(value, pattern, 'is no timestamp like 2026-11-20 08:30:00')}::timestamp"
    elif stored.family != "timestamp":
        value = f"{value}::timestamp"
    whole = f"strftime({value}, '%Y-%m-%dT%H:%M:%S')"
    if digits == 0:
        return whole
    part = "%n" if stored.digits > 6 and not stored.text else "%f"
    return f"{whole} || '.' || substr(strftime({value}, '{part}'), 1, {digits})"


def row_text(columns: list[str]) -> str:
    """SQL for the text of a row over canonical columns: `-` for NULL, else `length:text`."""
    parts = [f"CASE WHEN {c} IS NULL THEN '-' ELSE length({c})::varchar || ':' || {c} END" for c in columns]
    return "concat(" + ", ".join(parts or ["''"]) + ")"


def aggregates(texts: list[str], relation: str, algorithm: HashFunction) -> str:
    """One query over `relation`: number of rows, then for each text its non-null count and the sums of its lanes."""
    hashes = ", ".join(f"{algorithm}(t{i}) AS h{i}" for i in range(len(texts)))
    named = ", ".join(f"{text} AS t{i}" for i, text in enumerate(texts))
    sums = ["count(*)"]
    for i in range(len(texts)):
        sums.append(f"count(h{i})")
        for lane in range(LANES[algorithm]):
            start = 1 + lane * LANE_DIGITS
            sums.append(f"coalesce(sum(('0x' || substr(h{i}, {start}, {LANE_DIGITS}))::bigint), 0)")
    return f"SELECT {', '.join(sums)} FROM (SELECT {hashes} FROM (SELECT {named} FROM {relation}))"


def digests(row: tuple[int, ...], columns: int, algorithm: HashFunction) -> list[Digest]:
    """The digests of an `aggregates` answer."""
    rows, width = row[0], 1 + LANES[algorithm]
    found = []
    for i in range(columns):
        present, *sums = row[1 + i * width : 1 + (i + 1) * width]
        nulls = rows - present
        text = f"colhash/1;algo={algorithm};n={rows};nulls={nulls};"
        text += ";".join(f"s{lane}={total}" for lane, total in enumerate(sums))
        found.append(Digest(hashlib.new(algorithm, text.encode()).hexdigest(), nulls))
    return found
