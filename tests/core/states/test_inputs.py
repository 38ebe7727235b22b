"""What a run of a document starts with, read off its states."""

from __future__ import annotations

from typing import Any

from remit.core.states.inputs import input_schema

END = {"End": True}


def jsonata(**states: dict[str, Any]) -> dict[str, Any]:
    """A document in JSONata that starts with its first state."""
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def jsonpath(**states: dict[str, Any]) -> dict[str, Any]:
    """The same in JSONPath."""
    return {"StartAt": next(iter(states)), "States": states}


def types(document: dict[str, Any]) -> dict[str, Any]:
    """The fields that are found, each with its type; one with fields of its own as a dict."""

    def of(schema: dict[str, Any]) -> Any:
        if "properties" in schema:
            return {name: of(inner) for name, inner in schema["properties"].items()}
        return schema.get("type", "")

    return of(input_schema(document))


def test_fields_of_the_first_state_and_of_those_that_get_its_input():
    """A Choice hands its input on; a Task hands on what came back, so what is read after it is no input."""
    made = jsonata(
        Big={
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.order.total > 100 %}", "Next": "Ask"},
                {"Condition": "{% $states.input.country = 'CH' %}", "Next": "Ask"},
                {"Condition": "{% $states.input.urgent %}", "Next": "Ask"},
            ],
            "Default": "Ask",
        },
        Ask={
            "Type": "Task",
            "Resource": "remit:agent:a",
            "Arguments": {"who": "{% $states.input.customer.name %}"},
            "Next": "After",
        },
        After={"Type": "Succeed", "Output": "{% $states.input.answer %}"},
    )
    assert types(made) == {
        "order": {"total": "number"},
        "country": "string",
        "urgent": "boolean",
        "customer": {"name": ""},
    }
    assert input_schema(made)["properties"]["country"]["description"] == "read by Big"


def test_the_executions_input_is_seen_from_anywhere():
    """Also from within an item processor."""
    inner = {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Pass",
                "Output": "{% $states.context.Execution.Input.note & $states.input.x %}",
                **END,
            }
        },
    }
    made = jsonata(
        All={"Type": "Map", "Items": "{% $states.input.rows %}", "ItemProcessor": inner, **END},
    )
    assert types(made) == {"rows": "array", "note": ""}


def test_branches_of_a_parallel_get_its_input_unless_it_gives_them_another():
    """`Arguments` are another."""
    branch = jsonata(Use={"Type": "Pass", "Output": "{% $states.input.topic %}", **END})
    both: dict[str, Any] = {"Type": "Parallel", "Branches": [branch], **END}
    assert types(jsonata(Both=both)) == {"topic": ""}
    assert types(jsonata(Both={**both, "Arguments": {"topic": 1}})) == {}


def test_jsonpath_documents():
    """What a state puts beside its input is not taken for input; rules of a Choice say the type."""
    made = jsonpath(
        Load={
            "Type": "Task",
            "Resource": "remit:tool:load",
            "Parameters": {"id.$": "$.order.id", "at.$": "$$.Execution.Input.when"},
            "ResultPath": "$.loaded",
            "Next": "Big",
        },
        Big={
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.loaded.total", "NumericGreaterThan": 1, "Next": "Pause"},
                {"Not": {"Variable": "$.mode", "StringEquals": "fast"}, "Next": "Pause"},
            ],
            "Default": "Pause",
        },
        Pause={"Type": "Wait", "SecondsPath": "$.pause", "Next": "Done"},
        Done={"Type": "Succeed"},
    )
    assert types(made) == {"order": {"id": ""}, "mode": "string", "pause": "number", "when": ""}


def test_a_document_that_reads_nothing():
    """Has an input of no known fields."""
    assert input_schema(jsonpath(Done={"Type": "Succeed"})) == {"type": "object", "properties": {}}


def test_a_loop_ends():
    """States that lead back are looked at once."""
    made = jsonata(
        Again={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.n < 3 %}", "Next": "Pause"}],
            "Default": "Done",
        },
        Pause={"Type": "Wait", "Seconds": 1, "Next": "Again"},
        Done={"Type": "Succeed"},
    )
    assert types(made) == {"n": "number"}
