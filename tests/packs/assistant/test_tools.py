"""The assistant's tools: they answer what they should, and nothing that is written into them does anything else."""

from __future__ import annotations

import math
import sqlite3
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.errors import ToolError
from remit.core.task import Actor
from remit.ports.agents import ToolContext
from remit.testing import FakeClock
from remit_packs.assistant import database
from remit_packs.assistant.calculating import shown, value_of
from remit_packs.assistant.database import search_database
from remit_packs.assistant.telling_time import get_current_time


def at(clock: FakeClock) -> ToolContext:
    """What the gateway hands to a tool."""
    return ToolContext("run", "m0.0", "local", Actor("ana"), "assistant", "key", 1, clock, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-2 ** 2", "-4"),
        ("0.1 + 0.2", "0.3"),
        ("7 // 2 + 7 % 2", "4"),
        ("2 ** 100", str(2**100)),
        ("2 ** -1", "0.5"),
        ("10 / 4", "2.5"),
        ("sqrt(16) + abs(-3)", "7"),
        ("round(2 * pi, 3)", "6.283"),
        ("max(1, 2, 3) - min(4, 5)", "-1"),
        ("factorial(20)", "2432902008176640000"),
        ("1e3", "1000"),
        (" 1_000 \n", "1000"),
        ("log(e)", "1"),
        ("gcd(12, 18)", "6"),
    ],
)
def test_arithmetic(expression: str, result: str) -> None:
    """Whole numbers exactly; others without the digits that binary arithmetic makes up."""
    assert shown(value_of(expression)) == result


@pytest.mark.parametrize(
    "expression",
    [
        "9 ** 9 ** 9",
        "2 ** 1000000000",
        "(2 ** 2000) ** 2000",
        "10 ** 600 * 10 ** 600",
        "factorial(1000000)",
        "factorial(2.5)",
        "factorial(-1)",
        "factorial(factorial(20))",
        "(" * 240 + "1" + ")" * 240,
        "-" * 499 + "1",
        "+".join("1" * 250),
        "1e400",
        "1e308 * 10",
        "exp(1000)",
        "1 / 0",
        "0 ** -1",
        "(-8) ** 0.5",
        "log(0)",
        "1 << 1000000",
        "1 if 1 else 2",
        "1 < 2",
        "1 and 2",
        "not 1",
        "~1",
        "True",
        "'a' * 1000000000",
        "[1] * 1000000000",
        "(1, 2)",
        "1j",
        "lambda: 1",
        "[x for x in (1, 2)]",
        "(x := 1)",
        "__import__('os').system('id')",
        "().__class__.__bases__[0].__subclasses__()",
        "(1).__class__",
        "open('/etc/passwd')",
        "abs.__globals__",
        "sqrt(*[4])",
        "round(number=1)",
        "round(1.5, 10 ** 9)",
        "pi()",
        "abs",
        "os",
        "f'{1}'",
        "...",
        "None",
        "1; 2",
        "import os",
        "",
        "   ",
        "\x00",
        "１２ + a",
        "2 ^ 3",
        "min()",
        "sqrt(1, 2)",
        "sqrt(-1)",
        "yield 1",
        "await 1",
    ],
    ids=lambda text: repr(text)[:40],
)
def test_anything_else_is_refused_at_once(expression: str) -> None:
    """Huge powers, deep nesting, names, attributes, calls, other types: E846 within a moment."""
    began = time.perf_counter()
    with pytest.raises(ToolError) as refused:
        value_of(expression)
    assert refused.value.code == "E846"
    assert time.perf_counter() - began < 0.5


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.+-*/%() ,epiabsqrtlogfacory_j'[]{}=<>!&|^~:\n", max_size=60))
def test_every_text_is_a_number_or_refused(text: str) -> None:
    """Nothing but a ToolError comes out of it, and what has a value is finite."""
    with suppress(ToolError):
        value = value_of(text)
        assert type(value) in (int, float)
        assert math.isfinite(value) if isinstance(value, float) else value.bit_length() <= 2048
        assert shown(value)


@settings(max_examples=100)
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.sampled_from("+-*"))
def test_it_calculates_as_python_does(a: int, b: int, sign: str) -> None:
    """Sums, differences and products of whole numbers."""
    assert value_of(f"({a}) {sign} ({b})") == {"+": a + b, "-": a - b, "*": a * b}[sign]


def test_the_time_is_the_clocks_in_the_zone() -> None:
    """Time comes through the context's clock, so that a replay and a test know it."""
    told = get_current_time(at(FakeClock(1_800_000_000_000)), "America/New_York")
    assert (told.time, told.weekday) == ("2027-01-15T03:00:00-05:00", "Friday")
    assert get_current_time(at(FakeClock(1_800_000_000_000))).time == "2027-01-15T08:00:00+00:00"


@pytest.mark.parametrize(
    "zone", ["Mars/Phobos", "", "America", "../../etc/passwd", "/etc/passwd", "a\x00b", "\ud800", "x" * 5000]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    """No path leads out of the zones that there are."""
    with pytest.raises(ToolError) as refused:
        get_current_time(at(FakeClock()), zone)
    assert refused.value.code == "E847"


def ids(found: Any) -> list[Any]:
    """The ids of rows."""
    return [row["id"] for row in found.rows]


def test_words_and_fields_find_rows() -> None:
    """Rows with the words in their name come first; a field must match exactly; the limit holds and the total is told."""
    assert ids(search_database("standing desks"))[0] == 101
    assert ids(search_database("warranty", table="articles"))[0] == 10
    chairs = search_database("", field="category", value="Chairs", limit=2)
    assert (len(chairs.rows), chairs.total) == (2, 4)
    assert search_database("zzzz").rows == search_database("the a of").rows == []


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        "%",
        "_",
        "!",
        "'; DROP TABLE products; --",
        "\x00",
        "100%",
        '" UNION SELECT sql FROM sqlite_master --',
    ],
)
def test_nothing_that_is_written_into_a_search_is_sql(text: str) -> None:
    """As a query, or as a value, it finds at most what has those letters; the tables are as they were."""
    before = search_database("", limit=20)
    assert before.total == 24
    search_database(text)
    assert search_database("", field="name", value=text).rows == []
    with pytest.raises(ToolError):
        search_database("", field=text)
    assert search_database("", limit=20) == before


def test_the_database_cannot_be_written() -> None:
    """Not even by the pack itself."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database._opened().execute("DELETE FROM products")
