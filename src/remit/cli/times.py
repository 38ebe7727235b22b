"""Times as people write them at a terminal."""

from __future__ import annotations

from remit.core.errors import InputError

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def instant(text: str, *, end_of_day: bool = False) -> int:
    """A date, a time, or how long ago (`90m`, `24h`, `7d`) as Unix milliseconds; UTC unless it says otherwise. Raises InputError.

    A date is its beginning, or its end.
    """
    import time
    from datetime import UTC, datetime, timedelta

    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) <= 6:
        return int(time.time() * 1000) - int(number) * _UNITS[unit]
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"`{text[:50]}` is no date or time",
            code="E522",
            help="write e.g. 2026-07-01, 2026-07-01T12:00, or 24h for a day ago",
        ) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    is_whole_day = end_of_day and len(text) <= 10
    day = timedelta(days=1) - timedelta(milliseconds=1) if is_whole_day else timedelta()
    return int((found + day).timestamp() * 1000)
