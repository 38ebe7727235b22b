"""Choice rules of JSONPath states."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.states import choice, paths
from remit.core.states.failures import RUNTIME, StateFailure

INPUT = {
    "s": "abc",
    "n": 5,
    "f": 5.0,
    "b": True,
    "t": "2026-03-14T01:59:00Z",
    "null": None,
    "other": {"s": "abd", "n": 6, "b": True, "t": "2026-03-14T02:59:00.000000001+01:00"},
}


def holds(rule: dict[str, Any]) -> bool:
    """Whether a rule holds for the input above."""
    return choice.matches(rule, lambda path: paths.look_up(path, INPUT, {}, {"limit": 5}))


@pytest.mark.parametrize(
    ("kind", "path", "less", "same", "more"),
    [
        ("String", "$.s", "abb", "abc", "abd"),
        ("Numeric", "$.n", 4.5, 5.0, 6),
        (
            "Timestamp",
            "$.t",
            "2026-03-14T01:58:59.999Z",
            "2026-03-14T03:59:00+02:00",
            "2026-03-14T01:59:00.000000001Z",
        ),
    ],
)
def test_the_five_relations(kind: str, path: str, less: Any, same: Any, more: Any) -> None:
    """Of strings, numbers and timestamps."""
    expected = {
        "Equals": (False, True, False),
        "LessThan": (False, False, True),
        "LessThanEquals": (False, True, True),
        "GreaterThan": (True, False, False),
        "GreaterThanEquals": (True, True, False),
    }
    for relation, answers in expected.items():
        for value, answer in zip((less, same, more), answers, strict=True):
            assert holds({"Variable": path, f"{kind}{relation}": value}) is answer, (relation, value)


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"Variable": "$.s", "StringLessThanPath": "$.other.s"}, True),
        ({"Variable": "$.n", "NumericGreaterThanEqualsPath": "$.other.n"}, False),
        ({"Variable": "$.n", "NumericEqualsPath": "$limit"}, True),
        ({"Variable": "$limit", "NumericEqualsPath": "$.n"}, True),
        ({"Variable": "$.t", "TimestampLessThanPath": "$.other.t"}, True),
        ({"Variable": "$.b", "BooleanEqualsPath": "$.other.b"}, True),
        ({"Variable": "$.b", "BooleanEquals": False}, False),
        ({"Variable": "$.s", "NumericEquals": 5}, False),
        ({"Variable": "$.n", "StringEquals": "5"}, False),
        ({"Variable": "$.b", "NumericEquals": 1}, False),
        ({"Variable": "$.n", "BooleanEquals": True}, False),
        ({"Variable": "$.s", "TimestampEquals": "2026-03-14T01:59:00Z"}, False),
        ({"Variable": "$.n", "NumericEqualsPath": "$.s"}, False),
        ({"Variable": "$.s", "IsPresent": True}, True),
        ({"Variable": "$.nothing", "IsPresent": True}, False),
        ({"Variable": "$.nothing", "IsPresent": False}, True),
        ({"Variable": "$.null", "IsPresent": True}, True),
        ({"Variable": "$.null", "IsNull": True}, True),
        ({"Variable": "$.s", "IsNull": False}, True),
        ({"Variable": "$.s", "IsString": True}, True),
        ({"Variable": "$.b", "IsNumeric": True}, False),
        ({"Variable": "$.f", "IsNumeric": True}, True),
        ({"Variable": "$.b", "IsBoolean": True}, True),
        ({"Variable": "$.t", "IsTimestamp": True}, True),
        ({"Variable": "$.s", "IsTimestamp": True}, False),
        (
            {
                "And": [
                    {"Variable": "$.nothing", "IsPresent": True},
                    {"Variable": "$.nothing", "NumericEquals": 1},
                ]
            },
            False,
        ),
        ({"Or": [{"Variable": "$.n", "NumericEquals": 5}, {"Variable": "$.nothing", "IsNull": True}]}, True),
        (
            {
                "Not": {
                    "Or": [
                        {"Variable": "$.n", "NumericEquals": 6},
                        {"Not": {"Variable": "$.s", "IsString": True}},
                    ]
                }
            },
            True,
        ),
    ],
)
def test_what_a_rule_says(rule: dict[str, Any], answer: bool) -> None:
    """A value of another type never matches, and And and Or ask no more than they have to."""
    assert holds({**rule, "Next": "There", "Comment": "-"}) is answer


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.nothing", "StringEquals": "x"},
        {"Variable": "$.nothing", "IsNull": True},
        {"Variable": "$.nothing", "IsString": False},
        {"Variable": "$.s", "StringEqualsPath": "$.nothing"},
        {"Variable": "$unset", "NumericEquals": 1},
        {"Variable": "$.s"},
    ],
)
def test_a_path_to_nothing_fails_the_state(rule: dict[str, Any]) -> None:
    """Only IsPresent may ask about it."""
    with pytest.raises(StateFailure) as failed:
        holds(rule)
    assert failed.value.error == RUNTIME


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-14",
        "2026-03-14T01:59:00",
        "2026-03-14t01:59:00z",
        "2026-13-14T01:59:00Z",
        "2026-03-14T25:59:00Z",
        "",
        "x",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    """RFC 3339 with `T`, and `Z` or an offset."""
    assert choice.matches({"Variable": "$", "IsTimestamp": False}, lambda path: text)


@pytest.mark.parametrize(
    ("text", "pattern", "answer"),
    [
        ("log-2026.txt", "log-*.txt", True),
        ("log-.txt", "log-*.txt", True),
        ("log.txt", "log-*.txt", False),
        ("a*c", r"a\*c", True),
        ("abc", r"a\*c", False),
        ("a\\c", r"a\\c", True),
        ("a\\xc", r"a\\*c", True),
        ("a\nb", "a*b", True),
        ("aba", "ab*ba", False),
        ("", "*", True),
        ("", "", True),
        ("a.c", "a?c", False),
    ],
)
def test_string_matches(text: str, pattern: str, answer: bool) -> None:
    """A star is any text; escaped it is itself."""
    assert choice.glob(text, pattern) is answer


def brute(text: str, pattern: list[str]) -> bool:
    """The meaning of a pattern of single characters, `*` any text, tried out in all ways."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(brute(text[at:], pattern[1:]) for at in range(len(text) + 1))
    return bool(text) and text[0] == pattern[0][-1] and brute(text[1:], pattern[1:])


@given(st.text("ab*\\", max_size=8), st.lists(st.sampled_from(["a", "b", "*", r"\*", r"\\"]), max_size=8))
def test_string_matches_means_what_brute_force_finds(text: str, pattern: list[str]) -> None:
    """For short texts and patterns of few characters, where clashes are likely."""
    assert choice.glob(text, "".join(pattern)) is brute(text, pattern)


def test_many_stars_take_no_long_time() -> None:
    """Each part is searched for once."""
    assert not choice.glob("a" * 100_000, "*a" * 500 + "b")
