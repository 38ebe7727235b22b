"""Tasks whose compiled form must give the same output, wherever it runs."""

from __future__ import annotations

from typing import Any

from remit.testing.workflows import TaskFailure

INPUT = {"n": 3, "deep": {"a": 1}}
FLOWS: list[dict[str, Any]] = [
    {"Resource": "remit:tool:double"},
    {"Resource": "remit:tool:double", "Arguments": {"n": "{% $states.input.n + 1 %}"}, "Output": {"got": "{% $states.result.n %}"}},
    {"Resource": "remit:workflow:inner"},
    {"Resource": "remit:workflow:inner", "Output": "{% $states.result.n + 1 %}"},
    {"Resource": "remit:workflow:inner", "Assign": {"x": "{% $states.result %}"}, "Output": "{% '$states.result' & /* $states.result */ $string($states.result.n) %}"},
    {"Resource": "remit:workflow:inner", "Arguments": {"n": 5}, "Output": {"in": "{% $states.input %}", "all": "{% $states.result %}"}},
    {"Resource": "remit:tool:broken", "Catch": [{"ErrorEquals": ["OutOfStock"], "Next": "end", "Output": "{% $states.errorOutput.Cause %}"}]},
]  # fmt: skip
PATH_FLOWS: list[dict[str, Any]] = [
    {"Resource": "remit:tool:double"},
    {"Resource": "remit:tool:double", "Parameters": {"n.$": "$.n"}, "ResultPath": "$.got"},
    {"Resource": "remit:workflow:inner"},
    {"Resource": "remit:workflow:inner", "ResultPath": "$.got"},
    {"Resource": "remit:workflow:inner", "ResultPath": "$.deep.got", "OutputPath": "$.deep"},
    {"Resource": "remit:workflow:inner", "ResultPath": None},
    {"Resource": "remit:workflow:inner", "OutputPath": "$.n"},
    {"Resource": "remit:workflow:inner", "OutputPath": None},
    {"Resource": "remit:workflow:inner", "Parameters": {"n": 4}, "ResultSelector": {"m.$": "States.MathAdd($.n, 1)", "t": "$.n"}, "ResultPath": "$.got"},
    {"Resource": "remit:workflow:inner", "Assign": {"v.$": "$.n"}, "ResultPath": "$.got"},
    {"Resource": "remit:tool:broken", "Catch": [{"ErrorEquals": ["OutOfStock"], "ResultPath": "$.why", "Next": "end"}]},
]  # fmt: skip
INNER = {
    "QueryLanguage": "JSONata",
    "StartAt": "i",
    "States": {"i": {"Type": "Task", "Resource": "remit:tool:double", "End": True}},
}


def double(event: Any) -> Any:
    """Twice the number."""
    return {"n": event["n"] * 2}


def broken(event: Any) -> Any:
    """Fails with a name of its own."""
    raise TaskFailure("OutOfStock", "none left")


def followed(language: str, state: dict[str, Any]) -> dict[str, Any]:
    """A document of this Task, and a state after it that gives a variable if one was set."""
    end: dict[str, Any] = {"Type": "Pass", "End": True}
    if language == "JSONPath" and "Assign" in state:
        end["Parameters"] = {"v.$": "$v"}
    states = {"s": {"Type": "Task", "Next": "end", **state}, "end": end}
    return {"QueryLanguage": language, "StartAt": "s", "States": states}
