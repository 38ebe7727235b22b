"""A result with its provenance: what was run, where, and a name for each cell, so that an answer can cite it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from remit_packs.tools.sql.guard import Checked
from remit_packs.tools.sql.limits import Limits

Value = str | int | float | bool | list[Any] | dict[str, Any] | None

_PLAIN = re.compile(r"[\w .#%$&-]{1,60}")
"""Names that can be cited. An expression without one, which some engines name by its text, is named by its words."""

ROW = "#"
"""The name of a row within itself, `r1` for the first."""


class ResultColumn(Struct, frozen=True):
    """A column of a result; `type` is the engine's word where it says one."""

    name: str
    type: str


class Result(Struct, frozen=True):
    """A table that a query answered with.

    Each row holds its name under `#`: the cell of column `total` in the row `r3` is cited as `[[r3.total]]`, or as `[[ID.r3.total]]` where there
    are several results. `sql` is what ran, with the rules of the database in it. `truncated`: there are more rows, or longer values.
    """

    id: str
    database: str
    sql: str
    tables: list[str]
    columns: list[ResultColumn]
    rows: list[dict[str, Value]]
    row_count: int
    truncated: bool = False


class Rows(Struct):
    """What an engine fetched: names and types of columns, and rows. `more`: it had more than was taken."""

    names: Sequence[str]
    types: Sequence[str]
    rows: Sequence[Sequence[Any]]
    more: bool = False


def result_of(database: str, query: Checked, fetched: Rows, limits: Limits) -> Result:
    """The result of a query, cut to the limits."""
    names = distinct(query.names if len(query.names) == len(fetched.names) else fetched.names)
    rows: list[dict[str, Value]] = []
    size, cut = 0, fetched.more or len(fetched.rows) > limits.max_rows
    for number, values in enumerate(fetched.rows[: limits.max_rows], 1):
        row: dict[str, Value] = {ROW: f"r{number}"}
        for name, value in zip(names, values, strict=True):
            row[name], shortened = shown(value, limits.max_cell)
            cut |= shortened
        size += len(json.dumps(row, ensure_ascii=False).encode())
        if size > limits.max_bytes:
            cut = True
            break
        rows.append(row)
    columns = [ResultColumn(n, t) for n, t in zip(names, fetched.types, strict=True)]
    return Result(
        _id(database, query.sql), database, query.sql, sorted(query.tables), columns, rows, len(rows), cut
    )


def distinct(names: Sequence[str]) -> list[str]:
    """Names of columns without two that are alike, and none that is the row's own: `id`, `id_2`."""
    taken = {ROW}
    found: list[str] = []
    for number, name in enumerate(names, 1):
        base = (
            name if _PLAIN.fullmatch(name) else re.sub(r"\W+", "_", name).strip("_").lower()
        ) or f"column_{number}"
        tries = (base if n == 1 else f"{base}_{n}" for n in range(1, len(names) + 3))
        found.append(next(n for n in tries if n not in taken))
        taken.add(found[-1])
    return found


def shown(value: Any, longest: int) -> tuple[Value, bool]:
    """A value as JSON holds it, and whether it was shortened. A number stays a number where that loses nothing."""
    match value:
        case None | bool() | int():
            return (value, False) if not isinstance(value, int) or abs(value) < 2**63 else (str(value), False)
        case float():
            return (value, False) if math.isfinite(value) else (str(value), False)
        case Decimal():
            return _number(value), False
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat(), False
        case bytes() | bytearray() | memoryview():
            return f"{len(value)} bytes", False
        case list() | tuple() | dict():
            text = json.dumps(value, default=str, ensure_ascii=False)
            return (json.loads(text), False) if len(text) <= longest else (text[:longest], True)
        case _:
            text = str(value)
            return text[:longest], len(text) > longest


def _number(value: Decimal) -> Value:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    return float(value) if abs(value) < _EXACT else str(value)[:100]


_EXACT = 10**13
"""Below this a float tells thousandths apart."""


def _id(database: str, sql: str) -> str:
    return "q" + hashlib.sha256(f"{database}\n{sql}".encode()).hexdigest()[:6]
