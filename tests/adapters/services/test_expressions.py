"""Expressions of DynamoDB, by themselves: no text crashes them, and they mean what their structure says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.adapters.services.items.expressions import Names, condition, projection, update
from remit.adapters.services.items.paths import project
from remit.adapters.services.items.values import Invalid, checked_item

ITEM = {
    "a": {"N": "1"},
    "b": {"S": "x"},
    "c": {"L": [{"N": "1"}, {"M": {"d": {"S": "y"}}}]},
    "d": {"M": {"e": {"SS": ["p", "q"]}}},
}
VALUES = {":v": {"N": "2"}, ":s": {"S": "x"}, ":l": {"L": [{"N": "3"}]}, ":t": {"SS": ["p"]}}
TOKENS = """
    a b c d e zz #n :v :s :l :t SET REMOVE ADD DELETE AND OR NOT IN BETWEEN = <> < >= + - , ( ) [ ] . 0 1 7
    attribute_exists attribute_not_exists begins_with contains size attribute_type if_not_exists list_append
"""
WORDS = st.sampled_from(TOKENS.split())
TEXTS = st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=30)


def names() -> Names:
    """Placeholders."""
    return Names({"#n": "d"}, VALUES)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_no_text_crashes(text: str) -> None:
    """It has a meaning or is Invalid; and nothing but the item that is given is changed, by updates alone."""
    before = copy.deepcopy(ITEM)
    for read in (condition, projection):
        try:
            made: Any = read(text, names())
            project(ITEM, made) if read is projection else made(ITEM)
        except Invalid:
            pass
    assert before == ITEM
    try:
        apply, _ = update(text, names())
        changed = copy.deepcopy(ITEM)
        apply(changed)
        assert checked_item(changed) == changed
    except Invalid:
        pass
    assert before == ITEM
    assert VALUES == {":v": {"N": "2"}, ":s": {"S": "x"}, ":l": {"L": [{"N": "3"}]}, ":t": {"SS": ["p"]}}


TRUTHS = {"a = :v": False, "b = :s": True, "attribute_exists(d.e)": True, "attribute_exists(zz)": False}
ATOMS = st.sampled_from(sorted(TRUTHS)).map(lambda text: (text, TRUTHS[text]))
FORMULAS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda f: (f"NOT ({f[0]})", not f[1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) AND ({p[1][0]})", p[0][1] and p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) OR ({p[1][0]})", p[0][1] or p[1][1])),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(FORMULAS)
def test_logic_is_logic(formula: tuple[str, bool]) -> None:
    """AND, OR, NOT and brackets, however they are nested."""
    assert condition(formula[0], names())(ITEM) == formula[1]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a = :v", "b = :s"]), min_size=1, max_size=6), st.data())
def test_and_binds_tighter_than_or(atoms: list[str], data: st.DataObject) -> None:
    """Without brackets, as in DynamoDB."""
    signs = [data.draw(st.sampled_from(["AND", "OR"])) for _ in atoms[1:]]
    text = atoms[0] + "".join(f" {sign} {atom}" for sign, atom in zip(signs, atoms[1:], strict=True))
    parts = [all(TRUTHS[atom] for atom in part.split(" AND ")) for part in text.split(" OR ")]
    assert condition(text, names())(ITEM) == any(parts)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), unique=True, max_size=5))
def test_elements_go_by_the_places_that_they_had(places: list[int]) -> None:
    """Removing several elements of a list at once."""
    item: dict[str, Any] = {"l": {"L": [{"N": str(n)} for n in range(6)]}}
    if not places:
        return
    update("REMOVE " + ", ".join(f"l[{p}]" for p in places), Names({}, {}))[0](item)
    assert item["l"]["L"] == [{"N": str(n)} for n in range(6) if n not in places]


@pytest.mark.parametrize("text", ["a = :missing", "#missing = :v"])
def test_a_placeholder_must_be_given(text: str) -> None:
    """And one that is given must be used."""
    with pytest.raises(Invalid, match="not defined"):
        condition(text, names())
    used = names()
    condition("a = :v", used)
    with pytest.raises(Invalid, match="unused"):
        used.check_used()


@pytest.mark.parametrize(
    "value",
    [
        {}, {"S": "a", "N": "1"}, {"X": "a"}, {"S": 1}, {"N": 1}, {"B": "*"}, {"B": 1}, {"BOOL": 1}, {"NULL": False},
        {"L": {}}, {"M": []}, {"SS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"NS": ["x"]}, "a", None, ["a"],
    ],
)  # fmt: skip
def test_a_value_has_one_type_and_is_of_it(value: Any) -> None:
    """As in DynamoDB."""
    with pytest.raises(Invalid):
        checked_item({"a": value})


def test_values_lie_no_deeper_than_in_dynamodb() -> None:
    """32 levels, and however many more there are, it is only Invalid."""
    value: dict[str, Any] = {"S": "x"}
    for _ in range(32):
        value = {"L": [value]}
    assert checked_item({"a": value}) == {"a": value}
    for _ in range(50_000):
        value = {"M": {"k": value}}
    with pytest.raises(Invalid, match="Nesting"):
        checked_item({"a": value})
