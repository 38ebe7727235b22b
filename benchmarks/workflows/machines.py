"""The machines that are measured. Standard library only: peers read them too."""

from __future__ import annotations

from typing import Any

ADDS = 10
STATES = 2 * ADDS
"""Ten states that add one, and after each a choice whether to go on."""

Document = dict[str, Any]


def adding(step: Document) -> Document:
    """The machine of 20 states: `step` adds one to `n`, and a Choice in JSONPath goes on while there are steps left."""
    states: Document = {}
    for n in range(ADDS):
        after = f"add{n + 1}" if n + 1 < ADDS else "done"
        on = {"Variable": "$.n", "NumericGreaterThan": n, "Next": after}
        states[f"add{n}"] = {**step, "Next": f"more{n}"}
        states[f"more{n}"] = {"Type": "Choice", "Choices": [on], "Default": "off"}
    return {"StartAt": "add0", "States": {**states, **_ends()}}


def adding_jsonata(step: Document) -> Document:
    """The same machine in JSONata."""
    states: Document = {}
    for n in range(ADDS):
        after = f"add{n + 1}" if n + 1 < ADDS else "done"
        on = {"Condition": f"{{% $states.input.n > {n} %}}", "Next": after}
        states[f"add{n}"] = {**step, "Next": f"more{n}"}
        states[f"more{n}"] = {"Type": "Choice", "Choices": [on], "Default": "off"}
    return {"QueryLanguage": "JSONata", "StartAt": "add0", "States": {**states, **_ends()}}


def _ends() -> Document:
    return {"done": {"Type": "Succeed"}, "off": {"Type": "Fail", "Error": "Wrong"}}


PASS = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}}
PASS_JSONATA = {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}"}}


def task(resource: str) -> Document:
    """A Task that calls this with `{"n": ...}` and takes the same from it."""
    return {"Type": "Task", "Resource": resource}


def loop(visits: int) -> Document:
    """Counts up to half of `visits`: a Choice and a Pass each time."""
    on = {"Variable": "$.n", "NumericLessThan": visits // 2, "Next": "add"}
    states = {
        "more": {"Type": "Choice", "Choices": [on], "Default": "done"},
        "add": {**PASS, "Next": "more"},
        "done": {"Type": "Succeed"},
    }
    return {"StartAt": "more", "States": states}


def fan(step: Document, branches: int) -> Document:
    """A Parallel of so many branches, each of one state."""
    made = [{"StartAt": f"add{n}", "States": {f"add{n}": {**step, "End": True}}} for n in range(branches)]
    return {"StartAt": "all", "States": {"all": {"Type": "Parallel", "Branches": made, "End": True}}}


def mapped(step: Document) -> Document:
    """A Map over the input's `items`, each item one state."""
    one = {"StartAt": "add", "States": {"add": {**step, "End": True}}}
    each = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": one, "End": True}
    return {"StartAt": "each", "States": {"each": each}}


HOUR = {
    "StartAt": "pause",
    "States": {"pause": {"Type": "Wait", "Seconds": 3600, "Next": "done"}, "done": {"Type": "Succeed"}},
}
UNTIL = {
    "StartAt": "pause",
    "States": {
        "pause": {"Type": "Wait", "TimestampPath": "$.at", "Next": "done"},
        "done": {"Type": "Succeed"},
    },
}
QUICK = {"StartAt": "only", "States": {"only": {"Type": "Succeed"}}}
