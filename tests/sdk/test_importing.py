"""State machines from AWS: from what AWS and its templates wrap them in, with what they need here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.core.errors import InputError
from remit.testing.workflows import run_document
from remit.workflow.importing import import_document

MACHINE: dict[str, Any] = {
    "StartAt": "price",
    "States": {
        "price": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:price", "Next": "tell"},
        "tell": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "teller:live", "Payload.$": "$"},
            "End": True,
        },
    },
}  # fmt: skip

SAM = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
  Wait: {Type: Number}
Resources:
  Price:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.price}
  Queue:
    Type: AWS::SQS::Queue
  Order:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: order
      DefinitionSubstitutions:
        PriceArn: !GetAtt Price.Arn
        QueueUrl: !Ref Queue
      Definition:
        StartAt: price
        States:
          price: {Type: Task, Resource: "${PriceArn}", Next: queue}
          queue:
            Type: Task
            Resource: !Sub "arn:${AWS::Partition}:states:::sqs:sendMessage"
            Parameters: {QueueUrl: "${QueueUrl}", MessageBody: !Sub "${Stage}-${!kept}"}
            End: true
"""


def test_what_describe_state_machine_prints_is_read() -> None:
    """The definition is a text inside; the name comes along; functions are tools or agents of the same name."""
    printed = json.dumps({"name": "order", "stateMachineArn": "arn:x", "definition": json.dumps(MACHINE)})
    got = import_document(printed, known={"tool": {"price"}, "agent": {"teller"}})
    assert (got.name, got.document, got.problems) == ("order", MACHINE, ())
    assert [(link.kind, link.name, link.found) for link in got.links] == [
        ("tool", "price", True),
        ("agent", "teller", True),
    ]
    assert got.missing == ()


async def test_an_imported_machine_runs() -> None:
    """As it is: nothing of the document is changed."""
    got = import_document(json.dumps(MACHINE))
    ran = await run_document(
        got.document, {"n": 1}, {"price": lambda e: {"p": e["n"]}, "teller": lambda e: e["p"] + 1}
    )
    assert ran.output["Payload"] == 2


def test_what_is_missing_is_named() -> None:
    """Each Task that nothing here answers, with what to do."""
    got = import_document(json.dumps(MACHINE), known={"tool": {"price"}})
    assert [link.name for link in got.missing] == ["teller"]
    assert "write a tool or an agent named `teller`" in got.missing[0].note


def test_a_sam_template_is_filled_in() -> None:
    """References become names that mean something here; `${!x}` stays the text `${x}`, which then is told."""
    got = import_document(SAM, known={"tool": ["Price"]})
    states = got.document["States"]
    assert got.name == "order"
    assert states["price"]["Resource"] == "arn:aws:lambda:::function:Price"
    assert states["queue"]["Resource"] == "arn:aws:states:::sqs:sendMessage"
    assert states["queue"]["Parameters"]["QueueUrl"].endswith("/Queue")
    assert states["queue"]["Parameters"]["MessageBody"] == "test-${kept}"
    assert [p.message for p in got.problems] == ["nothing says what `${kept}` is"]
    whole = import_document(SAM, known={"tool": ["Price"]}, substitutions={"kept": "k"})
    assert [(link.kind, link.found) for link in whole.links] == [("tool", True), ("service", True)]


def test_a_cloudformation_definition_string_is_read() -> None:
    """As `Fn::Sub` with its own map, and as `Fn::Join`, in JSON."""
    text = json.dumps(MACHINE).replace("arn:aws:lambda:us-east-1:123456789012:function:price", "${P}")
    for given in (
        {"Fn::Sub": [text, {"P": {"Fn::GetAtt": ["Price", "Arn"]}}]},
        {"Fn::Join": ["", [text.split("${P}")[0], {"Fn::GetAtt": "Price.Arn"}, text.split("${P}")[1]]]},
    ):
        template = {
            "Resources": {
                "Price": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "price"}},
                "M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"DefinitionString": given}},
            }
        }
        got = import_document(json.dumps(template), known={"tool": ["price"]})
        assert (got.name, got.problems) == ("M", ())
        assert got.links[0].found


def test_a_definition_in_another_file_is_asked_for() -> None:
    """`DefinitionUri` is read by the caller's `file`, and named where there is none."""
    template = SAM.split("      Definition:")[0] + "      DefinitionUri: order.asl.json\n"
    with pytest.raises(InputError, match=r"order\.asl\.json"):
        import_document(template)
    text = json.dumps(MACHINE).replace("arn:aws:lambda:us-east-1:123456789012:function:price", "${PriceArn}")
    got = import_document(template, file=lambda name: text if name == "order.asl.json" else "")
    assert got.document["States"]["price"]["Resource"] == "arn:aws:lambda:::function:Price"


def test_a_document_that_cannot_run_tells_all_problems() -> None:
    """What the checker says of every document."""
    got = import_document(json.dumps({"StartAt": "x", "States": {"a": {"Type": "Pass", "Next": "b"}}}))
    assert len(got.problems) >= 2
    assert got.links == ()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "Resources: {}",
        "Resources: {A: {Type: 'AWS::S3::Bucket'}}",
        "Resources:\n  A: !Sub [",
        "Resources: &a {x: 1}\nB: *a",
        SAM
        + SAM.partition("Resources:")[2]
        .replace("Order", "Other")
        .replace("Price:", "P2:")
        .replace("Queue:", "Q2:"),
        '{"definition": "[1]"}',
        '{"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine"}}}',
    ],
)
def test_what_holds_no_state_machine_is_refused(text: str) -> None:
    """With a sentence and what to give."""
    with pytest.raises(InputError) as caught:
        import_document(text)
    assert caught.value.help


_HALF = "Resources:\n  M:\n    Type: AWS::StepFunctions::StateMachine\n    Properties:"
_ITSELF = (
    "\n      Definition: {StartAt: !GetAtt A.Arn}\n"
    "  A: {Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref A}}"
)


@pytest.mark.parametrize(
    "text",
    [
        f"{_HALF} 3",
        f"{_HALF}\n      Definition: !Sub [1, 2, 3]",
        f"{_HALF}\n      Definition: !Sub [1, 2]",
        f"{_HALF}\n      DefinitionString: !Join []",
        f"{_HALF}\n      DefinitionSubstitutions: [1]",
        f"{_HALF}{_ITSELF}",
        f"{_HALF} !!bool maybe",
        f"{_HALF} !!int ''",
        f"{_HALF} !!map [a]",
        f"{_HALF} {'[' * 3000}",
        f"{_HALF} \x07",
        "Resources: [1]",
        "Resources:\n  1: 2",
        "StartAt: !!bool maybe",
        "StartAt: !!int ''",
        "StartAt: !!float ''",
        "StartAt: !!timestamp x",
        "StartAt: !!map [a]",
        "StartAt: !!pairs [a: 1]",
        "? !!str {=: a}\n: 1",
        f"StartAt: {'[' * 3000}",
        "StartAt: \x07",
    ],
)
def test_half_a_text_is_refused_in_words(text: str) -> None:
    """As one has it while typing: whatever is missing or odd, somebody is told."""
    with pytest.raises(InputError) as caught:
        import_document(text)
    assert caught.value.help


def test_of_several_machines_one_is_named() -> None:
    """By its name in the template, or its own."""
    body = {"Type": "AWS::StepFunctions::StateMachine", "Properties": {"Definition": MACHINE}}
    named = {"Type": body["Type"], "Properties": {"Definition": MACHINE, "StateMachineName": "second"}}
    template = json.dumps({"Resources": {"A": body, "B": named}})
    with pytest.raises(InputError, match="2 state machines"):
        import_document(template)
    assert import_document(template, machine="A").name == "A"
    assert import_document(template, machine="second").name == "second"
