"""What the runs of a rule measured, as numbers over time: every number of their details, under its path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from remit.core.validation import ValidationRun, ValidationStatus
from remit.engine.validation_runs import ValidationRuns

MOST_VALUES = 40
"""Numbers that are taken of one run."""

DEEPEST = 4
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?\Z")


class Point(Struct, frozen=True):
    """What one run came to. `values` are the numbers of its details by path: `actual_count`, `changed_columns.price`."""

    run_id: str
    timestamp: int
    status: ValidationStatus
    version: int
    duration_ms: int
    values: dict[str, float]


class Series(Struct, frozen=True):
    """A page of a rule's runs as numbers, newest first; `cursor` of the next page, or null at the end."""

    items: list[Point]
    cursor: str | None = None


async def series(
    runs: ValidationRuns, tenant_id: str, config_id: str, *, limit: int = 50, cursor: str | None = None
) -> Series:
    """The runs of a rule as numbers, newest first. Raises InputError."""
    page = await runs.list(tenant_id, config_id=config_id, limit=limit, cursor=cursor)
    return Series([_point(run) for run in page.items], page.cursor)


def _point(run: ValidationRun) -> Point:
    values: dict[str, float] = {}
    for path, value in _numbers(run.details):
        if len(values) == MOST_VALUES:
            break
        values[path] = value
    return Point(run.run_id, run.timestamp, run.status, run.version, run.duration_ms, values)


def _numbers(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """Every number below a value, in order. A list of pairs of a name and a number is read as those names' numbers."""
    number = _number(value)
    if number is not None and path:
        yield path, number
    elif depth < DEEPEST and isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str):
                yield from _numbers(one[1], f"{path}.{one[0]}", DEEPEST)


def _number(value: Any) -> float | None:
    """A finite number, also one that is written as text so that no digit is lost."""
    if isinstance(value, str) and _NUMBER.match(value):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None
