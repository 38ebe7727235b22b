"""JSONPath as Step Functions reads it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.states import paths
from remit.core.states.failures import RESULT_PATH, StateFailure

BOOKS = [{"title": "a", "price": 5}, {"title": "b", "price": 20, "tag": None}, {"title": "c"}]
INPUT: dict[str, Any] = {
    "books": BOOKS,
    "it's": {"a.b": 1, "zwei-ß": 2, "$odd": 3},
    "deep": {"price": 7, "null": None},
    "numbers": [3, 1, 2.5],
    "text": "abc",
}
CONTEXT = {"State": {"Name": "here"}}
VARIABLES = {"order": {"lines": [1, 2]}, "größe": 9}


def at(text: str) -> Any:
    """The value of a path in the input above."""
    return paths.look_up(text, INPUT, CONTEXT, VARIABLES)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", INPUT),
        ("$.books[0].title", "a"),
        ("$.books[-1].title", "c"),
        ("$['books'][1]['title']", "b"),
        ('$["books"][ 1 ].title', "b"),
        ("$['it\\'s']['a.b']", 1),
        ("$['it\\'s'].zwei-ß", 2),
        ("$['it\\'s'].$odd", 3),
        ("$.deep.null", None),
        ("$.books.[0].title", "a"),
        ("$$", CONTEXT),
        ("$$.State.Name", "here"),
        ("$order.lines[1]", 2),
        ("$order", {"lines": [1, 2]}),
        ("$größe", 9),
    ],
)
def test_a_definite_path_gives_the_value_itself(path: str, value: Any) -> None:
    """Names in dots or brackets, indexes from both ends, the context object and variables."""
    assert at(path) == value


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.books[*].title", ["a", "b", "c"]),
        ("$.books[*]['price']", [5, 20]),
        ("$.deep.*", [7, None]),
        ("$.deep[*]", [7, None]),
        ("$.text[*]", []),
        ("$.books[0,2].title", ["a", "c"]),
        ("$.books[1:].title", ["b", "c"]),
        ("$.books[-2:].title", ["b", "c"]),
        ("$.books[::2].title", ["a", "c"]),
        ("$..price", [5, 20, 7]),
        ("$.books..price", [5, 20]),
        ("$.books[?(@.price > 10)].title", ["b"]),
        ("$.books[?(@.price > 1 && @.price < 10)].title", ["a"]),
        ("$.books[?(@.price)].title", ["a", "b"]),
        ("$.books[?(!@.price)].title", ["c"]),
        ("$.books[?(@.title == 'c')].title", ["c"]),
        ("$.books[?(@.title in ['a','c'])].title", ["a", "c"]),
        ("$.books[?(@.title =~ /[bc]/)].title", ["b", "c"]),
        ("$.books[?(@.price > 100)]", []),
        ("$.books[?(@.title == b)].title", ["b"]),
        ("$.deep[?(@.price > 1)]", [{"price": 7, "null": None}]),
        ("$.deep[?(@.price > 10)]", []),
        ("$.books[?(@.price > 10)]['title', 'tag']", ["b", None]),
        ("$..[?(@.price > 10)].title", ["b"]),
        ("$.books[?(@.price == $.books[1].price)].title", ["b"]),
        ("$.books[?(@.price > 10)].nothing", []),
        ("$order.lines[*]", [1, 2]),
    ],
)
def test_an_indefinite_path_gives_a_list(path: str, values: list[Any]) -> None:
    """Wildcards, unions, slices, recursive descent and filters give all that match, also none."""
    assert at(path) == values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.books.length()", 3),
        ("$.books[*].length()", 3),
        ("$.text.length()", 3),
        ("$.numbers.min()", 1),
        ("$.numbers.max()", 3),
        ("$.numbers.sum()", 6.5),
        ("$.deep.keys()", ["price", "null"]),
        ("$.numbers.first()", 3),
        ("$.numbers.last()", 2.5),
        ("$..price.avg()", 32 / 3),
    ],
)
def test_a_path_may_end_in_a_function(path: str, value: Any) -> None:
    """The functions of Jayway JsonPath that take nothing."""
    assert at(path) == value


@pytest.mark.parametrize(
    "path",
    [
        "$.nothing",
        "$.books.title",
        "$.books[3]",
        "$.books[-4]",
        "$.text.a",
        "$.deep.null.a",
        "$.text[0]",
        "$.nothing[*]",
        "$.nothing[?(@.a == 1)]",
        "$$.Nothing",
        "$unset",
        "$order.nothing",
    ],
)
def test_a_definite_path_to_nothing_has_no_match(path: str) -> None:
    """So has an indefinite path whose definite beginning leads to nothing, and a variable without a value."""
    with pytest.raises(paths.NoMatch, match=r"leads to nothing|has no value"):
        at(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "books",
        "$.",
        "$books name",
        "$.books[",
        "$.books[?(@.a ==)]",
        "$.a b",
        "$.a | $.b",
        "$.books[(@.length-1)]",
        "$.x.(y)",
        "$.deep.length().x",
    ],
)
def test_what_is_no_path_is_refused_with_a_sentence(path: str) -> None:
    """The sentence names the path."""
    with pytest.raises(ValueError, match="is not a path"):
        paths.compile_path(path)


def test_a_regular_expression_that_could_take_for_ever_is_refused() -> None:
    """Repetition inside of repetition."""
    with pytest.raises(ValueError, match="repeats what repeats itself"):
        paths.compile_path("$.books[?(@.title =~ /(a+)+$/)]")


@pytest.mark.parametrize(
    "path", ["$.a[*]", "$..a", "$.a[0,1]", "$.a[-1]", "$.a[?(@.b)]", "$.a.length()", "$.a[1:2]"]
)
def test_a_reference_path_names_a_single_place(path: str) -> None:
    """All else is refused."""
    with pytest.raises(ValueError, match="is not a reference path"):
        paths.compile_reference(path)


@pytest.mark.parametrize(
    ("path", "document", "made"),
    [
        ("$", {"a": 1}, 0),
        ("$.b", {"a": 1}, {"a": 1, "b": 0}),
        ("$.a", {"a": 1}, {"a": 0}),
        ("$.b.c.d", {"a": 1}, {"a": 1, "b": {"c": {"d": 0}}}),
        ("$.a.b", {"a": {"c": 1}}, {"a": {"c": 1, "b": 0}}),
        ("$.a[1].b", {"a": [1, {"c": 2}]}, {"a": [1, {"c": 2, "b": 0}]}),
    ],
)
def test_put_makes_the_objects_on_the_way(path: str, document: Any, made: Any) -> None:
    """And keeps all else."""
    assert paths.put(path, document, 0) == made


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("$.a", 1),
        ("$.a", [1]),
        ("$.a.b", {"a": "text"}),
        ("$.a[2]", {"a": [1]}),
        ("$.a[0]", {}),
        ("$.a.b", {"a": None}),
    ],
)
def test_put_refuses_what_has_no_such_place(path: str, document: Any) -> None:
    """A scalar has no fields, and an array no element beyond its end."""
    with pytest.raises(StateFailure) as failed:
        paths.put(path, document, 0)
    assert failed.value.error == RESULT_PATH


NAMES = st.text(min_size=1, max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, JSON), st.lists(NAMES, min_size=1, max_size=4), JSON)
def test_what_is_put_is_found_again(document: dict[str, Any], names: list[str], value: Any) -> None:
    """At any path that does not run into something that is no object; the document itself stays as it was."""
    path = "$" + "".join("['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']" for name in names)
    before = repr(document)
    try:
        made = paths.put(path, document, value)
    except StateFailure:
        return
    assert paths.look_up(path, made, {}, {}) is value
    assert repr(document) == before
