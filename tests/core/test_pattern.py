"""Event patterns: the language of EventBridge, its mistakes, and its agreement with a plain reading of the rules."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import InputError
from remit.core.pattern import compiled, of_types, problems_of

EVENT = {
    "type": "order.placed",
    "source": "shop",
    "data": {
        "total": 120,
        "price": 12.5,
        "state": "OPEN",
        "note": "",
        "gone": None,
        "paid": True,
        "tags": ["red", "blue"],
        "numbers": [1, 2, 3],
        "empty": [],
        "ip": "10.0.0.17",
        "ip6": "2001:db8::5",
        "path": "dir/a*b.txt",
        "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 9}],
        "nested": [["x"], ["y"]],
        "deep": {"er": {"est": "z"}},
    },
}


def data(**fields: Any) -> dict[str, Any]:
    """A pattern about the data."""
    return {"data": fields}


CASES: list[tuple[dict[str, Any], bool]] = [
    ({"type": ["order.placed"]}, True),
    ({"type": ["order.shipped", "order.placed"]}, True),
    ({"type": ["order"]}, False),
    ({"type": ["order.placed"], "source": ["till"]}, False),
    # Values are equal when they are written alike.
    (data(total=[120]), True),
    (data(total=[120.0]), False),
    (data(total=["120"]), False),
    (data(paid=[True]), True),
    (data(paid=[1]), False),
    (data(paid=["true"]), False),
    (data(gone=[None]), True),
    (data(gone=[""]), False),
    (data(note=[""]), True),
    (data(note=[None]), False),
    (data(missing=[None]), False),
    # A list in an event matches by any of its values, an object in a list by one of them, whole.
    (data(tags=["blue"]), True),
    (data(tags=["green"]), False),
    (data(nested=["y"]), True),
    (data(items={"sku": ["a"], "n": [1]}), True),
    (data(items={"sku": ["a"], "n": [9]}), False),
    (data(items={"sku": ["c"]}), False),
    (data(deep={"er": {"est": ["z"]}}), True),
    (data(deep=["z"]), False),
    (data(total={"x": ["z"]}), False),
    # prefix and suffix
    (data(state=[{"prefix": "OP"}]), True),
    (data(state=[{"prefix": "op"}]), False),
    (data(state=[{"prefix": {"equals-ignore-case": "op"}}]), True),
    (data(state=[{"suffix": "EN"}]), True),
    (data(state=[{"suffix": {"equals-ignore-case": "en"}}]), True),
    (data(state=[{"suffix": "OP"}]), False),
    (data(total=[{"prefix": "1"}]), False),
    (data(tags=[{"prefix": "bl"}]), True),
    (data(state=[{"equals-ignore-case": "open"}]), True),
    (data(state=[{"equals-ignore-case": "opened"}]), False),
    # wildcard
    (data(state=[{"wildcard": "O*N"}]), True),
    (data(state=[{"wildcard": "*"}]), True),
    (data(state=[{"wildcard": "O*E"}]), False),
    (data(path=[{"wildcard": "dir/*.txt"}]), True),
    (data(path=[{"wildcard": "dir/a\\*b.txt"}]), True),
    (data(path=[{"wildcard": "dir/\\*b.txt"}]), False),
    # numbers
    (data(total=[{"numeric": [">", 100]}]), True),
    (data(total=[{"numeric": [">", 100, "<=", 120]}]), True),
    (data(total=[{"numeric": [">", 100, "<", 120]}]), False),
    (data(total=[{"numeric": ["=", 120]}]), True),
    (data(price=[{"numeric": ["<=", 12.5]}]), True),
    (data(state=[{"numeric": [">", 0]}]), False),
    (data(paid=[{"numeric": ["=", 1]}]), False),
    (data(numbers=[{"numeric": [">", 2]}]), True),
    # exists
    (data(total=[{"exists": True}]), True),
    (data(gone=[{"exists": True}]), True),
    (data(missing=[{"exists": True}]), False),
    (data(missing=[{"exists": False}]), True),
    (data(total=[{"exists": False}]), False),
    (data(deep=[{"exists": True}]), False),
    (data(deep=[{"exists": False}]), True),
    (data(empty=[{"exists": True}]), False),
    (data(empty=[{"exists": False}]), True),
    (data(missing={"a": [{"exists": False}]}), True),
    (data(missing={"a": ["x"]}), False),
    (data(total=["x", {"exists": False}]), False),
    (data(missing=["x", {"exists": False}]), True),
    # anything-but
    (data(state=[{"anything-but": "SHUT"}]), True),
    (data(state=[{"anything-but": "OPEN"}]), False),
    (data(state=[{"anything-but": ["OPEN", "SHUT"]}]), False),
    (data(total=[{"anything-but": 120}]), False),
    (data(total=[{"anything-but": [1, 2]}]), True),
    (data(total=[{"anything-but": "120"}]), True),
    (data(missing=[{"anything-but": "x"}]), False),
    (data(tags=[{"anything-but": "red"}]), True),
    (data(state=[{"anything-but": {"prefix": "OP"}}]), False),
    (data(state=[{"anything-but": {"prefix": ["X", "OP"]}}]), False),
    (data(state=[{"anything-but": {"suffix": "XX"}}]), True),
    (data(state=[{"anything-but": {"equals-ignore-case": ["open", "shut"]}}]), False),
    (data(state=[{"anything-but": {"wildcard": "*PE*"}}]), False),
    (data(state=[{"anything-but": {"wildcard": ["*Q*", "*Z*"]}}]), True),
    # cidr
    (data(ip=[{"cidr": "10.0.0.0/24"}]), True),
    (data(ip=[{"cidr": "10.0.1.0/24"}]), False),
    (data(ip6=[{"cidr": "2001:db8::/32"}]), True),
    (data(ip6=[{"cidr": "10.0.0.0/8"}]), False),
    (data(state=[{"cidr": "10.0.0.0/8"}]), False),
    # $or
    ({"$or": [{"type": ["x"]}, {"source": ["shop"]}]}, True),
    ({"$or": [{"type": ["x"]}, {"source": ["y"]}]}, False),
    ({"type": ["order.placed"], "$or": [{"source": ["x"]}, {"source": ["y"]}]}, False),
    (data(**{"$or": [{"total": [{"numeric": [">", 500]}]}, {"state": ["OPEN"]}]}), True),
]


@pytest.mark.parametrize(("pattern", "expected"), CASES)
def test_patterns_match_as_eventbridge_says(pattern: dict[str, Any], expected: bool) -> None:
    """Each operator, on each kind of value that it is about and on those that it is not."""
    assert compiled(pattern).matches(EVENT) is expected


@pytest.mark.parametrize(
    ("pattern", "mistakes"),
    [
        ([], ["is no JSON object"]),
        ({}, ["names no field"]),
        ({"a": "x"}, ["takes a list of values"]),
        ({"a": []}, ["empty list"]),
        ({"a": {}}, ["`a` names no field"]),
        ({"a": [{"like": 1}]}, ["unknown operator `like`"]),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, ["one operator"]),
        ({"a": [{"prefix": 1}]}, ["`prefix` takes a text"]),
        ({"a": [{"suffix": {"equals-ignore-case": 1}}]}, ["`suffix` takes a text"]),
        ({"a": [{"exists": "yes"}]}, ["neither true nor false"]),
        ({"a": [{"numeric": [">"]}]}, ["one or two comparisons"]),
        ({"a": [{"numeric": ["~", 1]}]}, ["unknown sign"]),
        ({"a": [{"numeric": [">", "1"]}]}, ["numbers from"]),
        ({"a": [{"numeric": [">", True]}]}, ["numbers from"]),
        ({"a": [{"numeric": ["<", 1, ">", 0]}]}, ["lower to an upper"]),
        ({"a": [{"numeric": [">", 1, "<", 1]}]}, ["holds no number"]),
        ({"a": [{"numeric": [">", 6_000_000_000]}]}, ["numbers from"]),
        ({"a": [{"anything-but": []}]}, ["takes texts or numbers"]),
        ({"a": [{"anything-but": ["x", 1]}]}, ["only texts or only numbers"]),
        ({"a": [{"anything-but": {"numeric": [">", 1]}}]}, ["`anything-but` takes one of"]),
        ({"a": [{"anything-but": {"prefix": []}}]}, ["excludes nothing"]),
        ({"a": [{"wildcard": "a**b"}]}, ["two `*` in a row"]),
        ({"a": [{"wildcard": "a\\b"}]}, ["followed by neither"]),
        ({"a": [{"cidr": "10.0.0.1"}]}, ["block of addresses"]),
        ({"a": [{"cidr": "10.0.0.0/99"}]}, ["block of addresses"]),
        ({"$or": [{"a": [1]}]}, ["at least two"]),
        ({"$or": [{"a": [1]}, {"b": []}]}, ["`$or[1].b`"]),
        ({"a": [], "b": "x", "c": [{"like": 1}]}, ["`a`", "`b`", "`c[0]`"]),
    ],
)
def test_every_mistake_is_said_with_its_place(pattern: Any, mistakes: list[str]) -> None:
    """All at once, when the pattern is written."""
    found = problems_of(pattern)
    assert len(found) == len(mistakes)
    for said, wanted in zip(found, mistakes, strict=True):
        assert wanted in said
    with pytest.raises(InputError) as refusal:
        compiled(pattern)
    assert refusal.value.code == "E662"


def test_a_pattern_that_is_too_deep_is_refused() -> None:
    """Nesting is bounded, so that no pattern exhausts the stack."""
    pattern: Any = ["x"]
    for _ in range(200):
        pattern = {"a": pattern}
    assert problems_of(pattern)


def test_types_become_patterns() -> None:
    """What an agent subscribes to: types as they are, with a `*`, or whole patterns."""
    made = of_types(["order.placed", "order.*", {"source": ["shop"]}])
    assert made == [{"type": ["order.placed"]}, {"type": [{"wildcard": "order.*"}]}, {"source": ["shop"]}]


ALPHABET = "ab*\\.[?"
TEXTS = st.text("ab.[?", max_size=8)


@given(pieces=st.lists(TEXTS, min_size=1, max_size=4), text=TEXTS)
def test_a_wildcard_matches_what_a_shell_would(pieces: list[str], text: str) -> None:
    """`*` stands for any text, everything else for itself, for every text."""
    pieces = [pieces[0], *(p for p in pieces[1:-1] if p), *pieces[1:][-1:]]
    wildcard = "*".join(pieces)
    if "**" in wildcard:
        return
    shell = "*".join(piece.replace("[", "[[]").replace("?", "[?]") for piece in pieces)
    assert compiled({"a": [{"wildcard": wildcard}]}).matches({"a": text}) is fnmatchcase(text, shell)


def test_a_hostile_wildcard_takes_no_time() -> None:
    """Many `*` over a long text that almost matches."""
    pattern = compiled({"a": [{"wildcard": "*".join(["a"] * 60) + "b"}]})
    assert pattern.matches({"a": "a" * 5000}) is False


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "a", "b", "ab"])


@given(field=SCALARS | st.lists(SCALARS, max_size=3), wanted=st.lists(SCALARS, min_size=1, max_size=3))
def test_values_match_by_any_of(field: Any, wanted: list[Any]) -> None:
    """A field matches exactly when one of its values is written as one of the pattern's."""
    values = field if isinstance(field, list) else [field]
    expected = bool({json.dumps(v) for v in values} & {json.dumps(w) for w in wanted})
    assert compiled({"a": wanted}).matches({"a": field}) is expected


@given(field=st.integers(-20, 20), low=st.integers(-20, 20), high=st.integers(-20, 20))
def test_ranges(field: int, low: int, high: int) -> None:
    """A range is both of its comparisons."""
    if low < high:
        pattern = compiled({"a": [{"numeric": [">", low, "<=", high]}]})
        assert pattern.matches({"a": field}) is (low < field <= high)


@given(field=SCALARS, but=st.lists(st.sampled_from(["a", "b", "", "c"]), min_size=1))
def test_anything_but_is_the_opposite_of_any_of(field: Any, but: list[str]) -> None:
    """For a field with one value."""
    assert compiled({"a": [{"anything-but": but}]}).matches({"a": field}) is not compiled({"a": but}).matches(
        {"a": field}
    )
