"""JSON text read with the place of every value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.errors import InputError
from remit.core.states.text import MOST_BYTES, MOST_DEPTH, child, read_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(st.text(), values, max_size=5)


def at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer, as RFC 6901 says."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


@given(documents, st.sampled_from([None, 1, "\t"]))
def test_it_reads_what_json_means(document: dict[str, Any], indent: int | str | None) -> None:
    """The value is that of the standard library, whatever the layout."""
    assert read_json(json.dumps(document, indent=indent)).document == document


@given(documents)
def test_every_value_has_the_place_where_it_begins(document: dict[str, Any]) -> None:
    """A member begins with its name, an element with itself."""
    text = json.dumps(document, indent=2)
    lines = text.split("\n")
    for pointer, (line, column) in read_json(text).positions.items():
        rest = lines[line - 1][column - 1 :]
        parent, _, last = pointer.rpartition("/")
        if not pointer:
            assert rest.startswith("{")
        elif isinstance(at(document, parent), dict):
            assert rest.startswith(json.dumps(last.replace("~1", "/").replace("~0", "~")) + ":")
        else:
            assert rest.startswith(json.dumps(at(document, pointer), indent=2).split("\n")[0])


@given(documents)
def test_no_value_is_without_a_place(document: dict[str, Any]) -> None:
    """There are as many places as values."""

    def count(value: Any) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return 1 + sum(map(count, inner))

    assert len(read_json(json.dumps(document)).positions) == count(document)


def test_tabs_and_a_byte_order_mark_are_no_mistake() -> None:
    """Editors on Windows write both."""
    made = read_json('\ufeff{\r\n\t"StartAt":\t"A"\r\n}')
    assert made.document == {"StartAt": "A"}
    assert made.positions["/StartAt"] == (2, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1: a workflow is an object"),
        ("[]", "line 1, column 1: a workflow is an object"),
        ('{"a": 1', "line 1, column 8: a comma or `}` is expected"),
        ('{"a": 1,}', "line 1, column 9: the name of a field is expected"),
        ('{"a": [1,]}', "line 1, column 10: a value is expected, and `]` stands there"),
        ('{"a" 1}', "line 1, column 6: a colon is expected after `a`"),
        ('{"a":\n 1,\n "a": 2}', "line 3, column 2: `a` occurs twice"),
        ('{"a": {"b": 1, "b": 2}}', "line 1, column 16: `b` occurs twice"),
        ('{"a": NaN}', "line 1, column 7: a value is expected, and `N` stands there"),
        ('{"a": 01}', "line 1, column 8: a comma or `}` is expected"),
        ('{"a": .5}', "line 1, column 7: a value is expected"),
        ('{"a": "\t"}', "line 1, column 8: invalid control character"),
        ('{"a": "b}', "line 1, column 7: unterminated string"),
        ('{"a": "\\x"}', "line 1, column 8: invalid \\escape"),
        ('{"a": 1} // end', "line 1, column 10: text follows the end of the document"),
        ("{'a': 1}", "line 1, column 2: the name of a field is expected, in double quotes"),
        ('{"a": ', "line 1, column 7: a value is expected, and the end of the text stands there"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "nested more than"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: str) -> None:
    """Line and column are those of the first character that is wrong."""
    with pytest.raises(InputError) as caught:
        read_json(text)
    assert caught.value.code == "E630"
    assert said in caught.value.message


def test_a_document_of_the_largest_size_is_read_and_a_larger_one_is_not() -> None:
    """The limit is 1 MiB of UTF-8, as for Step Functions."""
    text = json.dumps({"a": ""})
    full = json.dumps({"a": "x" * (MOST_BYTES - len(text))})
    assert read_json(full).document["a"].startswith("x")
    with pytest.raises(InputError, match=f"{MOST_BYTES + 1} bytes") as caught:
        read_json(full + " ")
    assert caught.value.code == "E631"


def test_a_document_may_be_as_deep_as_said() -> None:
    """Depth is refused by a sentence and never by the end of the stack."""
    deep = "[" * (MOST_DEPTH - 1) + "]" * (MOST_DEPTH - 1)
    assert read_json('{"a": ' + deep + "}").document["a"] is not None


def test_a_pointer_escapes_what_has_a_meaning() -> None:
    """Names of states may hold slashes and tildes."""
    made = read_json('{"a/b": {"c~d": [1]}}')
    assert made.positions["/a~1b/c~0d/0"] == (1, 18)
    assert child("/x", "a/b~c") == "/x/a~1b~0c"
