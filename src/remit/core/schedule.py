"""When something is due: `daily at 06:30 Europe/Berlin` and its like become times. Pure; times are Unix milliseconds.

What may be written:

    hourly | daily | daily at 06:30 | weekly | weekly on monday | weekly on monday at 06:30
    every minute | every 15 minutes | every hour | every 6 hours      (evenly within an hour or a day)
    30 6 * * 1-5                                                      (cron: minute hour day month weekday)
    cron(30 6 ? * MON-FRI *) | rate(15 minutes)                       (as EventBridge writes them)

A time zone may follow, e.g. `daily at 06:30 Europe/Berlin`; without one it is UTC.

When clocks change, a time of day follows the wall clock: one that does not exist that day is due at the next one
that does, one that comes twice is due the first time only. `hourly` and `every 15 minutes` go on in even steps. A cron
whose minute or hour begins with `*` is due whenever the wall clock matches it, as cron itself has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from msgspec import Struct

from remit.core.errors import InputError

MONDAY_FIRST = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST = 200

_ZONE = re.compile(r"(?P<rest>.+)\s(?P<zone>UTC|GMT|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+)\Z")
_TIME = r"(?: at (?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d))?"
_DAILY = re.compile(rf"(?:daily|every day){_TIME}\Z")
_WEEKLY = re.compile(rf"weekly(?: on (?P<day>[a-z]+))?{_TIME}\Z")
_EVERY = re.compile(r"every (?:(?P<count>\d{1,4}) )?(?P<unit>minute|hour)s?\Z")
_RATE = re.compile(r"rate\((?P<count>\d{1,4}) (?P<unit>minute|hour|day)s?\)\Z")
_AWS = re.compile(r"cron\((?P<fields>[^()]+)\)\Z")
_PER = {"minute": 60, "hour": 24}
_PROBE = datetime(2024, 1, 1, tzinfo=UTC)
_HELP = "e.g. `hourly`, `daily at 06:30 Europe/Berlin`, `weekly on monday at 06:30`, `every 15 minutes`, `30 6 * * 1-5`"


class Schedule(Struct, frozen=True):
    """What an expression means: five cron fields in a time zone."""

    expression: str
    cron: str
    zone: str = "UTC"


def parse(expression: str) -> Schedule:
    """What an expression means. Raises InputError E614 for one that means nothing or is never due."""
    text = " ".join(expression.split()) if len(expression) <= LONGEST else ""
    zoned = _ZONE.match(text)
    zone = zoned["zone"] if zoned else "UTC"
    try:
        _tz(zone)
    except (KeyError, ValueError, OSError) as error:
        raise _wrong(expression, f": `{zone}` is no time zone known here") from error
    cron = _cron(zoned["rest"].strip() if zoned else text, expression)
    schedule = Schedule(text, cron, zone)
    try:
        next(CronSim(cron, _PROBE))
    except CronSimError as error:
        raise _wrong(expression, f": {str(error).lower()}") from error
    except StopIteration as error:
        raise _wrong(expression, ": it is never due") from error
    return schedule


def next_after(schedule: Schedule, ts_ms: int) -> int:
    """The first time after `ts_ms` at which the schedule is due."""
    return next(_slots(schedule, ts_ms))


def slots_between(schedule: Schedule, after_ms: int, until_ms: int) -> Iterator[int]:
    """The times after `after_ms` and not after `until_ms` at which the schedule is due, in order."""
    for slot in _slots(schedule, after_ms):
        if slot > until_ms:
            return
        yield slot


def last_until(schedule: Schedule, after_ms: int, until_ms: int) -> int | None:
    """The last time after `after_ms` and not after `until_ms` at which the schedule is due, or None.

    It looks back in windows that grow, so that a long absence costs no more than a short one.
    """
    window = 3_600_000
    while True:
        start = max(after_ms, until_ms - window)
        found = None
        for found in slots_between(schedule, start, until_ms):  # noqa: B007 - the last one is wanted
            pass
        if found is not None or start == after_ms:
            return found
        window *= 24


def _slots(schedule: Schedule, after_ms: int) -> Iterator[int]:
    last = after_ms
    for moment in CronSim(
        schedule.cron, datetime.fromtimestamp(after_ms // 1000, UTC).astimezone(_tz(schedule.zone))
    ):
        ts = int(moment.timestamp()) * 1000
        # While a clock goes back, a wall-clock time may name a moment that has passed.
        if ts > last:
            last = ts
            yield ts


def _tz(zone: str) -> tzinfo:
    return UTC if zone in ("UTC", "GMT") else ZoneInfo(zone)


def _cron(text: str, expression: str) -> str:
    """The five cron fields of an expression without its zone. Raises InputError."""
    words = text.lower()
    if words == "hourly":
        return "0 * * * *"
    if daily := _DAILY.match(words):
        return f"{int(daily['minute'] or 0)} {int(daily['hour'] or 0)} * * *"
    if weekly := _WEEKLY.match(words):
        return f"{int(weekly['minute'] or 0)} {int(weekly['hour'] or 0)} * * {_weekday(weekly['day'], expression)}"
    if every := _EVERY.match(words) or _RATE.match(words):
        return _repeated(int(every["count"] or 1), every["unit"], expression)
    if aws := _AWS.match(words):
        return _from_aws(aws["fields"].upper().split(), expression)
    if len(text.split()) == 5:
        return text.upper()
    raise _wrong(expression)


def _weekday(name: str | None, expression: str) -> int:
    found = [i for i, day in enumerate(MONDAY_FIRST) if name and len(name) >= 3 and day.startswith(name)]
    if name and not found:
        raise _wrong(expression, f": `{name}` is no day of the week")
    return found[0] + 1 if found else 1


def _repeated(count: int, unit: str, expression: str) -> str:
    if unit == "day" and count == 1:
        return "0 0 * * *"
    per = _PER.get(unit, 0)
    if unit == "minute" and count and count % 60 == 0:
        count, unit, per = count // 60, "hour", 24
    if not 1 <= count <= per or per % count:
        raise _wrong(
            expression, f": {count} {unit}s do not divide {'an hour' if unit == 'minute' else 'a day'} evenly"
        )
    if unit == "minute":
        return "0 * * * *" if count == 60 else f"*/{count} * * * *"
    return "0 * * * *" if count == 1 else f"0 {','.join(str(hour) for hour in range(0, 24, count))} * * *"


def _from_aws(fields: list[str], expression: str) -> str:
    """EventBridge's six fields: `?` for any day, Sunday is 1, and a year."""
    if len(fields) != 6:
        raise _wrong(expression, ": EventBridge writes six fields, the last one the year")
    *five, weekday, year = fields
    if year != "*" or any("W" in field and "WED" not in field for field in (five[2], weekday)):
        raise _wrong(expression, ": a year and `W` are not supported")
    if (five[2] == "?") is (weekday == "?"):
        raise _wrong(expression, ": exactly one of day and weekday must be `?`")
    shifted = re.sub(r"(?<![/#\d])\d+", lambda n: str(int(n[0]) - 1), weekday)
    return " ".join("*" if field == "?" else field for field in (*five, "6" if shifted == "L" else shifted))


def _wrong(expression: str, why: str = "") -> InputError:
    return InputError(f"`{expression[:LONGEST]}` is no schedule{why}", code="E614", help=_HELP)
