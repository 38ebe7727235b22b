"""States Language documents read from YAML."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import InputError
from remit.workflow.reading import read, read_yaml

FLOW = """\
# fetches and ends
StartAt: Fetch
States:
  Fetch:
    Type: Task
    Resource: remit:tool:fetch
    Retry: &again
    - ErrorEquals: [States.ALL]
    Next: "on"
  "on": {Type: Task, Resource: remit:tool:on, Retry: *again, End: true}
"""


def test_every_value_has_the_place_where_it_begins() -> None:
    """A member begins with its name, an element with itself, an alias where it was written out."""
    made = read_yaml(FLOW)
    assert made.document["States"]["on"]["Retry"] == [{"ErrorEquals": ["States.ALL"]}]
    assert made.positions["/StartAt"] == (2, 1)
    assert made.positions["/States/Fetch"] == (4, 3)
    assert made.positions["/States/Fetch/Retry/0"] == (8, 7)
    assert made.positions["/States/on/Type"] == (10, 10)
    assert made.positions["/States/on/Retry/0/ErrorEquals/0"] == (8, 21)


def test_words_that_yaml_takes_for_something_else_are_text() -> None:
    """A date, `on` and `no` stay what was written: they are JSON texts."""
    made = read_yaml("a: 2026-01-31\nb: no\nc: on\nd: true\ne: 1.5\nf: null\ng: 2026-01-31T00:00:00Z\n")
    assert made.document == {
        "a": "2026-01-31",
        "b": "no",
        "c": "on",
        "d": True,
        "e": 1.5,
        "f": None,
        "g": "2026-01-31T00:00:00Z",
    }


def test_merged_fields_are_read_and_may_be_written_over() -> None:
    """What stands beside a merge key counts, and its place too."""
    made = read_yaml("base: &b {Type: Task, Retry: [1, 2]}\nmore:\n  <<: *b\n  Retry: [3]\n")
    assert made.document["more"] == {"Type": "Task", "Retry": [3]}
    assert made.positions["/more/Retry"] == (4, 3)
    assert made.positions["/more/Type"] == (1, 11)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1: a workflow is an object"),
        ("- 1", "line 1, column 1: a workflow is an object"),
        ("a: 1\na: 2", "line 2, column 1: not YAML: `a` occurs twice"),
        ("a: {b: 1, b: 2}", "line 1, column 11: not YAML: `b` occurs twice"),
        ("a: [1", "line 1, column 6: not YAML"),
        ("a: 1\n b: 2", "line 2, column 3: not YAML"),
        ("a:\n\t- 1", "line 2, column 1: not YAML"),
        ("1: a", "line 1, column 1: the name of a field is text: quote `1`"),
        ("a: {null: b}", "line 1, column 5: the name of a field is text: quote `null`"),
        ("a: .nan", "line 1, column 4: JSON has no value such as `nan`"),
        ("a: !!binary aGk=", "line 1, column 4: JSON has no value such as"),
        ("a: !!set {b}", "line 1, column 4: JSON has no value such as"),
        ("a: !Sub b", "line 1, column 4: not YAML: could not determine a constructor for the tag '!Sub'"),
        ("a: 1\n---\nb: 2", "line 2, column 1: not YAML"),
        ("a: &a [*a]", "nested too deep, or its aliases stand for too much"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
            "its aliases stand for too much",
        ),
        ("a: " + "[" * 150 + "]" * 150, "nested too deep"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    """What YAML can say and JSON cannot is a mistake like any other."""
    with pytest.raises(InputError) as caught:
        read_yaml(text)
    assert caught.value.code == "E630"
    assert said in caught.value.message


def test_json_is_read_as_json() -> None:
    """A text that begins with a brace is JSON, in which tabs may stand between values."""
    assert read('\n{\t"a": 1}').document == {"a": 1}
    with pytest.raises(InputError, match="in double quotes"):
        read("{a: 1}")


def test_a_document_that_is_too_large_is_refused() -> None:
    """The limit of Step Functions is 1 MiB."""
    with pytest.raises(InputError) as caught:
        read_yaml("a: " + "x" * 1_048_576)
    assert caught.value.code == "E631"


texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=4))
def test_it_reads_what_yaml_means(document: dict[str, Any]) -> None:
    """What is written as YAML comes back, with a place for each value."""
    made = read_yaml(yaml.safe_dump(document, allow_unicode=True))
    assert made.document == document
    assert all(line > 0 and column > 0 for line, column in made.positions.values())
