"""colhash/1 in plain Python, written from its definition alone: what every engine has to agree with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any
from uuid import UUID


def canonical(value: Any, kind: str, digits: int = 0) -> str | None:
    if value is None:
        return None
    match kind:
        case "number":
            quantum = Decimal(1).scaleb(-digits)
            exact = Decimal(value).quantize(quantum, context=Context(prec=80))
            return format(abs(exact) if exact == 0 else exact, "f")
        case "boolean":
            return "1" if value else "0"
        case "date":
            assert isinstance(value, date)
            return value.isoformat()
        case "timestamp":
            return _timestamp(value, digits)
        case "uuid":
            return str(UUID(str(value)))
        case "binary":
            return bytes(value).hex()
        case _:
            return str(value)


def _timestamp(value: datetime, digits: int) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    text = f"{value.year:04d}" + value.strftime("-%m-%dT%H:%M:%S")
    return text if digits == 0 else f"{text}.{value.microsecond:06d}"[: len(text) + 1 + digits]


def digest(texts: Sequence[str | None], algorithm: str) -> str:
    lanes = {"md5": 2, "sha256": 4}[algorithm]
    sums = [0] * lanes
    for text in texts:
        if text is not None:
            hashed = hashlib.new(algorithm, text.encode()).hexdigest()
            for lane in range(lanes):
                sums[lane] += int(hashed[15 * lane : 15 * lane + 15], 16)
    nulls = sum(text is None for text in texts)
    parts = [f"colhash/1;algo={algorithm};n={len(texts)};nulls={nulls}"]
    parts += [f"s{lane}={total}" for lane, total in enumerate(sums)]
    return hashlib.new(algorithm, ";".join(parts).encode()).hexdigest()


def row_texts(columns: Sequence[Sequence[str | None]]) -> list[str | None]:
    return ["".join("-" if t is None else f"{len(t)}:{t}" for t in row) for row in zip(*columns, strict=True)]
