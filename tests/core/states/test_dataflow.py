"""What goes into a state and what comes out of it, in both query languages."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.states import dataflow
from remit.core.states.dataflow import Chosen, Env, Item, Outcome, Scope
from remit.core.states.failures import (
    DATA_LIMIT,
    NO_CHOICE,
    PARAMETER_PATH,
    PAYLOAD_BYTES,
    QUERY,
    RESULT_PATH,
    RUNTIME,
    StateFailure,
)

NOW = 1_773_453_540_000  # 2026-03-14T01:59:00Z
ENV = Env(now_ms=lambda: NOW, random=lambda: 0.5, new_id=lambda: "an-id")
INPUT = {"a": {"b": 1}, "list": ["x", "y"], "seconds": 5, "when": "2026-03-14T01:59:00.5Z", "null": None}
CONTEXT = {"Execution": {"Id": "e-1"}, "State": {"Name": "here"}}


def scope(data: Any = INPUT, *, jsonata: bool = False, **variables: Any) -> Scope:
    """A scope with an input and variables."""
    return Scope(data, CONTEXT, variables, jsonata, ENV)


def fails(error: str, ask: Any, *arguments: Any) -> str:
    """The cause of a failure, which has to have this error."""
    with pytest.raises(StateFailure) as failed:
        ask(*arguments)
    assert failed.value.error == error
    return failed.value.cause


def test_the_language_in_force() -> None:
    """A state's own, else the document's, else JSONPath."""
    assert not dataflow.speaks_jsonata({}, {})
    assert dataflow.speaks_jsonata({"QueryLanguage": "JSONata"}, {})
    assert dataflow.speaks_jsonata({}, {"QueryLanguage": "JSONata"})
    assert not dataflow.speaks_jsonata({"QueryLanguage": "JSONPath"}, {})


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ({"Type": "Task"}, INPUT),
        ({"Type": "Task", "InputPath": "$.a"}, {"b": 1}),
        ({"Type": "Task", "InputPath": None}, {}),
        ({"Type": "Task", "InputPath": "$$.State"}, {"Name": "here"}),
        ({"Type": "Task", "InputPath": "$v"}, 7),
        ({"Type": "Task", "InputPath": "$.a", "Parameters": {"x.$": "$.b", "y.$": "$v"}}, {"x": 1, "y": 7}),
        ({"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}}, {"id": "e-1"}),
        ({"Type": "Map", "InputPath": "$.a", "Parameters": {"x": 1}}, {"b": 1}),
    ],
)
def test_the_effective_input_in_jsonpath(state: dict[str, Any], given: Any) -> None:
    """InputPath selects, then Parameters shape; a Map's Parameters are for its items."""
    assert dataflow.arguments(state, scope(v=7)) == given


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ({"Type": "Task"}, INPUT),
        ({"Type": "Task", "Arguments": {"x": "{% $states.input.a.b + $v %}"}}, {"x": 8}),
        ({"Type": "Task", "Arguments": "{% $states.input.list %}"}, ["x", "y"]),
        ({"Type": "Task", "Arguments": None}, None),
        ({"Type": "Task", "Arguments": {"a.$": "$.a"}}, {"a.$": "$.a"}),
    ],
)
def test_the_effective_input_in_jsonata(state: dict[str, Any], given: Any) -> None:
    """Arguments, or the input."""
    assert dataflow.arguments(state, scope(jsonata=True, v=7)) == given


def test_paths_to_nothing() -> None:
    """A field's own path is a runtime error, one in a template a failure of the parameter."""
    assert "`InputPath`" in fails(RUNTIME, dataflow.arguments, {"Type": "Task", "InputPath": "$.no"}, scope())
    assert "`x.$`" in fails(
        PARAMETER_PATH, dataflow.arguments, {"Type": "Task", "Parameters": {"x.$": "$.no"}}, scope()
    )
    fails(RUNTIME, dataflow.finished, {"Type": "Pass", "OutputPath": "$.no"}, scope(), 1)
    fails(PARAMETER_PATH, dataflow.finished, {"Type": "Task", "ResultSelector": {"x.$": "$.no"}}, scope(), {})


@pytest.mark.parametrize(
    ("state", "output"),
    [
        ({}, {"r": [5]}),
        ({"ResultPath": None}, INPUT),
        ({"ResultPath": "$.made.here"}, {**INPUT, "made": {"here": {"r": [5]}}}),
        ({"InputPath": "$.a", "ResultPath": "$.a"}, {**INPUT, "a": {"r": [5]}}),
        ({"OutputPath": None}, {}),
        ({"OutputPath": "$.r[0]"}, 5),
        ({"ResultSelector": {"first.$": "$.r[0]", "id.$": "$$.Execution.Id"}}, {"first": 5, "id": "e-1"}),
        ({"ResultSelector": {"first.$": "$.r[0]"}, "ResultPath": "$.x", "OutputPath": "$.x.first"}, 5),
    ],
)
def test_the_output_in_jsonpath(state: dict[str, Any], output: Any) -> None:
    """ResultSelector, then ResultPath into the raw input, then OutputPath."""
    assert dataflow.finished({"Type": "Task", **state}, scope(), {"r": [5]}) == Outcome(output)


def test_a_result_path_that_has_no_place_fails() -> None:
    """With the error of its own."""
    fails(RESULT_PATH, dataflow.finished, {"Type": "Task", "ResultPath": "$.x"}, scope("text"), 1)


def test_assign_in_jsonpath_sees_the_result_as_it_came() -> None:
    """Before ResultSelector; and the old variables, whatever else is assigned."""
    state = {
        "Type": "Task",
        "ResultSelector": {"y": 1},
        "Assign": {"x.$": "$.r[0]", "old.$": "$x", "fix": {"a.$": "States.MathAdd($x, 1)"}},
    }
    assert dataflow.finished(state, scope(x=3), {"r": [5]}) == Outcome(
        {"y": 1}, {"x": 5, "old": 3, "fix": {"a": 4}}
    )


def test_output_and_assign_in_jsonata() -> None:
    """Both see input, result and the old variables."""
    state = {
        "Type": "Task",
        "Output": {"sum": "{% $states.result.n + $states.input.a.b + $x %}"},
        "Assign": {"x": "{% $states.result.n %}", "old": "{% $x %}"},
    }
    assert dataflow.finished(state, scope(jsonata=True, x=3), {"n": 5}) == Outcome(
        {"sum": 9}, {"x": 5, "old": 3}
    )
    assert dataflow.finished({"Type": "Task"}, scope(jsonata=True), {"n": 5}) == Outcome({"n": 5})
    assert dataflow.finished({"Type": "Task", "Output": None}, scope(jsonata=True), 5) == Outcome(None)


def test_only_states_that_work_have_a_result_in_jsonata() -> None:
    """A Pass has an input."""
    fails(
        QUERY, dataflow.finished, {"Type": "Pass", "Output": "{% $states.result %}"}, scope(jsonata=True), 1
    )


def test_a_caught_error_in_jsonpath() -> None:
    """The error output goes where ResultPath says, and is `$` for Assign."""
    told = {"Error": "E", "Cause": "why"}
    assert dataflow.caught({}, {}, scope(), "E", "why") == Outcome(told)
    catcher = {"ResultPath": "$.error", "Assign": {"why.$": "$.Cause"}}
    assert dataflow.caught({}, catcher, scope(), "E", "why") == Outcome(
        {**INPUT, "error": told}, {"why": "why"}
    )


def test_a_caught_error_in_jsonata() -> None:
    """The error output, or Output, which sees it."""
    assert dataflow.caught({}, {}, scope(jsonata=True), "E", "why") == Outcome({"Error": "E", "Cause": "why"})
    catcher = {
        "Output": "{% $states.errorOutput.Error %}",
        "Assign": {"why": "{% $states.errorOutput.Cause %}"},
    }
    assert dataflow.caught({}, catcher, scope(jsonata=True), "E", "why") == Outcome("E", {"why": "why"})


def test_a_choice_in_jsonpath() -> None:
    """The first rule that matches, with its Assign; InputPath before and OutputPath after."""
    state = {
        "InputPath": "$.a",
        "OutputPath": "$.b",
        "Choices": [
            {"Variable": "$.b", "NumericGreaterThan": 5, "Next": "Big"},
            {"Variable": "$.b", "NumericEqualsPath": "$v", "Next": "Same", "Assign": {"seen.$": "$.b"}},
        ],
        "Default": "Other",
        "Assign": {"seen": "none"},
    }
    assert dataflow.choose(state, scope(v=1)) == Chosen("Same", 1, {"seen": 1})
    assert dataflow.choose(state, scope(v=2)) == Chosen("Other", 1, {"seen": "none"})


def test_a_choice_in_jsonata() -> None:
    """A rule has its own Output and Assign; those of the state are for its Default."""
    state = {
        "Choices": [
            {
                "Condition": "{% $v = 1 %}",
                "Next": "One",
                "Output": "{% $v %}",
                "Assign": {"v": "{% $v + 1 %}"},
            },
            {"Condition": "{% $v = 2 %}", "Next": "Two"},
            {"Condition": False, "Next": "Never"},
        ],
        "Default": "Other",
        "Output": "other",
        "Assign": {"v": 0},
    }
    assert dataflow.choose(state, scope(jsonata=True, v=1)) == Chosen("One", 1, {"v": 2})
    assert dataflow.choose(state, scope(jsonata=True, v=2)) == Chosen("Two", INPUT)
    assert dataflow.choose(state, scope(jsonata=True, v=3)) == Chosen("Other", "other", {"v": 0})


def test_a_choice_without_a_way_fails() -> None:
    """No rule and no Default; and a condition that is neither true nor false."""
    fails(
        NO_CHOICE, dataflow.choose, {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "X"}]}, scope()
    )
    fails(QUERY, dataflow.choose, {"Choices": [{"Condition": "{% 1 %}", "Next": "X"}]}, scope(jsonata=True))
    fails(RUNTIME, dataflow.choose, {"Choices": [{"Variable": "$.", "IsNull": True, "Next": "X"}]}, scope())


@pytest.mark.parametrize(
    ("state", "jsonata", "until"),
    [
        ({"Seconds": 10}, False, NOW + 10_000),
        ({"Seconds": 0}, False, NOW),
        ({"SecondsPath": "$.seconds"}, False, NOW + 5_000),
        ({"SecondsPath": "$v"}, False, NOW + 7_000),
        ({"Timestamp": "2026-03-14T02:59:00+01:00"}, False, NOW),
        ({"TimestampPath": "$.when"}, False, NOW + 500),
        ({"Seconds": "{% $v * 2 %}"}, True, NOW + 14_000),
        ({"Timestamp": "{% $states.input.when %}"}, True, NOW + 500),
    ],
)
def test_until_when_a_wait_waits(state: dict[str, Any], jsonata: bool, until: int) -> None:
    """Seconds from now, or a moment."""
    assert dataflow.wait_until({"Type": "Wait", **state}, scope(jsonata=jsonata, v=7)) == until


@pytest.mark.parametrize(
    ("state", "jsonata"),
    [
        ({"SecondsPath": "$.when"}, False),
        ({"SecondsPath": "$.null"}, False),
        ({"SecondsPath": "$.nothing"}, False),
        ({"SecondsPath": "$v"}, False),
        ({"Seconds": -1}, False),
        ({"Seconds": 100_000_000}, False),
        ({"TimestampPath": "$.seconds"}, False),
        ({"Timestamp": "tomorrow"}, False),
        ({"Seconds": "{% 'x' %}"}, True),
        ({"Seconds": "{% null %}"}, True),
        ({"Seconds": "{% 1.5 %}"}, True),
        ({"Timestamp": "{% 5 %}"}, True),
    ],
)
def test_a_wait_for_what_is_no_time_fails(state: dict[str, Any], jsonata: bool) -> None:
    """With the error of the query language."""
    fails(
        QUERY if jsonata else RUNTIME,
        dataflow.wait_until,
        {"Type": "Wait", **state},
        scope(jsonata=jsonata, v=True),
    )


def test_the_error_of_a_fail() -> None:
    """Plain, by paths or intrinsic functions, or by expressions; nothing is given for a field that is not there."""
    assert dataflow.failure({"Error": "E", "Cause": "c"}, scope()) == ("E", "c")
    assert dataflow.failure({}, scope()) == ("", "")
    state = {"ErrorPath": "$.list[0]", "CausePath": "States.Format('at {}', $$.State.Name)"}
    assert dataflow.failure(state, scope()) == ("x", "at here")
    assert dataflow.failure({"Error": "{% $v %}", "Cause": "plain"}, scope(jsonata=True, v="E")) == (
        "E",
        "plain",
    )
    fails(RUNTIME, dataflow.failure, {"CausePath": "$.a"}, scope())
    fails(QUERY, dataflow.failure, {"Cause": "{% 1 %}"}, scope(jsonata=True))


@pytest.mark.parametrize(
    ("state", "field", "jsonata", "value"),
    [
        ({}, "TimeoutSeconds", False, None),
        ({}, "TimeoutSeconds", True, None),
        ({"TimeoutSeconds": 3}, "TimeoutSeconds", False, 3),
        ({"TimeoutSecondsPath": "$.seconds"}, "TimeoutSeconds", False, 5),
        ({"HeartbeatSeconds": "{% $v %}"}, "HeartbeatSeconds", True, 7),
        ({"MaxConcurrency": 0}, "MaxConcurrency", False, 0),
        ({"InputPath": "$.a", "MaxConcurrencyPath": "$.b"}, "MaxConcurrency", False, 1),
        ({"ToleratedFailurePercentage": 12.5}, "ToleratedFailurePercentage", False, 12.5),
        ({"MaxItemsPerBatchPath": "$v"}, "MaxItemsPerBatch", False, 7),
    ],
)
def test_the_numbers_of_a_state(state: dict[str, Any], field: str, jsonata: bool, value: Any) -> None:
    """Plain, by a path, or by an expression."""
    assert dataflow.number(state, field, scope(jsonata=jsonata, v=7)) == value


@pytest.mark.parametrize(
    ("state", "field", "jsonata"),
    [
        ({"TimeoutSecondsPath": "$.when"}, "TimeoutSeconds", False),
        ({"TimeoutSecondsPath": "$.null"}, "TimeoutSeconds", False),
        ({"TimeoutSeconds": 0}, "TimeoutSeconds", False),
        ({"TimeoutSeconds": "{% true %}"}, "TimeoutSeconds", True),
        ({"TimeoutSeconds": "{% null %}"}, "TimeoutSeconds", True),
        ({"MaxConcurrency": "{% -1 %}"}, "MaxConcurrency", True),
        ({"ToleratedFailurePercentage": "{% 101 %}"}, "ToleratedFailurePercentage", True),
    ],
)
def test_other_values_are_no_numbers(state: dict[str, Any], field: str, jsonata: bool) -> None:
    """Nor are numbers out of range."""
    assert f"`{field}`" in fails(
        QUERY if jsonata else RUNTIME, dataflow.number, state, field, scope(jsonata=jsonata)
    )


def test_the_items_of_a_map() -> None:
    """An array by ItemsPath or Items; an object gives its values with their keys in JSONata."""
    xy = [Item(0, "x"), Item(1, "y")]
    assert dataflow.items({"Type": "Map", "ItemsPath": "$.list"}, scope()) == xy
    assert dataflow.items({"Type": "Map"}, scope(["x", "y"])) == xy
    assert dataflow.items({"Type": "Map", "Items": "{% $states.input.list %}"}, scope(jsonata=True)) == xy
    assert dataflow.items({"Type": "Map", "Items": ["x", "{% 'y' %}"]}, scope(jsonata=True)) == xy
    assert dataflow.items({"Type": "Map", "Items": "{% $states.input.a %}"}, scope(jsonata=True)) == [
        Item(0, 1, "b")
    ]
    fails(RUNTIME, dataflow.items, {"Type": "Map"}, scope())
    fails(QUERY, dataflow.items, {"Type": "Map", "Items": "{% 1 %}"}, scope(jsonata=True))


def test_the_input_of_an_iteration() -> None:
    """The item, or what the selector makes of it and of the Map's effective input."""
    item = Item(1, "y", "k")
    assert dataflow.item_input({"Type": "Map"}, scope(), item) == "y"
    told = {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "b.$": "$.b", "e.$": "$$.Execution.Id"}
    for selector in ("ItemSelector", "Parameters"):
        state = {"Type": "Map", "InputPath": "$.a", selector: told}
        assert dataflow.item_input(state, scope(), item) == {"i": 1, "v": "y", "b": 1, "e": "e-1"}
    state = {"ItemSelector": "{% $states.context.Map.Item.{'i': Index, 'k': Key, 's': Source} %}"}
    assert dataflow.item_input(state, scope(jsonata=True), item) == {"i": 1, "k": "k", "s": "STATE_DATA"}


def test_templates_of_other_fields() -> None:
    """In the query language in force."""
    assert dataflow.template({"x.$": "$.a.b", "y": "{% 1 %}"}, scope()) == {"x": 1, "y": "{% 1 %}"}
    assert dataflow.template({"x.$": "$.a.b", "y": "{% 1 %}"}, scope(jsonata=True)) == {
        "x.$": "$.a.b",
        "y": 1,
    }


def test_what_is_too_large_is_refused() -> None:
    """256 KiB as JSON, in and out, also of variables."""
    most, more = "x" * (PAYLOAD_BYTES - 2), "x" * (PAYLOAD_BYTES - 1)
    assert dataflow.finished({"Type": "Task"}, scope(), most).output == most
    fails(DATA_LIMIT, dataflow.finished, {"Type": "Task"}, scope(), more)
    fails(
        DATA_LIMIT,
        dataflow.finished,
        {"Type": "Task", "Output": "{% $states.result %}"},
        scope(jsonata=True),
        more,
    )
    fails(
        DATA_LIMIT,
        dataflow.finished,
        {"Type": "Task", "ResultPath": None, "Assign": {"v.$": "$"}},
        scope(),
        most,
    )
    fails(DATA_LIMIT, dataflow.arguments, {"Type": "Task", "Parameters": {"v.$": "$"}}, scope(most))
    fails(DATA_LIMIT, dataflow.caught, {}, {}, scope(), "E", more)
