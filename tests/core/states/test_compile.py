"""Compiling a document for Step Functions: the same answers there, least privilege, and reasons for what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.core.states.compiled_flows import FLOWS, INNER, INPUT, PATH_FLOWS, broken, double, followed

from remit.core.states import unwrap
from remit.core.states.arns import Bindings
from remit.core.states.check import problems
from remit.core.states.compile import MOST_BYTES, compile_for_stepfunctions
from remit.testing.workflows import run_document

HERE = Bindings(partition="aws", region="eu-west-1", account="123456789012")
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"


def one(state: dict[str, Any], language: str = "JSONata") -> dict[str, Any]:
    """A document of one state."""
    return {
        "QueryLanguage": language,
        "StartAt": "s",
        "States": {"s": {"Type": "Task", "End": True, **state}},
    }


def compiled(document: dict[str, Any], bindings: Bindings = HERE) -> dict[str, Any]:
    """The document for Step Functions, which is valid itself."""
    made = compile_for_stepfunctions(document, bindings, "w")
    assert made.problems == ()
    assert made.document is not None
    assert problems(made.document) == []
    return made.document


def test_an_agent_is_its_function_and_is_told_which_call_it_is() -> None:
    """In JSONata: the effective input is wrapped with execution, state and time, so that a repeated call is known."""
    state = compiled(
        one({"Resource": "remit:agent:researcher@b", "Arguments": {"q": "{% $states.input.q %}"}})
    )["States"]["s"]
    assert state["Resource"] == FUNCTION + "remit-agent-researcher"
    assert state["Arguments"] == {
        "remit": {
            "kind": "agent",
            "name": "researcher",
            "alias": "b",
            "execution": "{% $states.context.Execution.Id %}",
            "state": "{% $states.context.State.Name %}",
            "entered": "{% $states.context.State.EnteredTime %}",
        },
        "input": {"q": "{% $states.input.q %}"},
    }
    assert "Output" not in state


def test_in_jsonpath_the_same() -> None:
    """`Parameters`, with paths into the context object; ResultPath and the rest are as they were."""
    given = {
        "Resource": "remit:tool:price",
        "InputPath": "$.order",
        "ResultPath": "$.price",
        "ResultSelector": {"p.$": "$.p"},
    }
    state = compiled(one(given, "JSONPath"))["States"]["s"]
    assert state["Parameters"]["input.$"] == "$"
    assert state["Parameters"]["remit"]["execution.$"] == "$$.Execution.Id"
    assert (state["InputPath"], state["ResultPath"], state["ResultSelector"]) == (
        "$.order",
        "$.price",
        {"p.$": "$.p"},
    )


def test_a_function_of_yours_is_given_the_input_as_it_is() -> None:
    """A binding by URI names it; nothing is wrapped and no retry is added, since it may not know a repeated call."""
    bindings = Bindings(
        partition="aws", region="eu-west-1", account="123456789012", functions={"remit:tool:price": "mine"}
    )
    document = one({"Resource": "remit:tool:price", "Arguments": {"a": 1}})
    assert compiled(document, bindings)["States"]["s"] == {
        **document["States"]["s"],
        "Resource": FUNCTION + "mine",
    }


def test_what_lambda_itself_fails_at_is_repeated() -> None:
    """AWS's recommended Retrier comes first, without the errors that the document speaks of; it can be left out."""
    own = [{"ErrorEquals": ["Lambda.ServiceException"], "MaxAttempts": 1}]
    document = one({"Resource": "remit:tool:price", "Retry": own})
    retry = compiled(document)["States"]["s"]["Retry"]
    assert retry[0]["ErrorEquals"] == [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
    ]
    assert retry[1:] == own
    without = Bindings(partition="aws", region="eu-west-1", account="123456789012", retry_lambda=False)
    assert compiled(document, without)["States"]["s"]["Retry"] == own


def test_a_gate_waits_for_its_token() -> None:
    """It is called with the token in its envelope, and whoever approves sends it back."""
    state = compiled(one({"Resource": "remit:gate:approve", "Arguments": {"Message": "Ship?"}}))["States"][
        "s"
    ]
    assert state["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    assert state["Arguments"]["FunctionName"] == FUNCTION + "remit-gate-approve"
    assert state["Arguments"]["Payload"]["remit"]["task_token"] == "{% $states.context.Task.Token %}"
    assert state["Arguments"]["Payload"]["input"] == {"Message": "Ship?"}


def test_events_go_to_the_bus() -> None:
    """What is published becomes the detail; with a token, the token is beside it."""
    state = compiled(one({"Resource": "remit:event:order.paid", "Arguments": {"data": {"id": 1}}}))["States"][
        "s"
    ]
    (entry,) = state["Arguments"]["Entries"]
    assert (entry["DetailType"], entry["Source"], entry["Detail"]) == ("order.paid", "remit", {"id": 1})
    state = compiled(one({"Resource": "remit:event:order.paid.waitForTaskToken"}, "JSONPath"))["States"]["s"]
    assert state["Resource"] == "arn:aws:states:::events:putEvents.waitForTaskToken"
    assert state["Parameters"]["Entries"][0]["Detail"] == {"data.$": "$", "task_token.$": "$$.Task.Token"}


def test_activities_and_machines_have_their_arns() -> None:
    """A workflow's alias is its state machine's."""
    assert compiled(one({"Resource": "remit:activity:pack"}))["States"]["s"]["Resource"] == (
        "arn:aws:states:eu-west-1:123456789012:activity:pack"
    )
    state = compiled(one({"Resource": "remit:workflow:inner@b.async"}))["States"]["s"]
    assert state["Resource"] == "arn:aws:states:::states:startExecution"
    assert state["Arguments"]["StateMachineArn"].endswith(":stateMachine:remit-inner:b")


def test_placeholders_are_for_cloudformation() -> None:
    """Without an account the ARNs have `Fn::Sub` placeholders, and `${` of the document's own is kept from it."""
    made = compile_for_stepfunctions(
        one({"Resource": "remit:tool:a", "Arguments": {"x": "${mine}"}})
    ).document
    assert made is not None
    state = made["States"]["s"]
    assert (
        state["Resource"]
        == "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:remit-tool-a"
    )
    assert state["Arguments"]["input"] == {"x": "${!mine}"}


def test_all_that_cannot_be_is_refused_at_once() -> None:
    """With the state and the reason; there is no document then."""
    document = {
        "QueryLanguage": "JSONata",
        "StartAt": "p",
        "States": {
            "p": {
                "Type": "Parallel",
                "Branches": [
                    one({"Resource": "remit:event:paid.waitForEvent"}),
                    {"StartAt": "t", "States": {"t": {"Type": "Task", "Resource": "remit:workflow:w", "Output": "{% $keys($states) %}", "End": True}}},
                ],
                "End": True,
            }
        },
    }  # fmt: skip
    made = compile_for_stepfunctions(document, HERE)
    assert made.document is None
    assert [p.pointer for p in made.problems] == [
        "/States/p/Branches/0/States/s",
        "/States/p/Branches/1/States/t",
    ]
    assert all(p.message and p.help for p in made.problems)


def test_a_document_over_the_quota_is_refused() -> None:
    """Step Functions takes a definition of 1 MB."""
    made = compile_for_stepfunctions(one({"Resource": "remit:tool:a", "Comment": "x" * MOST_BYTES}), HERE)
    assert made.document is None
    assert str(MOST_BYTES) in made.problems[0].message


def test_the_role_may_do_what_the_document_does_and_no_more() -> None:
    """Each resource has its own permission; what is known only in a run is told as a note."""
    document = {
        "StartAt": "a",
        "States": {
            "a": {"Type": "Task", "Resource": "remit:tool:a", "Next": "b"},
            "b": {"Type": "Task", "Resource": "remit:workflow:inner", "Next": "c"},
            "c": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Parameters": {"TableName": "t", "Item": {}}, "Next": "d"},
            "d": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl.$": "$.q", "MessageBody": "x"}, "Next": "e"},
            "e": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}, "Next": "f"},
            "f": {"Type": "Map", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}, "Parameters": {"Bucket": "in", "Key": "items.json"}},
                  "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "g", "States": {"g": {"Type": "Pass", "End": True}}},
                  "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out", "Prefix": "done"}}, "End": True},
        },
    }  # fmt: skip
    made = compile_for_stepfunctions(document, HERE, "outer")
    states = "arn:aws:states:eu-west-1:123456789012:"
    rule = "arn:aws:events:eu-west-1:123456789012:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    own_executions, inner_executions = states + "execution:remit-outer/*", states + "execution:remit-inner:*"
    assert {s.actions: set(s.resources) for s in made.statements} == {
        ("lambda:InvokeFunction",): {FUNCTION + "remit-tool-a", FUNCTION + "remit-tool-a:*"},
        ("states:StartExecution",): {
            states + "stateMachine:remit-inner",
            states + "stateMachine:remit-outer",
        },
        ("states:DescribeExecution", "states:StopExecution"): {inner_executions},
        ("events:PutTargets", "events:PutRule", "events:DescribeRule"): {rule},
        ("dynamodb:PutItem",): {"arn:aws:dynamodb:eu-west-1:123456789012:table/t"},
        ("sqs:SendMessage",): {"*"},
        ("s3:GetObject",): {"*", "arn:aws:s3:::in/items.json"},
        ("states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"): {own_executions},
        ("s3:ListBucket",): {"arn:aws:s3:::in"},
        (
            "s3:PutObject",
            "s3:GetObject",
            "s3:ListMultipartUploadParts",
            "s3:AbortMultipartUpload",
        ): {"arn:aws:s3:::out/done/*"},
    }
    assert [n.pointer for n in made.notes] == ["/States/d", "/States/e"]
    assert json.loads(json.dumps(made.policy()))["Statement"][0] == {
        "Effect": "Allow",
        "Action": ["lambda:InvokeFunction"],
        "Resource": [FUNCTION + "remit-tool-a", FUNCTION + "remit-tool-a:*"],
    }


# the same answers


def unpacked(answer: Any) -> Any:
    """What Remit's own function on AWS does: it answers the input in its envelope."""

    def function(event: Any) -> Any:
        assert set(event) == {"remit", "input"}
        assert event["remit"]["execution"]
        assert event["remit"]["entered"]
        return answer(event["input"])

    return function


@pytest.mark.parametrize(
    ("language", "state"), [("JSONata", s) for s in FLOWS] + [("JSONPath", s) for s in PATH_FLOWS]
)
async def test_the_compiled_document_gives_the_same_output(language: str, state: dict[str, Any]) -> None:
    """Both are run, the compiled one with functions and shapes as on AWS: output and error are equal."""
    document = followed(language, state)
    here = await run_document(
        document, INPUT, {"double": double, "broken": broken}, workflows={"inner": INNER}
    )
    functions = {f"remit-tool-{n}": unpacked(a) for n, a in (("double", double), ("broken", broken))}
    there = await run_document(
        compiled(document), INPUT, functions, workflows={"remit-inner": compiled(INNER)}
    )
    assert here.status == "SUCCEEDED", here
    assert (there.status, there.output, there.error, there.cause) == (
        here.status,
        here.output,
        here.error,
        here.cause,
    )


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$states.result", "$states.result.K"),
        ("$states . result.a", "$states . result.K.a"),
        ("$states.results", None),
        ("$states.input.result", "$states.input.result"),
        ("'$states.result' & \"$states.result\" & `$states.result`", "'$states.result' & \"$states.result\" & `$states.result`"),
        (r"'it\'s' & $states.result", r"'it\'s' & $states.result.K"),
        ("$match($states.result, /'/)", "$match($states.result.K, /'/)"),
        ("$states.result / 2 /* $states */", "$states.result.K / 2 /* $states */"),
        ("$statesresult", "$statesresult"),
        ("$states", None),
        ("($s := $states; $s.result)", None),
    ],
)  # fmt: skip
def test_jsonata_is_rewritten_where_it_means_the_result(text: str, made: str | None) -> None:
    """Texts, names, comments and patterns stay; what cannot be followed is refused."""
    if made is None:
        with pytest.raises(unwrap.NotRewritable):
            unwrap.expression(text, "K")
    else:
        assert unwrap.expression(text, "K") == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$", "$.K"),
        ("$.a[0]", "$.K.a[0]"),
        ("$[0]", "$.K[0]"),
        ("$$.Execution.Id", "$$.Execution.Id"),
        ("$v.a", "$v.a"),
        (
            "States.Format('$.a {}', $.a, $$.State.Name, $v)",
            "States.Format('$.a {}', $.K.a, $$.State.Name, $v)",
        ),
        ("$.a[?(@.b == 'x$')]", "$.K.a[?(@.b == 'x$')]"),
    ],
)
def test_paths_are_rewritten_at_their_root(text: str, made: str) -> None:
    """The context object and variables stay."""
    assert unwrap.path(text, "K") == made
