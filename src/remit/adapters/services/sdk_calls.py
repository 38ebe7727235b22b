"""`aws-sdk:SERVICE:ACTION`: any call of the AWS SDK, by the rules of Step Functions for names and answers.

Source: AWS Step Functions developer guide, "Learning to use AWS service SDK integrations": actions are in camelCase, parameters
and answers in PascalCase, and errors are named `SERVICE.NAME`, the service as the SDK for Java names it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from remit.adapters.services.wire import class_name, exception_name, received
from remit.core.codec import encode
from remit.core.errors import ToolError
from remit.core.tool import Effect, Retry, Risk, ToolSpec
from remit.ports.services import SDK, tool_name

_ALIASES = {
    # The package of the SDK for Java is not the name of the service in boto3.
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "elasticloadbalancingv2": "elbv2",
    "costexplorer": "ce",
    "bedrockruntime": "bedrock-runtime",
    "bedrockagentruntime": "bedrock-agent-runtime",
    "cognitoidentityprovider": "cognito-idp",
    "databasemigration": "dms",
    "redshiftdata": "redshift-data",
    "rdsdata": "rds-data",
}
_READS = re.compile(r"(get|list|describe|head|batchGet|query|scan|search|lookup)(?![a-z])")
_SECRET = frozenset(
    {
        ("secretsmanager", "getsecretvalue"),
        ("secretsmanager", "batchgetsecretvalue"),
        ("ssm", "getparameter"),
        ("ssm", "getparameters"),
        ("ssm", "getparametersbypath"),
        ("sts", "getsessiontoken"),
        ("sts", "getfederationtoken"),
        ("ecr", "getauthorizationtoken"),
        ("cognitoidentity", "getcredentialsforidentity"),
        ("kms", "decrypt"),
    }
)
"""What answers with secrets, or with the right to act as somebody: always for a person to approve."""


def sdk_spec(service: str, action: str) -> ToolSpec:
    """The contract of a call: reading is L0, what hands out secrets L3, and anything else L2 and never repeated by itself."""
    reads = _READS.match(action) is not None
    effect: Effect = "read" if reads else "plain"
    risk: Risk = "L3" if (service, action.lower()) in _SECRET else "L0" if reads else "L2"
    return ToolSpec(
        name=tool_name(f"{SDK}{service}:{action}"),
        description=f"Call `{action}` of `{service}` in AWS.",
        input_schema={"type": "object"},
        risk=risk,
        effect=effect,
        timeout_s=60.0,
        retry=Retry(attempts=1),
        max_output_bytes=1_000_000,
        outward=not reads,
        trust="untrusted",
        tags=("aws", "aws-sdk"),
    )


def call(client_of: Callable[[str], Any], service: str, action: str, given: Mapping[str, Any]) -> Any:
    """Make the call. Raises ToolError, under the name of Step Functions, for what certainly did not happen."""
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        EndpointResolutionError,
        NoCredentialsError,
        ParamValidationError,
        UnknownServiceError,
    )

    try:
        client = client_of(_ALIASES.get(service, service))
    except UnknownServiceError as error:
        raise _unknown(service, action, f"there is no service `{service}`") from error
    operation = _operation(client, action)
    if operation is None:
        raise _unknown(service, action, f"`{service}` has no action `{action}`")
    model = client.meta.service_model.operation_model(operation)
    method = next(name for name, op in client.meta.method_to_api_mapping.items() if op == operation)
    prefix = _prefix(client)
    try:
        answer = getattr(client, method)(**_sent(given, model.input_shape))
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500:
            raise
        told = error.response.get("Error", {})
        name = exception_name(client, told) or class_name(str(told.get("Code", "")))
        raise ToolError(str(told.get("Message", "")), code=f"{prefix}.{name}") from error
    except (ParamValidationError, EndpointResolutionError) as error:
        raise ToolError(str(error), code="States.Runtime") from error
    except (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError) as error:
        raise ToolError(str(error), code=f"{prefix}.SdkClientException") from error
    return _pascal(received({k: v for k, v in answer.items() if k != "ResponseMetadata"}), model.output_shape)


def _operation(client: Any, action: str) -> str | None:
    """The operation of a service that an action in camelCase means."""
    wanted = action.lower()
    names = client.meta.service_model.operation_names
    return next((name for name in names if name.lower() == wanted), None)


def _unknown(service: str, action: str, message: str) -> ToolError:
    return ToolError(
        message, code="States.Runtime", help=f"check the resource `arn:aws:states:::{SDK}{service}:{action}`"
    )


def _prefix(client: Any) -> str:
    """The service in the names of its errors: its service id, in PascalCase, as the SDK for Java has it."""
    words = re.findall(r"[A-Za-z0-9]+", client.meta.service_model.metadata["serviceId"])
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return _JAVA.get(joined, joined)


_JAVA = {
    "DynamoDB": "DynamoDb",
    "SQS": "Sqs",
    "SNS": "Sns",
    "SFN": "Sfn",
    "SSM": "Ssm",
    "KMS": "Kms",
    "STS": "Sts",
}


def _sent(given: Any, shape: Any) -> Any:
    """Parameters in PascalCase under the names that the service's model has, and Base64 as bytes where it wants bytes."""
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(given, Mapping):
        known = {name.lower(): name for name in shape.members}
        made = {}
        for name, value in given.items():
            own = known.get(name.lower(), name)
            made[own] = _sent(value, shape.members[own]) if own in shape.members else value
        return made
    if kind == "list" and isinstance(given, list):
        return [_sent(each, shape.member) for each in given]
    if kind == "map" and isinstance(given, Mapping):
        return {name: _sent(each, shape.value) for name, each in given.items()}
    if kind == "blob" and isinstance(given, str):
        return _blob(given)
    if kind == "blob" and isinstance(given, (dict, list)):
        return encode(given)
    return given


def _blob(text: str) -> bytes:
    """Base64 as bytes; other text as it is, as the body of an object is given."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()


def _pascal(value: Any, shape: Any) -> Any:
    """An answer with the members of structures in PascalCase; the keys of maps stay as they are."""
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, Mapping):
        return {
            name[:1].upper() + name[1:]: _pascal(each, shape.members.get(name))
            for name, each in value.items()
        }
    if kind == "list" and isinstance(value, list):
        return [_pascal(each, shape.member) for each in value]
    if kind == "map" and isinstance(value, Mapping):
        return {name: _pascal(each, shape.value) for name, each in value.items()}
    return value
