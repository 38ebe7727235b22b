"""Documents compiled for a deployment of Remit: its functions answer by token, and know which call they are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.core.states.test_compile import FUNCTION, HERE, compiled, one

from remit.core.states.compile import compile_for_stepfunctions

GOVERNED = msgspec.structs.replace(HERE, governed=True)


@pytest.mark.parametrize("kind", ["agent", "tool", "gate"])
def test_every_function_of_remit_is_called_with_a_token(kind: str) -> None:
    """A person may have to decide, and a function may be killed: the Task waits for an answer, not for a function."""
    document = one({"Resource": f"remit:{kind}:x", "Arguments": {"a": 1}, "TimeoutSeconds": 9})
    state = compiled(document, GOVERNED)["States"]["s"]
    assert state["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    given = state["Arguments"]
    assert given["FunctionName"] == f"{FUNCTION}remit-{kind}-x"
    assert given["Payload"]["remit"]["retry"] == "{% $states.context.State.RetryCount %}"
    assert given["Payload"]["remit"]["task_token"] == "{% $states.context.Task.Token %}"
    assert (given["Payload"]["input"], state["TimeoutSeconds"]) == ({"a": 1}, 9)


def test_a_function_that_was_killed_is_called_again() -> None:
    """That is no error of the author's: his Retriers come after it."""
    own = [{"ErrorEquals": ["OutOfStock"], "MaxAttempts": 1}]
    retry = compiled(one({"Resource": "remit:agent:x", "Retry": own}), GOVERNED)["States"]["s"]["Retry"]
    assert {"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"} <= set(retry[0]["ErrorEquals"])
    assert retry[1:] == own


def test_heartbeats_are_for_who_answers_from_outside() -> None:
    """An agent sends none, and must not be given up for that."""
    beats = {"HeartbeatSeconds": 5, "TimeoutSeconds": 60}
    inside = compiled(one({"Resource": "remit:agent:x", **beats}), GOVERNED)["States"]["s"]
    outside = compiled(one({"Resource": "remit:tool:x.waitForTaskToken", **beats}), GOVERNED)["States"]["s"]
    assert "HeartbeatSeconds" not in inside
    assert outside["HeartbeatSeconds"] == 5


def test_a_workflow_inside_is_started_by_remit() -> None:
    """By its function, so that policy, budget and the tree of runs hold; without waiting it is as before."""
    made = compile_for_stepfunctions(one({"Resource": "remit:workflow:inner"}), GOVERNED, "w")
    assert made.document is not None
    state = made.document["States"]["s"]
    assert state["Arguments"]["FunctionName"] == f"{FUNCTION}remit-agent-inner"
    assert [(b.uri, b.own) for b in made.bound] == [("remit:workflow:inner", True)]
    away = compiled(one({"Resource": "remit:workflow:inner.async"}), GOVERNED)["States"]["s"]
    assert away["Resource"] == "arn:aws:states:::states:startExecution"


@pytest.mark.parametrize(
    "state",
    [
        {"Resource": "arn:aws:lambda:us-east-1:210987654321:function:price", "Arguments": {"a": 1}},
        {
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "price:$LATEST", "Payload": {"a": 1}},
        },
    ],
)
def test_a_lambda_function_that_is_an_agent_here_is_that_agent(state: dict[str, Any]) -> None:
    """A machine that was written for Step Functions is governed too; what Remit does not know stays as it is."""
    bindings = msgspec.structs.replace(GOVERNED, lambdas={"price": "tool"})
    made = compiled(one(state), bindings)["States"]["s"]
    assert made["Arguments"]["FunctionName"] == f"{FUNCTION}remit-tool-price"
    assert made["Arguments"]["Payload"]["input"] == state["Arguments"]
    assert compiled(one(state), GOVERNED)["States"]["s"] == {"Type": "Task", "End": True, **state}
