"""Workflows that make twenty charges, each in another shape, for the program that is killed."""

from __future__ import annotations

from typing import Any

from remit.sdk import FunctionTool, ToolError, tool
from remit.testing.workflows import Named

Document = dict[str, Any]
INPUT = "$states.context.Execution.Input"
REFS = "{% [0..19].($string($states.context.Execution.Input.run) & ':' & $string($)) %}"
"""What every scenario gives in the end: the references that were charged."""


def machine(start: str, **states: Any) -> Document:
    """A document in JSONata; the state `done` gives the references."""
    done = {"Type": "Succeed", "Output": REFS}
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": {**states, "done": done}}


def charge(effect: str, number: str, **fields: Any) -> Document:
    """A Task that makes the charge of this number (JSONata). It ends unless it says where to go."""
    ends = {} if "Next" in fields else {"End": True}
    arguments = {"ref": f"{{% {INPUT}.run & ':' & $string({number}) %}}"}
    return {
        "Type": "Task",
        "Resource": f"remit:tool:charge_{effect}",
        "Arguments": arguments,
        **ends,
        **fields,
    }


def each(effect: str, first: int, last: int, **fields: Any) -> Document:
    """A Map that charges the numbers from `first` to `last`, three at a time."""
    name = f"charge{first}"  # a name may occur once in a document
    one = {"StartAt": name, "States": {name: charge(effect, "$states.input")}}
    items = f"{{% [{first}..{last}] %}}"
    return {"Type": "Map", "Items": items, "MaxConcurrency": 3, "ItemProcessor": one, **fields}


def loop(effect: str) -> Document:
    """A counter: read a price, charge, count, until all are done."""
    more = {"Condition": f"{{% $n < {INPUT}.effects %}}", "Next": "price"}
    price = {
        "Type": "Task",
        "Resource": "remit:tool:rate",
        "Arguments": {"index": "{% $n %}"},
        "Next": "charge",
    }
    return machine(
        "begin",
        begin={"Type": "Pass", "Assign": {"n": 0}, "Next": "more"},
        more={"Type": "Choice", "Choices": [more], "Default": "done"},
        price=price,
        charge=charge(effect, "$n", Assign={"n": "{% $n + 1 %}"}, Next="more"),
    )


def wide(effect: str) -> Document:
    """Four branches of five charges, one after another within a branch."""
    branches = []
    for first in range(0, 20, 5):
        numbers = range(first, first + 5)
        states = {
            f"c{n}": charge(effect, str(n), **({"Next": f"c{n + 1}"} if n < first + 4 else {}))
            for n in numbers
        }
        branches.append({"StartAt": f"c{first}", "States": states})
    return machine("all", all={"Type": "Parallel", "Branches": branches, "Next": "done"})


def mapped(effect: str) -> Document:
    """A Map of twenty charges."""
    return machine("each", each=each(effect, 0, 19, Next="done"))


def caught(effect: str) -> Document:
    """A Task that fails, is tried again, fails, and is caught; a charge before and the rest after it."""
    retry = {"ErrorEquals": ["Shaky"], "MaxAttempts": 2, "IntervalSeconds": 1, "BackoffRate": 1}
    catch = {"ErrorEquals": ["Shaky"], "Next": "rest"}
    shaky = {
        "Type": "Task",
        "Resource": "remit:tool:shaky",
        "Arguments": {},
        "Retry": [retry],
        "Catch": [catch],
    }
    return machine(
        "first",
        first=charge(effect, "0", Next="shaky"),
        shaky={**shaky, "Next": "done"},
        rest=each(effect, 1, 19, Next="done"),
    )


def gate(effect: str) -> Document:
    """A person lets the second half happen."""
    ask = {"Message": "More?", "Payload": {"ref": f"{{% {INPUT}.run & ':gate' %}}"}}
    return machine(
        "half",
        half=each(effect, 0, 9, Next="ask"),
        ask={"Type": "Task", "Resource": "remit:gate:more", "Arguments": ask, "Next": "decided"},
        decided={
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.decision = 'approve' %}", "Next": "rest"}],
            "Default": "refused",
        },
        rest=each(effect, 10, 19, Next="done"),
        refused={"Type": "Fail", "Error": "Refused"},
    )


def token(effect: str) -> Document:
    """Somebody outside answers between the halves."""
    send = {"token": "{% $states.context.Task.Token %}"}
    return machine(
        "half",
        half=each(effect, 0, 9, Next="send"),
        send={
            "Type": "Task",
            "Resource": "remit:tool:send.waitForTaskToken",
            "Arguments": send,
            "Next": "rest",
        },
        rest=each(effect, 10, 19, Next="done"),
    )


def activity(effect: str) -> Document:
    """A worker outside takes a task and answers between the halves."""
    dig = {"Type": "Task", "Resource": "remit:activity:dig", "Arguments": {}, "Next": "rest"}
    return machine(
        "half", half=each(effect, 0, 9, Next="dig"), dig=dig, rest=each(effect, 10, 19, Next="done")
    )


def timer(effect: str) -> Document:
    """A second passes between the halves."""
    return machine(
        "half",
        half=each(effect, 0, 9, Next="pause"),
        pause={"Type": "Wait", "Seconds": 1, "Next": "rest"},
        rest=each(effect, 10, 19, Next="done"),
    )


def nested(effect: str) -> Document:
    """An agent makes the first half and another workflow the second, at the same time."""
    given = {"run": f"{{% {INPUT}.run %}}"}
    coded = {"Type": "Task", "Resource": f"remit:agent:code_{effect}", "End": True}
    inner = {"Type": "Task", "Resource": f"remit:workflow:inner_{effect}", "Arguments": given, "End": True}
    branches = [
        {"StartAt": "coded", "States": {"coded": {**coded, "Arguments": {**given, "effects": 10}}}},
        {"StartAt": "inner", "States": {"inner": inner}},
    ]
    return machine("both", both={"Type": "Parallel", "Branches": branches, "Next": "done"})


def inner(effect: str) -> Document:
    """The second half, as a workflow of its own."""
    return machine("rest", rest=each(effect, 10, 19, Next="done"))


def distributed(effect: str) -> Document:
    """A distributed Map of twenty charges that writes its results to objects."""
    one = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "charge",
        "States": {"charge": charge(effect, "$states.input")},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Arguments": {"Bucket": "results", "Prefix": "charges"},
        "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
    }
    each = {"Type": "Map", "Items": "{% [0..19] %}", "MaxConcurrency": 3, "ItemProcessor": one}
    return machine("each", each={**each, "ResultWriter": writer, "Next": "done"})


SCENARIOS = {
    made.__name__: made
    for made in (loop, wide, mapped, caught, gate, token, activity, timer, nested, distributed)
}


@tool
def shaky() -> str:
    """Never works."""
    raise ToolError("it shakes", code="Shaky")


@tool(risk="L1", effect="keyed")
def send(token: str) -> str:
    """Give the token to somebody: the driver finds it in the journal."""
    return "sent"


TOOLS: list[FunctionTool] = [shaky, send]


def workflows(effect: str) -> list[Named]:
    """Every scenario with charges of this effect."""
    made = [Named(f"{name}_{effect}", scenario(effect)) for name, scenario in SCENARIOS.items()]
    return [*made, Named(f"inner_{effect}", inner(effect))]
