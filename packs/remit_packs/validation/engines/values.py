"""Constants of filters and measures, brought to the type of the column that they are compared with."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from remit_packs.validation.canonical import Kind
from remit_packs.validation.engines.errors import SourceError, senseless

Constant = Decimal | bool | str | bytes | dt.date | dt.datetime


def constant(value: Any, kind: Kind, column: str) -> Constant:
    """The value as the column's own type. Raises SourceError E572 for one that can never be such a value."""
    try:
        return _converted(value, kind)
    except (ValueError, InvalidOperation, TypeError):
        raise _wrong(value, kind, column) from None


def _converted(value: Any, kind: Kind) -> Constant:
    if value is None:
        raise ValueError("NULL compares with nothing")
    match kind.family:
        case "number" | "float":
            return _number(value)
        case "boolean":
            return _boolean(value)
        case "date" | "timestamp":
            return _moment(value, kind)
        case "uuid":
            return str(UUID(str(value)))
        case "binary":
            return value if isinstance(value, bytes) else bytes.fromhex(str(value))
        case "string" if not isinstance(value, (list, dict, bytes)):
            return _text(value)
        case _:
            raise ValueError("not comparable")


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError("not finite")
    return number


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "1", "false", "0"):
        raise ValueError("neither true nor false")
    return text in ("true", "1")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _moment(value: Any, kind: Kind) -> dt.date | dt.datetime:
    """A date, or a timestamp; with a zone for a zoned column (UTC when none is given), without one else."""
    moment = _read(value) if isinstance(value, str) else value
    if not isinstance(moment, dt.date):
        raise ValueError("no time")
    if isinstance(moment, dt.datetime):
        return _zoned(moment) if kind.zoned else _plain(moment)
    if kind.family == "date":
        return moment
    midnight = dt.datetime(moment.year, moment.month, moment.day)
    return _zoned(midnight) if kind.zoned else midnight


def _read(text: str) -> dt.date:
    bare = text.strip()
    return dt.date.fromisoformat(bare) if len(bare) == 10 else dt.datetime.fromisoformat(bare)


def _zoned(value: dt.datetime) -> dt.datetime:
    return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def _plain(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)


def _wrong(value: Any, kind: Kind, column: str) -> SourceError:
    return senseless(
        f"column `{column}` is `{kind.name or kind.family}` and is never compared with `{str(value)[:40]}`"
    )
