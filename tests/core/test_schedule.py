"""When something is due."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import InputError
from remit.core.schedule import last_until, next_after, parse, slots_between

HOUR = 3_600_000
DAY = 24 * HOUR
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo"]

expressions = st.one_of(
    st.sampled_from(
        ["hourly", "daily", "weekly", "every 15 minutes", "every 6 hours", "0 0 L * *", "*/7 1-3 * * *"]
    ),
    st.builds("daily at {:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    st.builds("weekly on {} at {:02}:30".format, st.sampled_from(["monday", "sun"]), st.integers(0, 23)),
    st.builds("{} {} * * *".format, st.integers(0, 59), st.sampled_from(["*", "*/2", "1,2,3", "0-4"])),
)
schedules = st.builds("{} {}".format, expressions, st.sampled_from(ZONES))
moments = st.integers(1_500_000_000_000, 2_200_000_000_000)


def ts(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    """The Unix milliseconds of a local time."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(local.timestamp() * 1000)


def times(expression: str, after: int, count: int) -> list[int]:
    """The next `count` times."""
    return list(islice(slots_between(parse(expression), after, after + 400 * DAY), count))


def shown(expression: str, after: int, count: int) -> list[str]:
    return [f"{datetime.fromtimestamp(t / 1000, UTC):%a %d %H:%M}" for t in times(expression, after, count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hourly", ["Fri 15 09:00", "Fri 15 10:00"]),
        ("daily", ["Sat 16 00:00", "Sun 17 00:00"]),
        ("Daily at 6:30", ["Sat 16 06:30", "Sun 17 06:30"]),
        ("every day at 9:05", ["Fri 15 09:05", "Sat 16 09:05"]),
        ("weekly", ["Mon 18 00:00", "Mon 25 00:00"]),
        ("weekly on Fri at 08:00", ["Fri 22 08:00", "Fri 29 08:00"]),
        ("weekly on thursday at 23:59", ["Thu 21 23:59", "Thu 28 23:59"]),
        ("every minute", ["Fri 15 08:01", "Fri 15 08:02"]),
        ("every 15 minutes", ["Fri 15 08:15", "Fri 15 08:30"]),
        ("every 60 minutes", ["Fri 15 09:00", "Fri 15 10:00"]),
        ("every 120 minutes", ["Fri 15 10:00", "Fri 15 12:00"]),
        ("every hour", ["Fri 15 09:00", "Fri 15 10:00"]),
        ("every 6 hours", ["Fri 15 12:00", "Fri 15 18:00"]),
        ("every 24 hours", ["Sat 16 00:00", "Sun 17 00:00"]),
        ("30 6 * * 1-5", ["Mon 18 06:30", "Tue 19 06:30"]),
        ("0 12 * * SAT,sun", ["Sat 16 12:00", "Sun 17 12:00"]),
        ("0 0 L * *", ["Sun 31 00:00", "Sun 28 00:00"]),
        ("rate(5 minutes)", ["Fri 15 08:05", "Fri 15 08:10"]),
        ("rate(1 day)", ["Sat 16 00:00", "Sun 17 00:00"]),
        ("cron(30 6 ? * 2-6 *)", ["Mon 18 06:30", "Tue 19 06:30"]),
        ("cron(0 12 ? * SUN *)", ["Sun 17 12:00", "Sun 24 12:00"]),
        ("cron(0 12 ? * 6#3 *)", ["Fri 15 12:00", "Fri 19 12:00"]),
        ("cron(0 12 1 * ? *)", ["Mon 01 12:00", "Mon 01 12:00"]),
        ("daily at 06:30 Europe/Berlin", ["Sat 16 05:30", "Sun 17 05:30"]),
        ("30 6 * * * America/New_York", ["Fri 15 11:30", "Sat 16 11:30"]),
        ("  daily   at 06:30  UTC ", ["Sat 16 06:30", "Sun 17 06:30"]),
    ],
)
def test_what_an_expression_means(expression: str, expected: list[str]) -> None:
    """An expression is due at the times its words say, in UTC unless it names a time zone."""
    assert shown(expression, ts("2027-01-15T08:00"), 2) == expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "is no schedule"),
        ("x" * 5000, "is no schedule"),
        ("sometimes", "is no schedule"),
        ("daily at 25:00", "is no schedule"),
        ("weekly on someday", "`someday` is no day of the week"),
        ("every 7 minutes", "do not divide an hour evenly"),
        ("every 5 hours", "do not divide a day evenly"),
        ("every 0 minutes", "do not divide an hour evenly"),
        ("rate(2 days)", "do not divide a day evenly"),
        ("61 * * * *", "bad minute"),
        ("* * * *", "is no schedule"),
        ("0 0 0 * * *", "is no schedule"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 29 2 MON#5", None),
        ("cron(0 6 * * * *)", "exactly one of day and weekday must be `?`"),
        ("cron(0 6 ? * MON 2027)", "not supported"),
        ("cron(0 6 15W * ? *)", "not supported"),
        ("cron(0 6 * * ?)", "six fields"),
        ("daily at 06:30 Europe/Atlantis", "`Europe/Atlantis` is no time zone"),
        ("daily Europe/../etc/passwd", "is no schedule"),
    ],
)
def test_what_is_no_schedule(expression: str, why: str | None) -> None:
    """What means nothing, or is never due, is refused with one sentence that says why."""
    if why is None:
        parse(expression)
        return
    with pytest.raises(InputError, match="is no schedule") as refused:
        parse(expression)
    assert refused.value.code == "E614"
    assert why in refused.value.message
    assert len(refused.value.message) < 400


def test_a_time_that_does_not_exist_is_due_at_the_next_one_that_does() -> None:
    """When clocks go forward over a time of day, it is due right after the gap, once."""
    before = ts("2027-03-27T12:00", "Europe/Berlin")
    assert shown("daily at 02:30 Europe/Berlin", before, 2) == ["Sun 28 01:00", "Mon 29 00:30"]


def test_a_time_that_comes_twice_is_due_once() -> None:
    """When clocks go back over a time of day, it is due the first time only, wherever one starts to look."""
    first, second = (ts("2027-10-31T02:30", "Europe/Berlin", fold=f) for f in (0, 1))
    assert times("daily at 02:30 Europe/Berlin", first - DAY // 2, 2) == [
        first,
        ts("2027-11-01T02:30", "Europe/Berlin"),
    ]
    for after in (first, first + 60_000, second - 60_000, second):
        assert times("30,45 2 * * * Europe/Berlin", after + 900_000, 1)[0] > second


@pytest.mark.parametrize("day", ["2027-03-27T22:00", "2027-10-30T22:00"])
def test_what_repeats_within_the_day_keeps_its_steps(day: str) -> None:
    """`hourly` and `every 15 minutes` go on evenly while the clocks change."""
    for expression, step in (("hourly Europe/Berlin", HOUR), ("every 15 minutes Europe/Berlin", HOUR // 4)):
        found = times(expression, ts(day, "Europe/Berlin"), 40)
        assert {b - a for a, b in pairwise(found)} == {step}


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_has_one_daily_slot_all_year(zone: str) -> None:
    """`daily at` is due once on each date, also on the days when clocks change."""
    for clock in ("00:00", "02:30", "23:59"):
        start = ts("2027-01-01T00:00", zone) - 1
        found = [
            datetime.fromtimestamp(t / 1000, ZoneInfo(zone))
            for t in times(f"daily at {clock} {zone}", start, 365)
        ]
        assert [moment.date() for moment in found] == [
            found[0].date() + timedelta(days=i) for i in range(365)
        ]


@given(schedules, moments)
def test_the_next_time_is_strictly_later(expression: str, after: int) -> None:
    """The next time is after the given one, on a whole minute."""
    found = next_after(parse(expression), after)
    assert found > after
    assert found % 60_000 == 0


@given(schedules, moments, st.integers(0, 3 * DAY))
def test_times_are_the_same_wherever_one_starts(expression: str, after: int, further: int) -> None:
    """Looking from a later moment finds the same times, as long as they are later; so no restart adds or loses one."""
    schedule = parse(expression)
    seen = list(islice(slots_between(schedule, after, after + 400 * DAY), 6))
    assert seen == sorted(set(seen))
    later = after + further
    expected = [t for t in slots_between(schedule, after, later + 40 * DAY) if t > later]
    assert next_after(schedule, later) == expected[0]


@given(schedules, moments, st.integers(0, 60 * DAY))
def test_the_last_time_is_the_last_of_all(expression: str, after: int, length: int) -> None:
    """Looking back finds what counting forward finds."""
    schedule = parse(expression)
    every = list(slots_between(schedule, after, after + length))
    assert last_until(schedule, after, after + length) == (every[-1] if every else None)


def test_a_zone_is_known_where_the_machine_has_none() -> None:
    """With no zones on the machine's own path they come with the installation."""
    code = (
        "from remit.core.schedule import next_after, parse\n"
        "print(next_after(parse('daily at 06:30 Europe/Berlin'), 1_800_000_000_000))"
    )
    bare = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(bare.stdout) == next_after(parse("daily at 06:30 Europe/Berlin"), 1_800_000_000_000)
