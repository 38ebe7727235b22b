"""What is a States Language document and what is none: a small document for each rule, accepted or refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.states.check import problems, warnings
from remit.core.states.check_choice import COMPARATORS
from remit.core.states.check_fields import TYPES
from remit.core.states.text import read_json

Doc = dict[str, Any]
LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:price"
END: Doc = {"Type": "Pass", "End": True}


def machine(state: Doc | None = None, /, *, jsonata: bool = False, **fields: Any) -> Doc:
    """A machine whose first state is `A`. A state that goes on leads to `Z`."""
    first = copy.deepcopy(END if state is None else state)
    text = json.dumps(first)
    states = {"A": first, **({"Z": {"Type": "Succeed"}} if '"Z"' in text else {})}
    language = {"QueryLanguage": "JSONata"} if jsonata else {}
    return {**language, "StartAt": "A", "States": states, **fields}


def jsonata(state: Doc) -> Doc:
    """The same in a machine of JSONata."""
    return machine(state, jsonata=True)


def pass_(**fields: Any) -> Doc:
    return {**END, **fields}


def task(**fields: Any) -> Doc:
    return {"Type": "Task", "Resource": LAMBDA, "End": True, **fields}


def choice(*rules: Doc, **fields: Any) -> Doc:
    return {"Type": "Choice", "Choices": [{"Next": "Z", **r} for r in rules], **fields}


def wait(**fields: Any) -> Doc:
    return {"Type": "Wait", "End": True, **fields}


def fail(**fields: Any) -> Doc:
    return {"Type": "Fail", **fields}


def parallel(*branches: Doc, **fields: Any) -> Doc:
    return {"Type": "Parallel", "Branches": list(branches), "End": True, **fields}


def inner(name: str = "B", **fields: Any) -> Doc:
    """A machine inside a state."""
    return {"StartAt": name, "States": {name: {**END, **fields}}}


def map_(**fields: Any) -> Doc:
    return {"Type": "Map", "ItemProcessor": inner(), "End": True, **fields}


def distributed(**fields: Any) -> Doc:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return map_(ItemProcessor={**inner(), "ProcessorConfig": config}, **fields)


def reader(config: Doc | None = None, **fields: Any) -> Doc:
    base = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key.$": "$.key"}}
    return {**base, **({} if config is None else {"ReaderConfig": config}), **fields}


def retry(**fields: Any) -> Doc:
    return task(Retry=[{"ErrorEquals": ["States.ALL"], **fields}])


def catch(**fields: Any) -> Doc:
    return task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Z", **fields}])


def compare(**fields: Any) -> Doc:
    return choice({"Variable": "$.a", **fields})


LITERALS = {
    "String": "x",
    "Numeric": 1.5,
    "Boolean": True,
    "Timestamp": "2026-01-31T12:00:00.5+01:00",
    "Is": True,
}

ACCEPTED: dict[str, Doc] = {
    "nothing but what must be": machine(),
    "every field of the top": machine(
        Comment="c", Version="1.0", TimeoutSeconds=60, QueryLanguage="JSONPath"
    ),
    "a Pass": machine(
        pass_(
            Comment="c",
            InputPath="$.a",
            Parameters={"b.$": "$.b", "c": [1, {"d.$": "States.UUID()"}]},
            ResultPath="$.r.s[0]",
            OutputPath=None,
            Assign={"x.$": "$.a", "y": 1},
        )
    ),
    "a Result of any value": machine(pass_(Result=[None, {"a.$": "not a path here"}])),
    "paths into the context and a variable": machine(
        pass_(InputPath="$$.Execution.Input", OutputPath="$x.y", Parameters={"t.$": "$$.Task.Token"})
    ),
    "paths as published state machines write them": machine(
        pass_(
            InputPath="$.[0].a",
            Parameters={"b.$": "$.c[?(@.kind==refund && @.n != 1)].d", "e.$": "$.[*]['f', 'g']"},
        )
    ),
    "null paths": machine(pass_(InputPath=None, ResultPath=None, OutputPath=None)),
    "a JSONata Pass": jsonata(
        pass_(Output={"a": ["{% $states.input.b %}", "plain"]}, Assign={"x": "{% 1 %}"})
    ),
    "an Output that is no object": jsonata(pass_(Output="{% $x %}")),
    "a JSONata state in a JSONPath machine": machine(pass_(QueryLanguage="JSONata", Output="{% 1 + 1 %}")),
    "a Task": machine(
        task(
            TimeoutSeconds=10,
            HeartbeatSeconds=9,
            ResultSelector={"a.$": "$.b"},
            ResultPath="$.r",
            Parameters={"n.$": "States.Format('{} of {}', $.a, States.ArrayLength($.b))"},
            Credentials={"RoleArn": "arn:aws:iam::123456789012:role/r"},
        )
    ),
    "times from paths": machine(task(TimeoutSecondsPath="$.t", HeartbeatSecondsPath="$.h")),
    "a credential from a path": machine(task(Credentials={"RoleArn.$": "$.role"})),
    "a JSONata Task": jsonata(
        task(
            Arguments={"a": "{% $states.input %}"},
            TimeoutSeconds="{% $t %}",
            HeartbeatSeconds=5,
            Output="{% 1 %}",
        )
    ),
    "Arguments that one expression gives": jsonata(task(Arguments="{% $states.input %}")),
    "End that is false": machine({"Type": "Pass", "End": False, "Next": "Z"}),
    "a Wait from a path": machine(wait(SecondsPath="$.s")),
    "a Wait of no time": machine(wait(Seconds=0)),
    "a Wait until": machine(wait(Timestamp="2026-12-31T23:59:60Z")),
    "a Wait until a path": machine(wait(TimestampPath="$.at")),
    "a JSONata Wait": jsonata(wait(Seconds="{% $states.input.s %}")),
    "a JSONata Wait until": jsonata(wait(Timestamp="{% $now() %}")),
    "a Succeed": machine({"Type": "Succeed", "InputPath": "$.a", "OutputPath": "$.b"}),
    "a JSONata Succeed": jsonata({"Type": "Succeed", "Output": {"a": "{% 1 %}"}}),
    "a bare Fail": machine(fail()),
    "a Fail": machine(fail(Error="E", Cause="because")),
    "a Fail from paths": machine(fail(ErrorPath="$.e", CausePath="States.Format('no {}', $.c)")),
    "a JSONata Fail": jsonata(fail(Error="{% $e %}", Cause="{% 'a' & 'b' %}")),
    "and, or, not": machine(
        choice(
            {
                "Comment": "c",
                "And": [
                    {"Variable": "$.a", "IsPresent": True},
                    {
                        "Or": [
                            {"Not": {"Variable": "$.b", "IsNull": True}},
                            {"Variable": "$x", "NumericEquals": 1},
                        ]
                    },
                ],
            },
            Default="Z",
        )
    ),
    "a rule that assigns": machine(compare(IsPresent=True, Assign={"x.$": "$.a"})),
    "a JSONata Choice": jsonata(
        choice(
            {"Condition": "{% $states.input.a > 1 %}", "Assign": {"x": 1}, "Output": "{% 1 %}"},
            {"Condition": True},
            Default="Z",
            Assign={"y": 2},
            Output={"d": 1},
        )
    ),
    "a Retry": machine(
        retry(
            IntervalSeconds=2,
            MaxAttempts=0,
            BackoffRate=1.5,
            MaxDelaySeconds=60,
            JitterStrategy="FULL",
            Comment="c",
        )
    ),
    "several retriers": machine(
        task(Retry=[{"ErrorEquals": ["States.Timeout", "Mine"]}, {"ErrorEquals": ["States.ALL"]}])
    ),
    "no retrier": machine(task(Retry=[], Catch=[])),
    "a Catch": machine(catch(ResultPath="$.error", Assign={"e.$": "$.Cause"}, Comment="c")),
    "a JSONata Catch": jsonata(
        catch(Output="{% $states.errorOutput %}", Assign={"e": "{% $states.input %}"})
    ),
    "a Parallel": machine(
        parallel(
            inner("B"),
            {"Comment": "c", **inner("C")},
            Parameters={"a.$": "$.a"},
            ResultSelector={"b.$": "$[0]"},
        )
    ),
    "a JSONata Parallel": jsonata(parallel(inner(), Arguments="{% $x %}", Output="{% $states.result %}")),
    "one variable in two branches": machine(
        parallel(inner("B", Assign={"x": 1}), inner("C", Assign={"x": 2}))
    ),
    "a Map": machine(
        map_(
            ItemsPath="$.items", MaxConcurrency=0, ItemSelector={"i.$": "$$.Map.Item.Value"}, ResultPath="$.r"
        )
    ),
    "a Map as it was written first": machine(
        {"Type": "Map", "Iterator": inner(), "Parameters": {"i.$": "$$.Map.Item.Index"}, "End": True}
    ),
    "a Map in line": machine(map_(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "INLINE"}})),
    "limits of a Map from paths": machine(
        map_(MaxConcurrencyPath="$.c", ToleratedFailureCountPath="$.n", ToleratedFailurePercentagePath="$.p")
    ),
    "a JSONata Map": jsonata(
        map_(
            Items="{% $x %}",
            ItemSelector={"i": "{% $states.context.Map.Item.Value %}"},
            MaxConcurrency="{% 2 %}",
        )
    ),
    "a JSONata Map over an array": jsonata(map_(Items=[1, "{% 2 %}"])),
    "a distributed Map": machine(
        distributed(
            Label="nightly-1",
            ItemReader=reader({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 10}),
            ItemBatcher={
                "MaxItemsPerBatch": 5,
                "MaxInputBytesPerBatch": 262_144,
                "BatchInput": {"a.$": "$.a"},
            },
            ResultWriter={
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "b", "Prefix": "p"},
                "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"},
            },
            ToleratedFailurePercentage=12.5,
            ToleratedFailureCount=3,
        )
    ),
    "a JSONata distributed Map": jsonata(
        distributed(
            ItemReader={
                "Resource": "arn:aws:states:::s3:listObjectsV2",
                "Arguments": {"Bucket": "{% $b %}"},
                "ReaderConfig": {"MaxItems": "{% $n %}"},
            },
            ItemBatcher={"MaxItemsPerBatch": "{% 3 %}"},
            ResultWriter={"Resource": "arn:aws:states:::s3:putObject", "Arguments": "{% $to %}"},
            ToleratedFailureCount="{% 1 %}",
        )
    ),
    "headers that are given": machine(
        distributed(
            ItemReader=reader(
                {
                    "InputType": "CSV",
                    "CSVHeaderLocation": "GIVEN",
                    "CSVHeaders": ["a", "b"],
                    "CSVDelimiter": "TAB",
                }
            )
        )
    ),
    "items deep in a JSON file": machine(
        distributed(ItemReader=reader({"InputType": "JSON", "ItemsPointer": "/a/b", "MaxItemsPath": "$.n"}))
    ),
    "a manifest": machine(
        distributed(ItemReader=reader({"InputType": "MANIFEST", "ManifestType": "ATHENA_DATA"}))
    ),
    "a variable of a distributed Map's own": machine(
        {
            **distributed(Assign={"x": 1}),
            "ItemProcessor": {
                **inner(Assign={"x": 2}),
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
            },
        }
    ),
    "a loop that ends": {
        "StartAt": "A",
        "States": {
            "A": choice({"Variable": "$.n", "NumericLessThan": 3, "Next": "B"}, Default="Z"),
            "B": {"Type": "Pass", "Next": "A"},
            "Z": {"Type": "Succeed"},
        },
    },
    "a name of 80 characters": {"StartAt": "x" * 80, "States": {"x" * 80: END}},
    **{
        f"compare by {name}": machine(
            compare(
                **{
                    name: "$.b"
                    if name.endswith("Path")
                    else next(v for k, v in LITERALS.items() if name.startswith(k))
                }
            )
        )
        for name in COMPARATORS
    },
    **{
        f"call {resource}": machine(task(Resource=resource))
        for resource in [
            "remit:agent:fraud-check",
            "remit:agent:fraud-check@prod",
            "remit:tool:refund",
            "remit:tool:refund.waitForTaskToken",
            "remit:gate:approve",
            "remit:event:order.paid",
            "remit:event:order.paid.waitForEvent",
            "remit:workflow:nightly",
            "remit:workflow:nightly@prod.async",
            "remit:activity:pack",
            LAMBDA,
            f"{LAMBDA}:$LATEST",
            "arn:aws:states:us-east-1:123456789012:activity:pack",
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "arn:aws-cn:states:::sqs:sendMessage",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws:states:::aws-sdk:s3:getObject",
            "arn:aws:states:us-east-1:123456789012:aws-sdk:transcribe:getTranscriptionJob",
        ]
    },
}


@pytest.mark.parametrize("document", ACCEPTED.values(), ids=ACCEPTED)
def test_what_the_language_allows_is_accepted(document: Doc) -> None:
    """A document that Step Functions takes has no problem."""
    assert [str(p) for p in problems(document)] == []


REFUSED: dict[str, tuple[Doc, str, str]] = {
    "no states": ({"StartAt": "A"}, "", "a workflow has no `States`"),
    "no start": ({"States": {"A": END}}, "", "a workflow has no `StartAt`"),
    "empty states": ({"StartAt": "A", "States": {}}, "/States", "a workflow has no state"),
    "another version": (machine(Version="2.0"), "/Version", "`Version` cannot be `2.0`"),
    "a timeout of nothing": (machine(TimeoutSeconds=0), "/TimeoutSeconds", "cannot be `0`"),
    "a timeout that is too long": (machine(TimeoutSeconds=100_000_000), "/TimeoutSeconds", "cannot be"),
    "another query language": (machine(QueryLanguage="SQL"), "/QueryLanguage", "cannot be `SQL`"),
    "an unknown field at the top": (machine(StartsAt="A"), "/StartsAt", "a workflow has no field `StartsAt`"),
    "a comment that is no text": (machine(Comment=1), "/Comment", "`Comment` cannot be `1`"),
    "a state that is none": (machine() | {"States": {"A": 1}}, "/States/A", "a state cannot be `1`"),
    "no type": (machine({"End": True}), "/States/A", "the state has no `Type`"),
    "an unknown type": (machine({"Type": "Tusk", "End": True}), "/States/A/Type", "there is no type `Tusk`"),
    "a type that is no text": (machine({"Type": []}), "/States/A/Type", "there is no type an empty array"),
    "an unknown field": (machine(pass_(Reslt=1)), "/States/A/Reslt", "a Pass state has no field `Reslt`"),
    "neither Next nor End": (machine({"Type": "Pass"}), "/States/A", "has neither `Next` nor `End`"),
    "both Next and End": (machine(pass_(Next="Z")), "/States/A/Next", "exclude one another"),
    "a Next of Succeed": (
        machine({"Type": "Succeed", "Next": "Z"}),
        "/States/A/Next",
        "a Succeed state has no field `Next`",
    ),
    "a Next of Choice": (
        machine(compare(IsNull=True) | {"Next": "Z"}),
        "/States/A/Next",
        "a Choice state has no field `Next`",
    ),
    "a target that is not there": (
        machine({"Type": "Pass", "Next": "B"}),
        "/States/A/Next",
        "there is no state `B` in the same machine",
    ),
    "a start that is not there": (
        machine(StartAt="a"),
        "/StartAt",
        "there is no state `a` in the same machine",
    ),
    "a state that is not reached": (
        {"StartAt": "A", "States": {"A": END, "B": END}},
        "/States/B",
        "state `B` is never reached",
    ),
    "a circle that is not reached": (
        {
            "StartAt": "A",
            "States": {"A": END, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "Next": "B"}},
        },
        "/States/C",
        "state `C` is never reached",
    ),
    "no last state": (
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}},
        "/States",
        "no state is the last one",
    ),
    "a name of 81 characters": (
        {"StartAt": "x" * 81, "States": {"x" * 81: END}},
        f"/States/{'x' * 81}",
        "has 81 characters",
    ),
    "one name in two branches": (
        machine(parallel(inner("B"), inner("B"))),
        "/States/A/Branches/1/States/B",
        "two states are named `B`",
    ),
    "one name inside and outside": (
        machine(map_(ItemProcessor=inner("A"))),
        "/States/A/ItemProcessor/States/A",
        "two states are named `A`",
    ),
    "a way out of a branch": (
        machine(
            {
                **parallel({"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "Z"}}}),
                "End": False,
                "Next": "Z",
            }
        ),
        "/States/A/Branches/0/States/B/Next",
        "there is no state `Z` in the same machine",
    ),
    # query languages
    "a path in JSONata": (
        jsonata(pass_(InputPath="$.a")),
        "/States/A/InputPath",
        "`InputPath` is of JSONPath, and JSONata is in force",
    ),
    "Parameters in JSONata": (
        jsonata(task(Parameters={})),
        "/States/A/Parameters",
        "`Parameters` is of JSONPath",
    ),
    "a Result in JSONata": (jsonata(pass_(Result=1)), "/States/A/Result", "`Result` is of JSONPath"),
    "ResultPath of a Catch in JSONata": (
        jsonata(catch(ResultPath="$.e")),
        "/States/A/Catch/0/ResultPath",
        "`ResultPath` is of JSONPath",
    ),
    "a Variable in JSONata": (
        jsonata(choice({"Condition": True, "Variable": "$.a"})),
        "/States/A/Choices/0/Variable",
        "`Variable` is of JSONPath",
    ),
    "a path for a time in JSONata": (
        jsonata(wait(SecondsPath="$.s")),
        "/States/A/SecondsPath",
        "`SecondsPath` is of JSONPath",
    ),
    "an Output in JSONPath": (machine(pass_(Output=1)), "/States/A/Output", "`Output` is of JSONata"),
    "Arguments in JSONPath": (
        machine(task(Arguments={})),
        "/States/A/Arguments",
        "`Arguments` is of JSONata",
    ),
    "a Condition in JSONPath": (
        machine(compare(IsNull=True, Condition=True)),
        "/States/A/Choices/0/Condition",
        "`Condition` is of JSONata",
    ),
    "Items in JSONPath": (machine(map_(Items=[])), "/States/A/Items", "`Items` is of JSONata"),
    "JSONPath in a JSONata machine": (
        jsonata(pass_(QueryLanguage="JSONPath")),
        "/States/A/QueryLanguage",
        "a workflow of JSONata has no states of JSONPath",
    ),
    "a query language of a branch": (
        machine(parallel({**inner(), "QueryLanguage": "JSONata"})),
        "/States/A/Branches/0/QueryLanguage",
        "a branch has no `QueryLanguage`",
    ),
    "a timeout of a branch": (
        machine(parallel({**inner(), "TimeoutSeconds": 5})),
        "/States/A/Branches/0/TimeoutSeconds",
        "a branch has no `TimeoutSeconds`",
    ),
    "an expression that does not parse": (
        jsonata(pass_(Output={"a": "{% 1 + %}"})),
        "/States/A/Output/a",
        "`a` holds no JSONata",
    ),
    "half an expression": (jsonata(pass_(Output="{% 1")), "/States/A/Output", "is half an expression"),
    "the other half": (jsonata(pass_(Output=["1 %}"])), "/States/A/Output/0", "is half an expression"),
    "a number in words": (jsonata(wait(Seconds="10")), "/States/A/Seconds", "`Seconds` cannot be `10`"),
    "an expression in JSONPath": (
        machine(wait(Seconds="{% 10 %}")),
        "/States/A/Seconds",
        "`Seconds` cannot be `{% 10 %}`",
    ),
    "Items that are a text": (jsonata(map_(Items="all")), "/States/A/Items", "`Items` cannot be `all`"),
    # paths and templates
    "a path that is none": (machine(pass_(InputPath="a.b")), "/States/A/InputPath", "cannot be `a.b`"),
    "a path that does not parse": (
        machine(pass_(OutputPath="$.a[?(")),
        "/States/A/OutputPath",
        "`OutputPath` holds no JSONPath",
    ),
    "a function for a path": (
        machine(pass_(InputPath="States.UUID()")),
        "/States/A/InputPath",
        "`InputPath` cannot be",
    ),
    "a wildcard for a reference": (
        machine(pass_(ResultPath="$.a[*]")),
        "/States/A/ResultPath",
        "`ResultPath` holds no reference path",
    ),
    "a result in the context": (
        machine(pass_(ResultPath="$$.a")),
        "/States/A/ResultPath",
        "cannot be `$$.a`",
    ),
    "a result in a variable": (machine(pass_(ResultPath="$x.a")), "/States/A/ResultPath", "cannot be `$x.a`"),
    "a filter for a time": (
        machine(wait(SecondsPath="$..a")),
        "/States/A/SecondsPath",
        "`SecondsPath` holds no reference path",
    ),
    "a template with a plain value": (
        machine(pass_(Parameters={"a": [{"b.$": 1}]})),
        "/States/A/Parameters/a/0/b.$",
        "`b.$` cannot be `1`",
    ),
    "a template with a plain text": (
        machine(pass_(Parameters={"a.$": "b"})),
        "/States/A/Parameters/a.$",
        "`a.$` cannot be `b`",
    ),
    "a function that there is not": (
        machine(pass_(Parameters={"a.$": "States.Sum(1, 2)"})),
        "/States/A/Parameters/a.$",
        "`a.$` holds no intrinsic function",
    ),
    "a function that does not parse": (
        machine(pass_(Parameters={"a.$": "States.Format('{}', $.a"})),
        "/States/A/Parameters/a.$",
        "`a.$` holds no intrinsic function",
    ),
    "a field twice": (
        machine(pass_(Parameters={"a": 1, "a.$": "$.a"})),
        "/States/A/Parameters/a.$",
        "`a.$` and `a` give one field twice",
    ),
    "a selector that is no object": (
        machine(task(ResultSelector="$.a")),
        "/States/A/ResultSelector",
        "`ResultSelector` cannot be",
    ),
    # variables
    "a variable named states": (
        machine(pass_(Assign={"states": 1})),
        "/States/A/Assign/states",
        "`states` is no name for a variable",
    ),
    "a variable with a dash": (
        machine(pass_(Assign={"a-b.$": "$.a"})),
        "/States/A/Assign/a-b.$",
        "`a-b` is no name for a variable",
    ),
    "a variable of 81 characters": (
        machine(pass_(Assign={"x" * 81: 1})),
        f"/States/A/Assign/{'x' * 81}",
        "is no name for a variable",
    ),
    "variables that are no object": (machine(pass_(Assign=[])), "/States/A/Assign", "`Assign` cannot be"),
    "variables of a Succeed": (
        machine({"Type": "Succeed", "Assign": {}}),
        "/States/A/Assign",
        "a Succeed state has no field `Assign`",
    ),
    "a variable of the machine around": (
        machine({**parallel(inner("B", Assign={"x": 1})), "Assign": {"x": 2}}),
        "/States/A/Branches/0/States/B/Assign/x",
        "variable `x` belongs to the machine around",
    ),
    # Task
    "no resource": (machine({"Type": "Task", "End": True}), "/States/A", "a Task state has no `Resource`"),
    "a resource that is none": (
        machine(task(Resource="price")),
        "/States/A/Resource",
        "`Resource` cannot be",
    ),
    "a tool that would be waited for": (
        machine(task(Resource="remit:tool:refund.sync")),
        "/States/A/Resource",
        "`Resource` cannot be",
    ),
    "an execution for a resource": (
        machine(task(Resource="arn:aws:states:us-east-1:123456789012:stateMachine:x")),
        "/States/A/Resource",
        "`Resource` cannot be",
    ),
    "two timeouts": (
        machine(task(TimeoutSeconds=1, TimeoutSecondsPath="$.t")),
        "/States/A/TimeoutSecondsPath",
        "`TimeoutSeconds` and `TimeoutSecondsPath` exclude one another",
    ),
    "a heartbeat as long as the timeout": (
        machine(task(TimeoutSeconds=5, HeartbeatSeconds=5)),
        "/States/A/HeartbeatSeconds",
        "`HeartbeatSeconds` is not smaller than `TimeoutSeconds`, `5`",
    ),
    "half a second": (machine(task(TimeoutSeconds=0.5)), "/States/A/TimeoutSeconds", "cannot be `0.5`"),
    "true for a number": (machine(task(TimeoutSeconds=True)), "/States/A/TimeoutSeconds", "cannot be `true`"),
    "credentials of nobody": (
        machine(task(Credentials={})),
        "/States/A/Credentials",
        "`Credentials` has no `RoleArn`",
    ),
    # Wait and Fail
    "a Wait for nothing": (machine(wait()), "/States/A", "a Wait state has none of `Seconds`"),
    "a Wait for two things": (
        machine(wait(Seconds=1, Timestamp="2026-01-01T00:00:00Z")),
        "/States/A/Timestamp",
        "`Seconds` and `Timestamp` exclude one another",
    ),
    "a negative time": (machine(wait(Seconds=-1)), "/States/A/Seconds", "cannot be `-1`"),
    **{
        f"the timestamp {text}": (machine(wait(Timestamp=text)), "/States/A/Timestamp", "cannot be")
        for text in [
            "2026-01-31 12:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31t12:00:00z",
            "2026-13-01T12:00:00Z",
            "2026-01-31T12:00Z",
        ]
    },
    "two errors": (
        machine(fail(Error="E", ErrorPath="$.e")),
        "/States/A/ErrorPath",
        "`Error` and `ErrorPath` exclude one another",
    ),
    "two causes": (
        machine(fail(Cause="E", CausePath="$.e")),
        "/States/A/CausePath",
        "`Cause` and `CausePath` exclude one another",
    ),
    "an input of Fail": (
        machine(fail(InputPath="$")),
        "/States/A/InputPath",
        "a Fail state has no field `InputPath`",
    ),
    # Retry and Catch
    "a retrier for nothing": (
        machine(retry(ErrorEquals=[])),
        "/States/A/Retry/0/ErrorEquals",
        "`ErrorEquals` cannot be an empty array",
    ),
    "a retrier without names": (
        machine(task(Retry=[{}])),
        "/States/A/Retry/0",
        "a retrier has no `ErrorEquals`",
    ),
    "an error that is no text": (
        machine(retry(ErrorEquals=[1])),
        "/States/A/Retry/0/ErrorEquals/0",
        "cannot be `1`",
    ),
    "all and others": (
        machine(retry(ErrorEquals=["States.ALL", "Mine"])),
        "/States/A/Retry/0/ErrorEquals",
        "`States.ALL` stands beside other names",
    ),
    "all before the last": (
        machine(task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Mine"]}])),
        "/States/A/Retry/0/ErrorEquals",
        "nothing after `States.ALL` is ever reached",
    ),
    "all before the last catcher": (
        machine(
            task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Z"}, {"ErrorEquals": ["Mine"], "Next": "Z"}])
        ),
        "/States/A/Catch/0/ErrorEquals",
        "nothing after `States.ALL` is ever reached",
    ),
    "an interval of nothing": (
        machine(retry(IntervalSeconds=0)),
        "/States/A/Retry/0/IntervalSeconds",
        "cannot be `0`",
    ),
    "attempts below zero": (
        machine(retry(MaxAttempts=-1)),
        "/States/A/Retry/0/MaxAttempts",
        "cannot be `-1`",
    ),
    "a rate below one": (machine(retry(BackoffRate=0.9)), "/States/A/Retry/0/BackoffRate", "cannot be `0.9`"),
    "a delay of over a year": (
        machine(retry(MaxDelaySeconds=31_622_401)),
        "/States/A/Retry/0/MaxDelaySeconds",
        "cannot be",
    ),
    "a delay below the interval": (
        machine(retry(IntervalSeconds=10, MaxDelaySeconds=10)),
        "/States/A/Retry/0/MaxDelaySeconds",
        "`MaxDelaySeconds` is not more than `IntervalSeconds`, `10`",
    ),
    "another jitter": (
        machine(retry(JitterStrategy="SOME")),
        "/States/A/Retry/0/JitterStrategy",
        "cannot be `SOME`",
    ),
    "an unknown field of a retrier": (
        machine(retry(MaxAttempt=1)),
        "/States/A/Retry/0/MaxAttempt",
        "a retrier has no field `MaxAttempt`",
    ),
    "a catcher that leads nowhere": (
        machine(task(Catch=[{"ErrorEquals": ["E"]}])),
        "/States/A/Catch/0",
        "a catcher has no `Next`",
    ),
    "a catcher to what is not there": (
        machine(task(Catch=[{"ErrorEquals": ["E"], "Next": "B"}])),
        "/States/A/Catch/0/Next",
        "there is no state `B`",
    ),
    "a Retry that is no array": (
        machine(task(Retry={})),
        "/States/A/Retry",
        "`Retry` cannot be an empty object",
    ),
    "a Retry of a Pass": (machine(pass_(Retry=[])), "/States/A/Retry", "a Pass state has no field `Retry`"),
    # Choice
    "no rule": (
        machine({"Type": "Choice", "Choices": [], "Default": "Z"}),
        "/States/A/Choices",
        "`Choices` cannot be an empty array",
    ),
    "a rule that is none": (
        machine({"Type": "Choice", "Choices": ["Z"], "Default": "Z"}),
        "/States/A/Choices/0",
        "cannot be `Z`",
    ),
    "a rule that leads nowhere": (
        machine({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True}], "Default": "Z"}),
        "/States/A/Choices/0",
        "a rule of a Choice has no `Next`",
    ),
    "a rule that compares nothing": (
        machine(choice({"Variable": "$.a"})),
        "/States/A/Choices/0",
        "the rule compares nothing",
    ),
    "a comparison with nothing": (
        machine(choice({"IsNull": True})),
        "/States/A/Choices/0",
        "`IsNull` has nothing to compare",
    ),
    "two comparisons": (
        machine(compare(NumericGreaterThan=1, NumericLessThan=3)),
        "/States/A/Choices/0/NumericLessThan",
        "one rule has `NumericGreaterThan`, `NumericLessThan`",
    ),
    "a comparison and And": (
        machine(compare(IsNull=True, And=[{"Variable": "$.a", "IsNull": True}])),
        "/States/A/Choices/0/And",
        "one rule has `IsNull`, `And`",
    ),
    "a Variable beside Not": (
        machine(compare(Not={"Variable": "$.a", "IsNull": True})),
        "/States/A/Choices/0/Variable",
        "`Variable` says nothing beside `Not`",
    ),
    "an unknown comparison": (
        machine(compare(NumericEqual=1)),
        "/States/A/Choices/0/NumericEqual",
        "a rule of a Choice has no field `NumericEqual`",
    ),
    "a text for a number": (
        machine(compare(NumericEquals="1")),
        "/States/A/Choices/0/NumericEquals",
        "cannot be `1`",
    ),
    "a number for a text": (
        machine(compare(StringEquals=1)),
        "/States/A/Choices/0/StringEquals",
        "cannot be `1`",
    ),
    "a text for a boolean": (
        machine(compare(IsPresent="true")),
        "/States/A/Choices/0/IsPresent",
        "cannot be `true`",
    ),
    "a day for a timestamp": (
        machine(compare(TimestampEquals="2026-01-01")),
        "/States/A/Choices/0/TimestampEquals",
        "cannot be `2026-01-01`",
    ),
    "a value for a path": (
        machine(compare(StringEqualsPath="x")),
        "/States/A/Choices/0/StringEqualsPath",
        "cannot be `x`",
    ),
    "a nested rule that leads on": (
        machine(choice({"Not": {"Variable": "$.a", "IsNull": True, "Next": "Z"}})),
        "/States/A/Choices/0/Not/Next",
        "a nested rule has no `Next`",
    ),
    "a nested rule that compares nothing": (
        machine(choice({"And": [{"Or": [{}]}]})),
        "/States/A/Choices/0/And/0/Or/0",
        "the rule compares nothing",
    ),
    "And of nothing": (
        machine(choice({"And": []})),
        "/States/A/Choices/0/And",
        "`And` cannot be an empty array",
    ),
    "no condition": (
        jsonata(choice({})),
        "/States/A/Choices/0",
        "a rule of a Choice has no `Condition`",
    ),
    "a condition that is a number": (
        jsonata(choice({"Condition": 1})),
        "/States/A/Choices/0/Condition",
        "`Condition` cannot be `1`",
    ),
    "a default that is not there": (
        machine(compare(IsNull=True) | {"Default": "B"}),
        "/States/A/Default",
        "there is no state `B`",
    ),
    # Parallel and Map
    "no branch": (machine(parallel()), "/States/A/Branches", "`Branches` cannot be an empty array"),
    "a branch that is none": (machine(parallel("B")), "/States/A/Branches/0", "a branch cannot be `B`"),
    "a branch without a start": (
        machine(parallel({"States": {"B": END}})),
        "/States/A/Branches/0",
        "a branch has no `StartAt`",
    ),
    "a Map that does nothing": (
        machine({"Type": "Map", "End": True}),
        "/States/A",
        "a Map state has none of `ItemProcessor`, `Iterator`",
    ),
    "two bodies of a Map": (
        machine(map_(Iterator=inner("C"))),
        "/States/A/Iterator",
        "`ItemProcessor` and `Iterator` exclude one another",
    ),
    "two selectors": (
        machine(map_(ItemSelector={}, Parameters={})),
        "/States/A/Parameters",
        "`ItemSelector` and `Parameters` exclude one another",
    ),
    "items from two places": (
        jsonata(distributed(Items=[], ItemReader={"Resource": "arn:aws:states:::s3:getObject"})),
        "/States/A/ItemReader",
        "`Items` and `ItemReader` exclude one another",
    ),
    "a negative concurrency": (
        machine(map_(MaxConcurrency=-1)),
        "/States/A/MaxConcurrency",
        "cannot be `-1`",
    ),
    "more than all failures": (
        machine(map_(ToleratedFailurePercentage=101)),
        "/States/A/ToleratedFailurePercentage",
        "cannot be `101`",
    ),
    "two tolerances": (
        machine(map_(ToleratedFailureCount=1, ToleratedFailureCountPath="$.n")),
        "/States/A/ToleratedFailureCountPath",
        "exclude one another",
    ),
    **{
        f"{field} of a Map in line": (
            machine(map_(**{field: value})),
            f"/States/A/{field}",
            f"`{field}` is for items that run as executions of their own",
        )
        for field, value in {
            "ItemReader": reader(),
            "ItemBatcher": {"MaxItemsPerBatch": 1},
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"},
            "Label": "x",
        }.items()
    },
    "another mode": (
        machine(map_(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "REMOTE"}})),
        "/States/A/ItemProcessor/ProcessorConfig/Mode",
        "`Mode` cannot be `REMOTE`",
    ),
    "a distributed Map of no type": (
        machine(map_(ItemProcessor={**inner(), "ProcessorConfig": {"Mode": "DISTRIBUTED"}})),
        "/States/A/ItemProcessor/ProcessorConfig",
        "the mode `DISTRIBUTED` needs an `ExecutionType`",
    ),
    "an execution type of a Map in line": (
        machine(map_(ItemProcessor={**inner(), "ProcessorConfig": {"ExecutionType": "EXPRESS"}})),
        "/States/A/ItemProcessor/ProcessorConfig/ExecutionType",
        "`ExecutionType` is for the mode `DISTRIBUTED`",
    ),
    "a reader without a resource": (
        machine(distributed(ItemReader={})),
        "/States/A/ItemReader",
        "`ItemReader` has no `Resource`",
    ),
    "a reader of something else": (
        machine(distributed(ItemReader=reader(Resource=LAMBDA))),
        "/States/A/ItemReader/Resource",
        "`Resource` cannot be",
    ),
    "another format": (
        machine(distributed(ItemReader=reader({"InputType": "XML"}))),
        "/States/A/ItemReader/ReaderConfig/InputType",
        "cannot be `XML`",
    ),
    "a CSV file without headers": (
        machine(distributed(ItemReader=reader({"InputType": "CSV"}))),
        "/States/A/ItemReader/ReaderConfig",
        "a CSV file needs a `CSVHeaderLocation`",
    ),
    "headers that nobody gave": (
        machine(distributed(ItemReader=reader({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}))),
        "/States/A/ItemReader/ReaderConfig",
        "`CSVHeaders` and the `CSVHeaderLocation` `GIVEN` belong together",
    ),
    "two limits of items": (
        machine(distributed(ItemReader=reader({"MaxItems": 1, "MaxItemsPath": "$.n"}))),
        "/States/A/ItemReader/ReaderConfig/MaxItemsPath",
        "exclude one another",
    ),
    "a batch of no size": (
        machine(distributed(ItemBatcher={"BatchInput": {}})),
        "/States/A/ItemBatcher",
        "`ItemBatcher` says no size",
    ),
    "a batch of two sizes": (
        machine(distributed(ItemBatcher={"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.n"})),
        "/States/A/ItemBatcher/MaxItemsPerBatchPath",
        "exclude one another",
    ),
    "a batch of more bytes than an input has": (
        machine(distributed(ItemBatcher={"MaxInputBytesPerBatch": 262_145})),
        "/States/A/ItemBatcher/MaxInputBytesPerBatch",
        "cannot be",
    ),
    "a writer of nothing": (
        machine(distributed(ResultWriter={})),
        "/States/A/ResultWriter",
        "`ResultWriter` says neither where to write nor how",
    ),
    "a writer in another format": (
        machine(distributed(ResultWriter={"WriterConfig": {"OutputType": "CSV"}})),
        "/States/A/ResultWriter/WriterConfig/OutputType",
        "cannot be `CSV`",
    ),
    **{
        f"the label {label!r}": (machine(distributed(Label=label)), "/States/A/Label", "`Label` cannot be")
        for label in ["", "x" * 41, "a b", "a{b", "a*", "a:b", "a\x00"]
    },
}


@pytest.mark.parametrize(("document", "pointer", "said"), REFUSED.values(), ids=REFUSED)
def test_what_the_language_forbids_is_refused(document: Doc, pointer: str, said: str) -> None:
    """The problem stands where the mistake is, and its help says what to do."""
    found = problems(document)
    assert [p for p in found if p.pointer == pointer and said in p.message], [str(p) for p in found]
    assert all(p.help for p in found)


@pytest.mark.parametrize(
    ("document", "count"),
    [(d, 1) for d, pointer, _ in REFUSED.values() if "Task" in str(d) and "/Retry/" in pointer],
)
def test_one_mistake_is_one_problem(document: Doc, count: int) -> None:
    """Nothing follows from a mistake that a reader would have to take away."""
    assert len(problems(document)) == count


def test_all_problems_are_told_at_once_in_the_order_of_the_text() -> None:
    """Somebody who writes a workflow sees every mistake with its line and column."""
    made = read_json(
        """{
  "StartAt": "Fetsch",
  "States": {
    "Fetch": {
      "Type": "Task",
      "Resource": "remit:tool:fetch",
      "Timeout": 5,
      "Next": "Done"
    },
    "Wait": {"Type": "Wait", "Seconds": "5"}
  }
}"""
    )
    found = problems(made.document, made.positions, {"tool": ["fetch_it"]})
    assert [str(p) for p in found] == [
        "line 2, column 3: /StartAt: there is no state `Fetsch` in the same machine (did you mean `Fetch`?)",
        "line 3, column 3: /States: no state is the last one, so a run would never end "
        '(add `"End": true` to one, or a Succeed or Fail)',
        "line 6, column 7: /States/Fetch/Resource: there is no tool `fetch` (did you mean `fetch_it`?)",
        "line 7, column 7: /States/Fetch/Timeout: a Task state has no field `Timeout` "
        "(did you mean `TimeoutSeconds`?)",
        "line 8, column 7: /States/Fetch/Next: there is no state `Done` in the same machine "
        "(the states beside it are `Fetch`, `Wait`)",
        "line 10, column 5: /States/Wait: a Wait state has neither `Next` nor `End` "
        '(add `Next`, or `"End": true`)',
        "line 10, column 30: /States/Wait/Seconds: `Seconds` cannot be `5` "
        "(write a whole number from 0 to 99999999)",
    ]


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ("remit:tool:refunds", "there is no tool `refunds` (did you mean `refund`?)"),
        ("remit:agent:clerk", "there is no agent `clerk` (known here: `fraud_check`)"),
        ("remit:workflow:x", "there is no workflow `x` (known here: none)"),
        (LAMBDA, "there is no Lambda function `price` (known here: `ship`)"),
        (
            "arn:aws:states:::glue:startJobRun.sync",
            "there is no service integration `glue:startJobRun` (known here: `sqs:sendMessage`)",
        ),
    ],
)
def test_what_is_called_must_exist(resource: str, said: str) -> None:
    """A name that is not known is a problem which says what there is."""
    known = {
        "tool": ["refund"],
        "agent": ["fraud_check"],
        "workflow": [],
        "lambda": ["ship"],
        "service": ["sqs:sendMessage"],
    }
    assert [f"{p.message} ({p.help})" for p in problems(machine(task(Resource=resource)), known=known)] == [
        said
    ]
    assert problems(machine(task(Resource=resource))) == []


@pytest.mark.parametrize(
    ("document", "pointer", "said"),
    [
        (
            machine(retry(ErrorEquals=["States.Timeouts"])),
            "/States/A/Retry/0/ErrorEquals/0",
            "no error is ever named `States.Timeouts`",
        ),
        (jsonata(pass_(Output=" {% 1 %} ")), "/States/A/Output", "` {% 1 %} ` is text and no expression"),
        (
            jsonata(pass_(Output={"a.$": "$.a"})),
            "/States/A/Output/a.$",
            "`a.$` is just a name: JSONata is in force here",
        ),
        (
            machine(distributed(ItemsPath="$.a", ItemReader=reader())),
            "/States/A/ItemsPath",
            "`ItemsPath` has no effect beside `ItemReader`",
        ),
        (
            machine(
                map_(
                    ItemProcessor={
                        **inner(),
                        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                    }
                )
            ),
            "/States/A/ItemProcessor/ProcessorConfig/ExecutionType",
            "`EXPRESS` items run as durably as `STANDARD` ones here",
        ),
    ],
)
def test_what_is_taken_otherwise_is_a_warning(document: Doc, pointer: str, said: str) -> None:
    """What Step Functions accepts is accepted; that it may not mean what was meant is said."""
    assert problems(document) == []
    assert [(w.pointer, w.message) for w in warnings(document)] == [(pointer, said)]


@pytest.mark.parametrize("document", [None, [], "x", 1, {}])
def test_what_is_no_workflow_at_all_is_told_so(document: Any) -> None:
    """Anything that JSON can hold gets an answer."""
    assert problems(document)


def test_a_document_too_deep_is_refused() -> None:
    """Depth is a problem among others, and never the end of the stack."""
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    (problem,) = problems(machine(pass_(Result=deep)))
    assert "nested more than" in problem.message


junk = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 1.5, "", "$.a", "{% 1 %}", "{%", "States.Format('", "A", "Z", "Pass", "Map"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                sorted({f for fields in TYPES.values() for f in fields} | {"StartAt", "States", "x.$"})
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every member and element of a value, as (holder, key)."""
    if isinstance(value, (dict, list)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        return [(value, key) for key in keys] + [at for key in keys for at in places(value[key])]
    return []


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(ACCEPTED.values())), st.data())
def test_no_document_breaks_the_check(document: Doc, data: st.DataObject) -> None:
    """Whatever stands anywhere in a document, the answer is a list of problems with places that exist."""
    broken = copy.deepcopy(document)
    holder, key = data.draw(st.sampled_from(places(broken)))
    holder[key] = data.draw(junk)
    made = read_json(json.dumps(broken))
    for problem in problems(broken, made.positions):
        assert problem.pointer in made.positions
        assert problem.line == 1
