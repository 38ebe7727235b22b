"""Intrinsic functions. Values marked `recorded` were recorded from Step Functions itself."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.states import intrinsics
from remit.core.states.env import Env
from remit.core.states.failures import INTRINSIC, StateFailure

ENV = Env(now_ms=lambda: 0, random=lambda: 0.5, new_id=lambda: "an-id")


def value_of(text: str, **fields: Any) -> Any:
    """The value of a call whose paths are `$.name`."""
    return intrinsics.evaluate(intrinsics.parse(text), lambda path: fields[path[2:]], ENV)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('Hello {}, {}', 'you', 1)", "Hello you, 1"),
        ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
        ("States.Format('no slot')", "no slot"),
        (r"States.Format('it\'s \{\} \\ {}', 'x')", r"it's {} \ x"),
        (r"States.Format('{}', 'a\'b')", "a'b"),
        ("States.StringToJson('[1,{\"a\":null}]')", [1, {"a": None}]),
        ("States.StringToJson(' ')", None),
        ("States.JsonToString(States.Array(1,'é',null))", '[1,"é",null]'),
        ("States.Array()", []),
        ("States.Array( 1 , -2.5e1,'a,)' )", [1, -25.0, "a,)"]),
        ("States.ArrayPartition(States.Array(1,2,3),2)", [[1, 2], [3]]),
        ("States.ArrayPartition(States.Array(1,2,3),1.6)", [[1, 2], [3]]),
        ("States.ArrayContains(States.Array(1,2),2.0)", True),
        ("States.ArrayContains(States.Array(1,2),true)", False),
        ("States.ArrayRange(1,9,2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(9,1,-4)", [9, 5, 1]),
        ("States.ArrayRange(1,9,-1)", []),
        ("States.ArrayRange(0,999,1)", list(range(1000))),
        ("States.ArrayGetItem(States.Array('a','b'),1)", "b"),
        ("States.ArrayLength(States.Array(1,2))", 2),
        ("States.ArrayUnique(States.Array(2,1,2,1.0,true,'1',null,null))", [2, 1, True, "1", None]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGVjb2RlZCBkYXRh')", "Decoded data"),
        ("States.Hash('input data','SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),  # recorded
        ("States.Hash('input data','MD5')", "812f45842bc6d66ee14572ce20db8e86"),  # recorded
        ("States.MathAdd(111,-1)", 110),
        ("States.MathAdd(-1.49,-1.5)", -2),  # recorded
        ("States.MathAdd(-1.5,-1.51)", -3),  # recorded
        ("States.MathAdd(1.5,1.51)", 4),  # recorded
        ("States.MathRandom(10,20)", 15),
        (
            "States.StringSplit('This.is+a,test=string','.+,=')",
            ["This", "is", "a", "test", "string"],
        ),  # recorded
        ("States.StringSplit(', , ,',',')", [" ", " "]),  # recorded
        ("States.StringSplit(',,,,',',')", []),  # recorded
        ("States.StringSplit('a]b^c','^]')", ["a", "b", "c"]),
        ("States.UUID()", "an-id"),
        (
            "States.ArrayGetItem(States.StringSplit(States.Format('{}-{}','a','b'),'-'),States.MathAdd(0,1))",
            "b",
        ),
    ],
)
def test_each_function_gives_what_is_documented(text: str, value: Any) -> None:
    """Constants and nested calls as arguments."""
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_arguments_are_paths_too() -> None:
    """Of any form, brackets, quotes and filters included."""
    assert value_of("States.JsonMerge($.a, $.b, false)", a={"x": 1, "y": 1}, b={"y": 2}) == {"x": 1, "y": 2}
    assert value_of("States.Format($.template, $.name)", template="<{}>", name="n") == "<n>"
    parsed = intrinsics.parse(
        "States.Array($.a['x,)'], $.b[?(@.c == 'd,)')].e, $$.State.Name, $v.w, $.l.length())"
    )
    assert [argument.path for argument in parsed.arguments] == [
        "$.a['x,)']",
        "$.b[?(@.c == 'd,)')].e",
        "$$.State.Name",
        "$v.w",
        "$.l.length()",
    ]


def test_format_shows_objects_and_arrays_in_the_way_of_step_functions() -> None:
    """Not as JSON (recorded)."""
    assert value_of("States.Format('{}', $.x)", x={"Arg1": 1, "Arg2": []}) == "{Arg1=1, Arg2=[]}"
    assert value_of("States.Format('{}', $.x)", x=["a", None]) == "[a, null]"


def test_a_seed_gives_the_same_number_each_time() -> None:
    """And another seed another one."""
    drawn = [value_of(f"States.MathRandom(0,1000000,{seed})") for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{} {}', 1)",
        "States.Format('{}', 1, 2)",
        "States.Format('{', 1)",
        "States.Format(1)",
        "States.StringToJson('x')",
        "States.StringToJson('NaN')",
        "States.StringToJson(1)",
        "States.ArrayPartition(States.Array(1),0)",
        "States.ArrayPartition(1,1)",
        "States.ArrayContains('abc','a')",
        "States.ArrayRange(1,9,0)",
        "States.ArrayRange(0,1000,1)",
        "States.ArrayRange('1',2,1)",
        "States.ArrayGetItem(States.Array(1),1)",
        "States.ArrayGetItem(States.Array(1),-1)",
        "States.ArrayLength('abc')",
        "States.ArrayUnique(null)",
        "States.Base64Encode(1)",
        "States.Base64Decode('!')",
        "States.Base64Decode('/w==')",
        "States.Hash('a','CRC')",
        "States.JsonMerge(1,2,false)",
        "States.MathAdd('1',2)",
        "States.MathAdd(true,2)",
        "States.MathAdd(2147483647,1)",
        "States.MathRandom(5,5)",
        "States.StringSplit(1,',')",
    ],
)
def test_arguments_that_a_function_refuses_fail_with_its_own_error(text: str) -> None:
    """States.IntrinsicFailure, naming the function."""
    with pytest.raises(StateFailure) as failed:
        value_of(text)
    assert failed.value.error == INTRINSIC
    assert text.split("(")[0] in failed.value.cause


@pytest.mark.parametrize(
    "function", ["States.Base64Encode($.x)", "States.Base64Decode($.x)", "States.Hash($.x,'MD5')"]
)
def test_long_text_is_refused(function: str) -> None:
    """At most 10,000 characters."""
    value_of(function, x="YWFh" * 2500)
    with pytest.raises(StateFailure, match="at most 10,000 characters"):
        value_of(function, x="a" * 10_001)


def test_a_deep_merge_is_refused() -> None:
    """Step Functions has none."""
    with pytest.raises(StateFailure, match="shallowly"):
        value_of("States.JsonMerge($.a, $.a, true)", a={})


@pytest.mark.parametrize(
    "text",
    [
        "States.Nope()",
        "Format('a')",
        "States.Format('a'",
        "States.Format('a',)",
        "States.Format('a') x",
        "States.Format('a' 'b')",
        "States.Format('a)",
        "States.Format(a)",
        "States.Hash('a')",
        "States.UUID(1)",
        "States.Array($.)",
        "States.Array($.a[)",
        "States.Array(01)",
    ],
)
def test_bad_syntax_is_refused_with_a_sentence(text: str) -> None:
    """As is an unknown function, or a wrong number of arguments."""
    with pytest.raises(ValueError, match="`"):
        intrinsics.parse(text)


def test_functions_nest_up_to_ten_deep() -> None:
    """And not eleven."""
    assert value_of("States.Array(" * 10 + ")" * 10) is not None
    with pytest.raises(ValueError, match="deeper than 10"):
        intrinsics.parse("States.Array(" * 11 + ")" * 11)


@given(st.text())
def test_any_string_survives_quotes_and_escapes(text: str) -> None:
    """A backslash before a quote, a brace or a backslash makes it literal."""
    escaped = "".join(f"\\{char}" if char in "\\'{}" else char for char in text)
    assert value_of(f"States.Format('{escaped}')") == text
    assert value_of(f"States.Array('{escaped}')") == [text]


@given(st.text())
def test_parsing_ends_with_a_call_or_a_sentence(text: str) -> None:
    """Whatever the text."""
    with contextlib.suppress(ValueError):
        intrinsics.parse(f"States.Array({text}")
