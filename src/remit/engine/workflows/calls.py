"""What a Task calls, as a request to the gateway, and what the answer is worth to the workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from remit.core.agent import AgentSpec
from remit.core.codec import canonical, encode
from remit.core.errors import is_code
from remit.core.run import Step
from remit.core.states import failures
from remit.core.states.failures import StateFailure
from remit.core.states.resources import Resource
from remit.core.task import Problem
from remit.engine import delegation
from remit.engine.calls import Ask
from remit.engine.gates import PREFIX
from remit.engine.workflows.names import (
    INVOKE,
    INVOKE_TOOL,
    PUBLISH,
    START,
    START_TOOL,
    function_name,
    machine_name,
    target,
)
from remit.ports.agents import Catalogue
from remit.ports.services import tool_name

ENVELOPE = frozenset({"objective", "input", "output_schema", "max_cost_usd"})
EVENT_FIELDS = frozenset({"data", "key", "subject"})
WHOLE_INPUT = "event"
"""A tool whose only parameter has this name is given the whole input, as a Lambda function is."""

_ERRORS = {
    "E301": "Remit.Denied",
    "E302": "Remit.Rejected",
    "E303": "Remit.Rejected",
    "E304": "Remit.Expired",
    "E501": "Remit.BudgetExceeded",
    "E502": "Remit.BudgetExceeded",
    "E503": "Remit.BudgetExceeded",
    "E504": "Remit.BudgetExceeded",
    "E505": "Remit.BudgetExceeded",
    "E701": "Remit.InvalidInput",
    "E703": "Remit.InvalidInput",
    "E712": failures.TIMEOUT,
}


class Call(Struct, frozen=True):
    """A request to the gateway, and how its answer is put: `as_is`, `lambda` or `execution` (the shapes of Step Functions)."""

    ask: Ask
    shape: str = "as_is"
    delegate: bool = False


def call_of(
    resource: Resource, arguments: Any, step: str, about: str, agent: AgentSpec, catalogue: Catalogue
) -> Call:
    """The call that a Task with these arguments makes as step `step`. `about` is the objective where none is given."""
    match resource.kind:
        case "tool":
            return _tool(resource.name, arguments, step, catalogue)
        case "agent" | "workflow" if resource.mode != "async":
            return _delegate(target(resource), arguments, step, about)
        case "workflow":
            # A text would be read as JSON: it is what `startExecution` takes its input as.
            given = encode(arguments).decode() if isinstance(arguments, str) else arguments
            started = {"StateMachineArn": resource.name, "Input": given}
            return Call(Ask(step, step, START_TOOL, started, from_model=False))
        case "gate":
            return Call(Ask(step, step, PREFIX + resource.name, arguments, from_model=False, gate=True))
        case "event":
            whole = isinstance(arguments, dict) and "data" in arguments and set(arguments) <= EVENT_FIELDS
            given = arguments if whole else {"data": arguments}
            return Call(Ask(step, step, PUBLISH, {**given, "type": resource.name}, from_model=False))
        case "lambda":
            return _function(resource.name, arguments, step, about, agent, catalogue, "as_is")
        case _:
            return _service(resource, arguments, step, about, agent, catalogue)


def _tool(name: str, arguments: Any, step: str, catalogue: Catalogue) -> Call:
    tool = catalogue.tools.get(name)
    fields = set(tool.spec.input_schema.get("properties", {})) if tool is not None else set()
    given = {WHOLE_INPUT: arguments} if fields == {WHOLE_INPUT} else arguments
    if not isinstance(given, dict):
        raise StateFailure(
            "Remit.InvalidInput",
            f"tool `{name}` takes an object of arguments, and the state gives `{type(given).__name__}`",
        )
    return Call(Ask(step, step, name, given, from_model=False))


def _delegate(agent: str, arguments: Any, step: str, about: str) -> Call:
    envelope = (
        isinstance(arguments, dict)
        and isinstance(arguments.get("objective"), str)
        and bool(arguments["objective"])
        and set(arguments) <= ENVELOPE
    )
    given = arguments if envelope else {"objective": about, "input": arguments}
    return Call(Ask(step, step, delegation.PREFIX + agent, given, from_model=False), delegate=True)


def _function(
    name: str, payload: Any, step: str, about: str, agent: AgentSpec, catalogue: Catalogue, shape: str
) -> Call:
    """A Lambda function: the tool of that name, else the agent; where there is neither, the function itself on AWS."""
    if name in catalogue.tools:
        made = _tool(name, payload, step, catalogue)
    elif name in agent.delegates:
        made = _delegate(name, payload, step, about)
    else:
        given = {"FunctionName": name, "Payload": payload}
        made = Call(Ask(step, step, INVOKE_TOOL, given, from_model=False))
        shape = "payload" if shape == "as_is" else "as_is"
    return Call(made.ask, shape, made.delegate)


def _service(
    resource: Resource, arguments: Any, step: str, about: str, agent: AgentSpec, catalogue: Catalogue
) -> Call:
    if not isinstance(arguments, dict):
        raise StateFailure(failures.RUNTIME, f"`{resource.uri}` needs an object of parameters")
    if resource.name == INVOKE:
        name = function_name(arguments)
        return _function(name, arguments.get("Payload"), step, about, agent, catalogue, "lambda")
    if resource.name == START and resource.mode == "sync":
        made = _delegate(machine_name(arguments), arguments.get("Input", {}), step, about)
        return Call(made.ask, "execution:2" if resource.json_output else "execution", delegate=True)
    return Call(Ask(step, step, tool_name(resource.name), arguments, from_model=False))


def answer(call: Call, step: Step) -> Any:
    """The result of a Task whose call has settled. Raises StateFailure for one that failed."""
    if step.state != "done":
        raise _failure(step.name, step.problem)
    output = step.output
    if call.delegate:
        try:
            output = _payload(step, output)
        except StateFailure as failure:
            if not call.shape.startswith("execution"):
                raise
            # Step Functions tells the error of a nested execution in the cause alone.
            told = {**_described(step), "Error": failure.error, "Cause": failure.cause, "Status": "FAILED"}
            raise StateFailure(failures.TASK_FAILED, canonical(told).decode()) from failure
    if call.shape == "lambda":
        return {"ExecutedVersion": "$LATEST", "Payload": output, "StatusCode": 200}
    if call.shape == "payload":
        return output.get("Payload") if isinstance(output, Mapping) else output
    if call.shape.startswith("execution"):
        return _execution(step, output, json_output=call.shape.endswith(":2"))
    return output


def _failure(name: str, problem: Problem | None) -> StateFailure:
    if problem is None:
        return StateFailure("Remit.ToolFailed", f"`{name}` failed")
    cause = problem.message + (f" ({problem.help})" if problem.help else "")
    if not is_code(problem.code):
        return StateFailure(problem.code, cause)  # the author's own name for it
    return StateFailure(_ERRORS.get(problem.code, "Remit.ToolFailed"), cause)


def _payload(step: Step, result: Any) -> Any:
    """What a child run answered."""
    payload = result.get("result_payload")
    if result.get("status") == "success":
        return payload
    if isinstance(payload, dict) and set(payload) == {"Error", "Cause"}:
        raise StateFailure(str(payload["Error"]), str(payload["Cause"]))
    problem = result.get("problem") or {}
    code = str(problem.get("code", ""))
    named = code != "" and not is_code(code)  # an error of the author's own goes by its own name
    error = code if named else _ERRORS.get(code, "Remit.AgentFailed")
    raise StateFailure(
        error, f"{step.name.removeprefix(delegation.PREFIX)}: {problem.get('message', 'it failed')}"
    )


def _execution(step: Step, output: Any, *, json_output: bool) -> dict[str, Any]:
    """What Step Functions answers about a nested execution that ended."""
    told = {**_described(step), "Output": output, "OutputDetails": {"Included": True}, "Status": "SUCCEEDED"}
    if json_output:
        return told
    return {**told, "Input": encode(told["Input"]).decode(), "Output": encode(output).decode()}


def _described(step: Step) -> dict[str, Any]:
    return {
        "ExecutionArn": step.child_run,
        "Input": (step.arguments or {}).get("input"),
        "InputDetails": {"Included": True},
        "Name": step.child_run,
        "StartDate": step.started_ts,
        "StateMachineArn": step.name.removeprefix(delegation.PREFIX),
        "StopDate": step.started_ts + int(step.latency_ms),
    }
