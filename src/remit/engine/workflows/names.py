"""Names: which tool, agent, function or nested machine a Task's resource and parameters mean."""

from __future__ import annotations

from typing import Any

from remit.core.states.resources import Resource
from remit.ports.agents import Catalogue

START, START_TOOL = "states:startExecution", "aws_states_startExecution"
INVOKE, INVOKE_TOOL = "lambda:invoke", "aws_lambda_invoke"
PUBLISH = "publish_event"
INLINE = "workflow:inline"
"""What policies, journals and lists call a workflow that a task brings with it. No definition can have this name."""
READ, WRITE = "states_read_items", "states_write_results"
"""The tools that a distributed Map reads its items and writes its results with."""


def lambdas(catalogue: Catalogue) -> dict[str, str]:
    """The names under which a document may call agents and tools as Lambda functions: `Bindings.lambdas` of a deployment."""
    return {**dict.fromkeys(catalogue.agents, "agent"), **dict.fromkeys(catalogue.tools, "tool")}


def target(resource: Resource) -> str:
    """The agent or workflow that a resource names, as runs are started for it."""
    return f"{resource.name}@{resource.alias}" if resource.alias else resource.name


def function_name(arguments: Any) -> str:
    """The name in the `FunctionName` of a Lambda call: a name, or an ARN with or without a version."""
    given = str(arguments.get("FunctionName", "")) if isinstance(arguments, dict) else ""
    parts = given.split(":function:")[-1].split(":")
    return parts[0]


def machine_name(arguments: Any) -> str:
    """The workflow in the `StateMachineArn` of a nested execution: a name or an ARN; with its alias as `NAME@ALIAS`."""
    given = str(arguments.get("StateMachineArn", "")) if isinstance(arguments, dict) else ""
    name, _, alias = given.rpartition(":stateMachine:")[2].partition(":")
    return f"{name}@{alias}" if alias else name
