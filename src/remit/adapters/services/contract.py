"""What the integrations are: their parameters, after the API references of AWS and "Integrating services with Step Functions"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from remit.core.errors import ToolError
from remit.core.tool import Effect, Retry, Risk, ToolSpec
from remit.ports.agents import Found, ToolContext
from remit.ports.services import tool_name

Call = Callable[[dict[str, Any], ToolContext], Awaitable[Any]]
Reconcile = Callable[[dict[str, Any], ToolContext], Awaitable[Found]]
LAMBDA_TIMEOUT_S = 900.0
"""The longest that a function may take (quota of AWS Lambda)."""

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_NUMBER: dict[str, Any] = {"type": "integer"}
_OBJECT: dict[str, Any] = {"type": "object"}
_BODY: dict[str, Any] = {"description": "text, or any JSON value, which is sent as text"}
_NAMES: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_MESSAGE_ATTRIBUTES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {
            "DataType": _TEXT,
            "StringValue": {"type": "string"},
            "BinaryValue": {"type": "string"},
        },
        "required": ["DataType"],
        "additionalProperties": False,
    },
}
_VALUES: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "object"}}
_EXPRESSIONS = {"ExpressionAttributeNames": _NAMES, "ReturnConsumedCapacity": _TEXT}
_WRITES = {
    **_EXPRESSIONS,
    "ConditionExpression": _TEXT,
    "ExpressionAttributeValues": _VALUES,
    "ReturnItemCollectionMetrics": _TEXT,
    "ReturnValues": _TEXT,
    "ReturnValuesOnConditionCheckFailure": _TEXT,
}
_ENTRY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "Detail": _BODY,
        "DetailType": _TEXT,
        "EventBusName": _TEXT,
        "Resources": {"type": "array", "items": {"type": "string"}},
        "Source": _TEXT,
        "Time": {"type": ["string", "number"]},
        "TraceHeader": _TEXT,
    },
    "required": ["Detail", "DetailType", "Source"],
    "additionalProperties": False,
}

PARAMETERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "lambda:invoke": (
        {
            "FunctionName": _TEXT,
            "Payload": {},
            "InvocationType": {"enum": ["RequestResponse", "Event", "DryRun"]},
            "ClientContext": _TEXT,
            "Qualifier": _TEXT,
        },
        ("FunctionName",),
    ),
    "sqs:sendMessage": (
        {
            "QueueUrl": _TEXT,
            "MessageBody": _BODY,
            "DelaySeconds": {"type": "integer", "minimum": 0, "maximum": 900},
            "MessageAttributes": _MESSAGE_ATTRIBUTES,
            "MessageDeduplicationId": _TEXT,
            "MessageGroupId": _TEXT,
        },
        ("QueueUrl", "MessageBody"),
    ),
    "sns:publish": (
        {
            "TopicArn": _TEXT,
            "TargetArn": _TEXT,
            "PhoneNumber": _TEXT,
            "Message": _BODY,
            "MessageAttributes": _MESSAGE_ATTRIBUTES,
            "MessageDeduplicationId": _TEXT,
            "MessageGroupId": _TEXT,
            "MessageStructure": _TEXT,
            "Subject": _TEXT,
        },
        ("Message",),
    ),
    "events:putEvents": (
        {"Entries": {"type": "array", "minItems": 1, "maxItems": 10, "items": _ENTRY}, "EndpointId": _TEXT},
        ("Entries",),
    ),
    "dynamodb:getItem": (
        {
            "TableName": _TEXT,
            "Key": _VALUES,
            "ConsistentRead": {"type": "boolean"},
            "ProjectionExpression": _TEXT,
            **_EXPRESSIONS,
        },
        ("TableName", "Key"),
    ),
    "dynamodb:putItem": ({"TableName": _TEXT, "Item": _VALUES, **_WRITES}, ("TableName", "Item")),
    "dynamodb:updateItem": (
        {"TableName": _TEXT, "Key": _VALUES, "UpdateExpression": _TEXT, **_WRITES},
        ("TableName", "Key"),
    ),
    "dynamodb:deleteItem": ({"TableName": _TEXT, "Key": _VALUES, **_WRITES}, ("TableName", "Key")),
    "states:startExecution": (
        {"StateMachineArn": _TEXT, "Input": _BODY, "Name": _TEXT, "TraceHeader": _TEXT},
        ("StateMachineArn",),
    ),
}
"""By integration: its parameters as properties of a JSON Schema, and those that it must have."""

_DESCRIPTIONS = {
    "lambda:invoke": "Invoke an AWS Lambda function.",
    "sqs:sendMessage": "Send a message to an Amazon SQS queue.",
    "sns:publish": "Publish a message to an Amazon SNS topic.",
    "events:putEvents": "Put events on an Amazon EventBridge bus.",
    "dynamodb:getItem": "Read an item of an Amazon DynamoDB table.",
    "dynamodb:putItem": "Write an item of an Amazon DynamoDB table, in place of the one with its key.",
    "dynamodb:updateItem": "Change attributes of an item of an Amazon DynamoDB table.",
    "dynamodb:deleteItem": "Delete an item of an Amazon DynamoDB table.",
    "states:startExecution": "Start the execution of a state machine, and do not wait for its end.",
}
_PREFIXES = {
    "lambda": ("Lambda", "AWSLambdaException"),
    "sqs": ("SQS", "AmazonSQSException"),
    "sns": ("SNS", "AmazonSNSException"),
    "events": ("EventBridge", "AmazonEventBridgeException"),
    "dynamodb": ("DynamoDB", "AmazonDynamoDBException"),
    "states": ("StepFunctions", "AWSStepFunctionsException"),
}


class Integration:
    """A service integration as a tool."""

    def __init__(self, spec: ToolSpec, call: Call, reconcile: Reconcile | None = None) -> None:
        self.spec = spec
        self._call = call
        self._reconcile = reconcile

    @property
    def can_reconcile(self) -> bool:
        """Whether it can find out what happened."""
        return self._reconcile is not None

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Do it. Raises ToolError under the name that Step Functions gives the error."""
        return await self._call(arguments, context)

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """Say whether it happened."""
        if self._reconcile is None:
            raise ToolError(f"tool `{self.spec.name}` has no `reconcile`", code="E704")
        return await self._reconcile(arguments, context)

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """None: amounts are the application's business."""
        del arguments
        return {}


def spec(action: str, effect: Effect, *, risk: Risk = "L1", outward: bool) -> ToolSpec:
    """The contract of an integration. One attempt: whether to try again is for the state's own Retry to say."""
    properties, required = PARAMETERS[action]
    return ToolSpec(
        name=tool_name(action),
        description=_DESCRIPTIONS[action],
        input_schema={
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        risk="L0" if effect == "read" else risk,
        effect=effect,
        timeout_s=LAMBDA_TIMEOUT_S if action == "lambda:invoke" else 30.0,
        retry=Retry(attempts=1),
        max_output_bytes=1_000_000,
        outward=outward and effect != "read",
        tags=("aws",),
    )


def failure(action: str, name: str, message: str, *, help: str = "") -> ToolError:
    """An error of a service under its name in Step Functions, e.g. `DynamoDB.ConditionalCheckFailedException`.

    An empty `name` is the service's general error, under which Step Functions reports what has no name of its own.
    """
    prefix, general = _PREFIXES[action.partition(":")[0]]
    return ToolError(message, code=f"{prefix}.{name or general}", help=help)


def one_of(action: str, given: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The one of these parameters that is given. Raises ToolError."""
    found = [name for name in names if name in given]
    if len(found) != 1:
        raise failure(
            action, "InvalidParameterException", f"give exactly one of {', '.join(f'`{n}`' for n in names)}"
        )
    return found[0]
