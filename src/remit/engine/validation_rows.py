"""The rows because of which a rule failed, as far as its run kept them: a sample, made of the run's artifacts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from remit.core.errors import InputError, NotFoundError
from remit.core.validation import ValidationRun
from remit.ports.blobs import Blobs

Rows = list[dict[str, Any]]


class FailingRows(Struct, frozen=True):
    """A page of the rows that a run kept; `cursor` of the next page, or null at the end. `total` is how many it kept.

    A row of a comparison has `key`, `change` (`missing`, `extra` or `changed`) and `columns` with the values of both sides.
    `gone` counts what was kept once and is no longer there.
    """

    items: Rows
    total: int
    gone: int = 0
    cursor: str | None = None


async def failing_rows(
    blobs: Blobs, run: ValidationRun, *, limit: int = 50, cursor: str | None = None
) -> FailingRows:
    """The rows that a run kept. Raises InputError for a cursor that is none, and StoreError."""
    start = _start(cursor)
    kept, gone = [], 0
    for digest in run.artifacts:
        try:
            kept.append(await blobs.get(digest))
        except NotFoundError:
            gone += 1
    rows = _rows(kept)
    end = start + limit
    return FailingRows(rows[start:end], len(rows), gone, str(end) if end < len(rows) else None)


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 12:
        raise InputError(
            "the cursor is not one that a list of rows returned", code="E1041", help="start again without it"
        )
    return int(cursor)


def _rows(kept: Sequence[bytes]) -> Rows:
    """The rows of what was kept as JSON lines; where nothing was, of what was kept as CSV, which says the same for people."""
    rows = [row for data in kept for row in _json_lines(data)]
    return rows or [row for data in kept for row in _table(data)]


def _json_lines(data: bytes) -> Rows:
    if not data.startswith(b"{"):
        return []
    try:
        found = [json.loads(line) for line in data.split(b"\n") if line.strip()]
    except ValueError:
        return []
    return [row for row in found if isinstance(row, dict)]


def _table(data: bytes) -> Rows:
    """The lines of a CSV with a header; none of bytes that are something else."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return []
    if "," not in text.partition("\n")[0] or "\x00" in text:
        return []
    reader = csv.reader(io.StringIO(text, newline=""))
    names = next(reader)
    return [dict(zip(names, line, strict=False)) for line in reader if line]
