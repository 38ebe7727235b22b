"""What the role of a state machine needs: for each resource the least that AWS documents for its integration.

Source: "IAM policies for integrated services" of the developer guide of AWS Step Functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit.core.states.arns import Bindings

_QUEUE = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(\d+)/([A-Za-z0-9_.-]+)\Z")
_DYNAMODB = {
    f"dynamodb:{verb}Item": f"dynamodb:{verb.capitalize()}Item" for verb in ("get", "put", "update", "delete")
}


class Statement(Struct, frozen=True):
    """One allowance of an IAM policy."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """The statement as IAM has it."""
        return {"Effect": "Allow", "Action": list(self.actions), "Resource": list(self.resources)}


def policy(statements: Iterable[Statement]) -> dict[str, Any]:
    """An IAM policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": [statement.data() for statement in statements]}


def merged(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The same allowances with one statement for the same actions."""
    by_actions: dict[tuple[str, ...], dict[str, None]] = {}
    for statement in statements:
        by_actions.setdefault(statement.actions, {}).update(dict.fromkeys(statement.resources))
    return tuple(Statement(actions, tuple(resources)) for actions, resources in by_actions.items())


def invoke(function: str) -> list[Statement]:
    """To call a Lambda function; its versions too when the ARN names none."""
    unqualified = ":" not in function.rpartition(":function:")[2]
    return [
        Statement(("lambda:InvokeFunction",), (function, f"{function}:*") if unqualified else (function,))
    ]


def start(machine: str, execution: str, *, waits: bool, bindings: Bindings) -> list[Statement]:
    """To start another state machine, and to wait for its end."""
    made = [Statement(("states:StartExecution",), (machine,))]
    if waits:
        rule = bindings.arn("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
        made.append(Statement(("states:DescribeExecution", "states:StopExecution"), (execution,)))
        made.append(Statement(("events:PutTargets", "events:PutRule", "events:DescribeRule"), (rule,)))
    return made


def publish(bus: str) -> list[Statement]:
    """To put events on a bus."""
    return [Statement(("events:PutEvents",), (bus,))]


def service(action: str, given: Mapping[str, Any], bindings: Bindings) -> tuple[list[Statement], str]:
    """For an integration with these parameters; and what cannot be said from them, as a sentence or nothing."""
    if action == "lambda:invoke":
        name = given.get("FunctionName")
        if name is None:
            return [Statement(("lambda:InvokeFunction",), ("*",))], _wide(action, "FunctionName")
        return invoke(name if name.startswith("arn:") else bindings.arn("lambda", f"function:{name}")), ""
    if action == "sqs:sendMessage":
        return _one(action, "sqs:SendMessage", "QueueUrl", _queue(given.get("QueueUrl"), bindings))
    if action == "sns:publish":
        return _one(action, "sns:Publish", "TopicArn", given.get("TopicArn"))
    if action == "events:putEvents":
        return publish(bindings.bus()), ""
    if action in _DYNAMODB:
        table = given.get("TableName")
        named = (
            table if table is None or table.startswith("arn:") else bindings.arn("dynamodb", f"table/{table}")
        )
        return _one(action, _DYNAMODB[action], "TableName", named)
    if action == "states:startExecution":
        return _execution(action, given, bindings)
    return [
        Statement((_sdk(action),), ("*",))
    ], f"the permission for `{action}` is on every resource: narrow it"


def distributed(state: Mapping[str, Any], own: str, executions: str, partition: str) -> list[Statement]:
    """For a distributed Map of a state machine: to start and watch its children, and to read and write in S3."""
    made = [
        Statement(("states:StartExecution",), (own,)),
        Statement(
            ("states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"), (executions,)
        ),
    ]
    reader, writer = _parameters(state.get("ItemReader")), _parameters(state.get("ResultWriter"))
    if "ItemReader" in state:
        bucket, key = reader.get("Bucket", "*"), reader.get("Key", f"{reader.get('Prefix', '')}*")
        made.append(Statement(("s3:GetObject",), (f"arn:{partition}:s3:::{bucket}/{key}",)))
        made.append(Statement(("s3:ListBucket",), (f"arn:{partition}:s3:::{bucket}",)))
    if "ResultWriter" in state:
        bucket, prefix = writer.get("Bucket", "*"), writer.get("Prefix", "")
        actions = ("s3:PutObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload")
        made.append(
            Statement(
                actions, (f"arn:{partition}:s3:::{bucket}/{prefix.rstrip('/') + '/' if prefix else ''}*",)
            )
        )
    return made


def literals(given: Any) -> dict[str, str]:
    """The members of an object of parameters whose value the document itself says."""
    if not isinstance(given, Mapping):
        return {}
    return {
        key: value
        for key, value in given.items()
        if isinstance(value, str) and not key.endswith(".$") and not value.startswith("{%")
    }


def _parameters(part: Any) -> dict[str, str]:
    part = part if isinstance(part, Mapping) else {}
    return literals(part.get("Parameters", part.get("Arguments")))


def _one(action: str, allowed: str, parameter: str, resource: str | None) -> tuple[list[Statement], str]:
    if resource is None:
        return [Statement((allowed,), ("*",))], _wide(action, parameter)
    return [Statement((allowed,), (resource,))], ""


def _wide(action: str, parameter: str) -> str:
    return f"`{parameter}` of `{action}` is known only in a run, so its permission is on every resource: narrow it"


def _queue(url: str | None, bindings: Bindings) -> str | None:
    found = _QUEUE.match(url or "")
    return f"arn:{bindings.partition}:sqs:{found[1]}:{found[2]}:{found[3]}" if found else None


def _execution(action: str, given: Mapping[str, Any], bindings: Bindings) -> tuple[list[Statement], str]:
    machine = given.get("StateMachineArn")
    if machine is None:
        return start("*", "*", waits=True, bindings=bindings), _wide(action, "StateMachineArn")
    return start(machine, execution_of(machine), waits=True, bindings=bindings), ""


def execution_of(machine: str) -> str:
    """The executions of a state machine."""
    before, _, name = machine.partition(":stateMachine:")
    return f"{before}:execution:{name.split(':')[0]}:*"


def _sdk(action: str) -> str:
    """`aws-sdk:s3:getObject` is `s3:GetObject`; a few services have another name in IAM."""
    service_name, _, verb = action.removeprefix("aws-sdk:").partition(":")
    named = {"sfn": "states", "eventbridge": "events", "cloudwatchlogs": "logs", "bedrockruntime": "bedrock"}
    return f"{named.get(service_name, service_name)}:{verb[:1].upper()}{verb[1:]}"
