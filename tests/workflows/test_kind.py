"""Workflows as definitions in the registry."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.core.errors import InputError
from remit.core.task import Actor
from remit.engine.workflows.kind import MOST_SHOWN, WorkflowKind, refuse
from remit.testing import app_for_tests

WHY: dict[str, Any] = {"actor": Actor("ana"), "reason": "because"}
CLERK = Agent("clerk", instructions="Help.")


@tool
def look() -> str:
    """A read."""
    return "seen"


def calls(*resources: str, **fields: Any) -> dict[str, Any]:
    """A workflow that calls these, one after the other."""
    names = [f"S{n}" for n in range(len(resources))]
    states = {
        name: {"Type": "Task", "Resource": resource, "Next": following, **fields}
        for name, resource, following in zip(names, resources, [*names[1:], "End"], strict=True)
    }
    return {"StartAt": names[0], "States": {**states, "End": {"Type": "Succeed"}}}


async def test_a_workflow_is_kept_as_a_definition() -> None:
    """The body is the document itself, and equal documents are one version."""
    async with app_for_tests(CLERK, model=ScriptedModel([]), tools=[look]) as app:
        body = calls("remit:tool:look", "remit:agent:clerk")
        made = await app.registry.create("local", "workflow", "flow", body, **WHY)
        assert made.body == body
        assert (await app.registry.get("local", "workflow", "flow", 1)).body == body


async def test_a_workflow_that_could_not_run_is_not_kept() -> None:
    """The refusal lists every problem, with where and what to do; nothing is written."""
    async with app_for_tests(CLERK, model=ScriptedModel([]), tools=[look]) as app:
        body = calls("remit:tool:loook", "remit:tool:look")
        body["States"]["S1"]["Nxt"] = "End"
        with pytest.raises(InputError) as caught:
            await app.registry.create("local", "workflow", "flow", body, **WHY)
        assert caught.value.code == "E632"
        assert caught.value.message == (
            "the workflow has 2 problems\n"
            "  /States/S0/Resource: there is no tool `loook` (did you mean `look`?)\n"
            "  /States/S1/Nxt: a Task state has no field `Nxt` (did you mean `Next`?)"
        )
        assert await app.registry.head("local", "workflow", "flow") is None


async def test_what_a_workflow_names_must_be_there_first() -> None:
    """Agents and workflows of the registry are references; those of the code are there anyway."""
    async with app_for_tests(CLERK, model=ScriptedModel([]), tools=[look]) as app:
        body = calls("remit:agent:clerk", "remit:agent:scribe@prod", "remit:workflow:inner.async")
        with pytest.raises(InputError, match="refers to agent `scribe`, which does not exist"):
            await app.registry.create("local", "workflow", "flow", body, **WHY)
        await app.registry.create("local", "agent", "scribe", {"instructions": "Write."}, **WHY)
        with pytest.raises(InputError, match="refers to workflow `inner`, which does not exist"):
            await app.registry.create("local", "workflow", "flow", body, **WHY)
        await app.registry.create("local", "workflow", "inner", calls("remit:tool:look"), **WHY)
        await app.registry.create("local", "workflow", "flow", body, **WHY)


def test_references_are_found_wherever_a_state_is() -> None:
    """In branches and in the bodies of Maps; each once; a nested execution by its ARN, but not by an expression."""
    start = "arn:aws:states:::states:startExecution.sync:2"
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:nightly"
    inner = calls("remit:agent:a", "remit:agent:b")
    body = {
        "StartAt": "P",
        "States": {
            "P": {"Type": "Parallel", "Branches": [inner, calls("remit:agent:a")], "Next": "M"},
            "M": {"Type": "Map", "Iterator": calls("remit:workflow:w"), "Next": "X"},
            "X": {"Type": "Task", "Resource": start, "Parameters": {"StateMachineArn": arn}, "Next": "Y"},
            "Y": {
                "Type": "Task",
                "Resource": start,
                "QueryLanguage": "JSONata",
                "Arguments": {"StateMachineArn": "{% $arn %}"},
                "End": True,
            },
        },
    }
    kind = WorkflowKind(tools=(), agents=("b",))
    assert kind.references(body) == [("agent", "a"), ("workflow", "w"), ("workflow", "nightly")]


def test_services_are_looked_up_where_they_are_known() -> None:
    """A workflow that needs a service which is not there is refused before it runs."""
    body = calls("arn:aws:states:::sqs:sendMessage", "arn:aws:states:::glue:startJobRun.sync")
    WorkflowKind(tools=(), agents=()).check(body)
    with pytest.raises(InputError, match="there is no service integration `glue:startJobRun`"):
        WorkflowKind(tools=(), agents=(), services=["sqs:sendMessage"]).check(body)


def test_a_refusal_stays_readable() -> None:
    """A document with very many problems is refused with the first, and how many more there are."""
    states = {f"S{n}": {"Type": "Pass"} for n in range(50)}
    with pytest.raises(InputError) as caught:
        refuse({"StartAt": "S0", "States": states})
    lines = caught.value.message.split("\n")
    assert len(lines) == MOST_SHOWN + 2
    assert lines[0] == "the workflow has 100 problems"
    assert lines[-1] == "  and 80 more"
    with pytest.raises(InputError, match="the workflow has a problem\n"):
        refuse({"StartAt": "B", "States": {"B": {"Type": "Fail", "X": 1}}})
