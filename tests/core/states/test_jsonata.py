"""JSONata as Step Functions has it, and expressions that try to harm."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.states import jsonata
from remit.core.states.env import Env
from remit.core.states.failures import QUERY, StateFailure

ENV = Env(now_ms=lambda: 1_700_000_000_000, random=lambda: 0.5, new_id=lambda: "an-id")
INPUT: dict[str, Any] = {
    "list": [1, 2, None, {"b": None}],
    "mixed": [1, True, 1.0, "1", "true", True],
    "empty": [],
    "rows": [{"k": "a", "n": 1}, {"k": "b", "n": 1}, {"k": "c", "n": 0}],
    "big": list(range(1000)),
}


def value_of(expression: str, **variables: Any) -> Any:
    """The value of an expression; `$states.input` is the input above."""
    sight = jsonata.Sight({"input": INPUT, "context": {"State": {"Name": "here"}}}, variables, ENV)
    return jsonata.fill("{% " + expression + " %}", sight, "Output")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.list[0]", 1),
        ("$states.context.State.Name", "here"),
        ("$x.y + 1", 4),
        ("$x.y / 2", 1.5),
        ("7.5 % 2", 1.5),
        ("-7 % 3", -1),
        ("1e3", 1000),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("null", None),
        ("$states.input.list", [1, 2, None, {"b": None}]),
        ("$states.input.list[2]", None),
        ("$states.input.list[3].b", None),
        ("$count($states.input.list)", 4),
        ("$map($states.input.list, function($each) { $each })", [1, 2, None, {"b": None}]),
        ("{'a': null, 'b': $nothing, 'c': []}", {"a": None, "c": []}),
        ("$states.input.empty", []),
        ("$states.input.rows[k = 'b'].n", 1),
        ("[$states.input.rows[k = 'b'].n]", [1]),
        ("$states.input.rows{k: n}", {"a": 1, "b": 1, "c": 0}),
        ("[1..3]", [1, 2, 3]),
        ("$count([1..3])", 3),
        ("[1..$x.y]", [1, 2, 3]),
        ("$exists($nothing)", False),
        ("1 in [true]", False),
        ("'a' in ['a', 'b']", True),
        ("$distinct($states.input.mixed)", [1, True, "1", "true"]),
        ("$string({'é': 1.0, 'n': null})", '{"é":1,"n":null}'),
        ("$string(1/3)", "0.333333333333333"),
        ("'a' & 1 & null & $nothing & [1]", "a1null[1]"),
        ("$sort($states.input.rows, function($l, $r) { $l.n > $r.n }).k", ["c", "a", "b"]),
        ("$sort([3, 1, 2])", [1, 2, 3]),
        ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
        ("$range(0, 10, 5)", [0, 5, 10]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$range(0, 1, 0.5)", [0, 0.5, 1]),
        ("$range(3, 1, 1)", []),
        ("$range(1, 9, 9)", 1),  # recorded from Step Functions
        ("$map([1, 2], $range(?, 3, 1))", [[1, 2, 3], [2, 3]]),
        ("$hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$hash('input data')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$parse('{\"a\": [null, 1.0]}')", {"a": [None, 1]}),
        ("$parse('[null]')[0] = null", True),
        ("$uuid()", "an-id"),
        ("$random()", 0.5),
        ("$random(3) = $random(3) and $random(3) != $random(4)", True),
        ("$shuffle([1, 2, 3])", [1, 3, 2]),
        ("$millis()", 1_700_000_000_000),
        ("$now()", "2023-11-14T22:13:20.000Z"),
        ("$now('[Y]')", "2023"),
        ("$number('12.5')", 12.5),
        ("$number('0x1F')", 31),
        ("$replace('abc', /(?<mid>b)/, '<$1>')", "a<b>c"),
        ("$match('a1b2', /\\d/)[1].match", "2"),
        ("($fac := function($n) { $n <= 1 ? 1 : $n * $fac($n - 1) }; $fac(10))", 3628800),
        ("($sum := function($n, $s) { $n = 0 ? $s : $sum($n - 1, $s + $n) }; $sum(1000, 0))", 500500),
        ("2 * 1e300", 2e300),
        ("$pad('a', 3, '-') & $join(['x', 'y'], '+')", "a--x+y"),
    ],
)
def test_what_expressions_give(expression: str, value: Any) -> None:
    """Whole numbers are integers, null is None, and a sequence of one is its element."""
    found = value_of(expression, x={"y": 3.0})
    assert found == value
    assert json.dumps(found) == json.dumps(value)


def test_expressions_stand_at_any_depth() -> None:
    """Only a text that begins with `{%` and ends with `%}` is one."""
    sight = jsonata.Sight({"input": {"a": 1}}, {}, ENV)
    template = {"x": ["{% $states.input.a %}", " {% 1 %}", "{%1%}"], "y": {"z": "{% $uuid() %}"}, "n": 1}
    assert jsonata.fill(template, sight, "Output") == {"x": [1, " {% 1 %}", 1], "y": {"z": "an-id"}, "n": 1}


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.nothing",
        "$nothing",
        "$",
        "$$",
        "$$.a",
        "rows",
        "$states.result",
        "function($x) { $x }",
        "{'f': $sum}",
        "[$sum]",
        "1 / 0",
        "$number('nan')",
        "$number('1_0')",
        "$sqrt(-1)",
        "'a' + 1",
        "'a' < 1",
        "'x'()",
        "$nothing()",
        "$eval('1')",
        "$parse('x')",
        "$parse('NaN')",
        "$hash('a', 'CRC')",
        "$partition([1], 0)",
        "$range(1, 2, 0)",
        "$error('no')",
        "((((",
        "[1..",
        "$toMillis('x')",
        "$__evaluate_entry := function($x) { $x }",
    ],
)
def test_what_has_no_value_fails_the_query(expression: str) -> None:
    """Undefined, a function, a failure or bad syntax: States.QueryEvaluationError, which names the expression and the field."""
    with pytest.raises(StateFailure) as failed:
        value_of(expression)
    assert failed.value.error == QUERY
    assert f"`{expression}` of the field `Output`" in failed.value.cause


def test_a_nested_expression_is_named_by_its_place() -> None:
    """As in Step Functions."""
    with pytest.raises(StateFailure, match=r"field `Output/a\[1\]` returned nothing \(undefined\)"):
        jsonata.fill({"a": [1, "{% $x %}"]}, jsonata.Sight({}, {}, ENV), "Output")


@pytest.mark.parametrize(
    "text", ["((", "{% [1 %}", "$eval('1')", "$map(['1'], $eval)", "/(a+)+/", "/((a|b)*)*/", '"x']
)
def test_bad_syntax_is_refused_with_a_sentence(text: str) -> None:
    """And so are `$eval`, and a regular expression that could take for ever."""
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        jsonata.compile_expression(text)


@pytest.mark.parametrize("text", ["'$eval'", "$states.input.eval", "/(a+b)?c+/", "/[(a+)]+/", r"/\(a+\)+/"])
def test_what_only_looks_dangerous_is_compiled(text: str) -> None:
    """A name in a string, a field, repetition in a row, brackets."""
    jsonata.compile_expression(text)


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($n) { $f($n + 1) }; $f(0))",
        "($f := function($n) { 1 + $f($n + 1) }; $f(0))",
        "($f := function($s) { $f($s & $s) }; $f('ab'))",
        "($f := function($s) { $f($append($s, $s)) }; $f([1]))",
        "($f := function($s) { $f([$s, $s]) }; $f([1]))",
        "$pad('a', 1000000000)",
        "$pad('a', -1000000000)",
        "$replace($pad('a', 100000, 'a'), 'a', $pad('b', 100000))",
        "$replace($pad('a', 100000, 'a'), /a/, $pad('b', 100000))",
        "$join($split($pad('a', 100000), ''), $pad('b', 100000))",
        "[1..1000000000]",
        "$range(1, 1000000000, 1)",
        "$range(0, 1, 0.0000000001)",
        "($x := $states.input.big; $x.$x.$x.$x)",
        "$map([1..100000], function($i) { $map([1..100000], function($j) { $i }) })",
        "(" * 5000 + "1" + ")" * 5000,
        "1" + "+1" * 5000,
        "($f := function($n) { $map([$n, 1], function($m) { $f($m + 1) }) }; $f(0))",
        "($f := function($n) { $sort([$n, 1], function($l, $r) { $f($l) }) }; $f(0))",
        "($f := function($n) { $reduce([$n, 1], function($l, $r) { {'x': [$f($l)]} }) }; $f(0))",
    ],
)
def test_hostile_expressions_end_soon(expression: str) -> None:
    """Loops, recursion, and what makes strings and arrays grow without end."""
    begun = time.process_time()
    with pytest.raises(StateFailure) as failed:
        value_of(expression)
    assert failed.value.error == QUERY
    assert time.process_time() - begun < 30


def test_what_an_expression_sees_stays_as_it_is() -> None:
    """Neither transforms nor groups change the input or a variable."""
    before = json.dumps(INPUT)
    assert value_of("$x{'a': 1}", x=[]) == {"a": 1}
    assert value_of("$states.input ~> |rows|{'n': 9}, 'k'|")["rows"] == [{"n": 9}] * 3
    shared = [3, 1, 2]
    value_of("$append($sort($x), $reverse($x))", x=shared)
    assert shared == [3, 1, 2]
    assert json.dumps(INPUT) == before


def test_results_share_nothing_with_the_input() -> None:
    """So nobody who changes one changes the other."""
    value_of("$states.input.rows")[0]["n"] = 99
    assert INPUT["rows"][0]["n"] == 1


def test_threads_do_not_disturb_each_other() -> None:
    """The library keeps the evaluation in force by thread."""
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        found[number] = [
            value_of("$map($x, function($each) { $each * $y })", x=[1, 2], y=number) for _ in range(50)
        ]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [[number, 2 * number]] * 50 for number in range(4)}


def test_the_library_is_loaded_by_the_first_expression_only() -> None:
    """Importing the language does not load it, and neither do states without expressions."""
    program = (
        "import sys; from remit.core.states import dataflow as d\n"
        "env = d.Env(lambda: 0, lambda: 0.5, lambda: '')\n"
        "d.finished({'Type': 'Pass'}, d.Scope({'a': 1}, {}, {}, True, env), {'a': 1})\n"
        "d.arguments({'Type': 'Pass', 'InputPath': '$.a'}, d.Scope({'a': 1}, {}, {}, False, env))\n"
        "sys.exit(bool({'jsonata', 'jsonpath'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(
    allow_nan=False, allow_infinity=False, min_value=-1e20, max_value=1e20
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON)
@settings(deadline=None)
def test_any_json_survives(value: Any) -> None:
    """As a variable, and as a field of the input."""
    assert value_of("$x", x=value) == value
    sight = jsonata.Sight({"input": {"f": value}}, {}, ENV)
    assert jsonata.fill("{% $states.input.f %}", sight, "Output") == value


@given(st.text(alphabet="$ax1.+-*/%()[]{}<>=~|&?:;,'\"\\@#^ "))
@settings(deadline=None, max_examples=300)
def test_any_text_ends_in_a_value_or_a_failure(text: str) -> None:
    """Whatever it is."""
    with contextlib.suppress(StateFailure):
        value_of(text, x=[1], a={"b": 1})


@pytest.mark.parametrize("text", ["1 /* x */", "/* a */ 1", "1 + 0 /* '*/", "1 /* )( */"])
def test_comments_may_stand_anywhere(text: str) -> None:
    """A comment at the end of an expression is a comment."""
    assert value_of(text) == 1


def test_the_recursion_limit_is_put_back() -> None:
    """After an expression was evaluated, Python stops as early as before: others could not read what is nested deeper."""
    before = sys.getrecursionlimit()
    assert value_of("1 + 1") == 2
    assert sys.getrecursionlimit() == before
