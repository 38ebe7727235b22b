"""The integrations on AWS itself, through boto3 in threads of its own; retries of botocore are off, the state's Retry decides."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from remit.adapters.services.answers import as_text, from_sdk, id_of
from remit.adapters.services.contract import LAMBDA_TIMEOUT_S, Call, Integration, Reconcile, failure, spec
from remit.adapters.services.sdk_calls import call as call_sdk
from remit.adapters.services.sdk_calls import sdk_spec
from remit.adapters.services.wire import exception_name, received, sent
from remit.core.errors import ConfigError, DeniedError, ToolError
from remit.core.extras import how_to_install
from remit.core.tool import Effect
from remit.ports.agents import Found, Tool, ToolContext
from remit.ports.services import sdk_action

_FUNCTION_ERROR = "Lambda.Unknown"


class Aws:
    """One AWS account as this process reaches it. `tenants`: who may use it."""

    def __init__(self, *, region: str, endpoint_url: str = "", tenants: frozenset[str]) -> None:
        """Raises ConfigError E695 without boto3."""
        if importlib.util.find_spec("boto3") is None:
            raise ConfigError("services of AWS need the extra `aws`", code="E695", help=how_to_install("aws"))
        self._region = region
        self._endpoint = endpoint_url
        self._tenants = tenants
        self._threads = ThreadPoolExecutor(64, "remit-aws")
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def check(self, tenant_id: str) -> None:
        """Raise ToolError for a tenant that may not use the account."""
        if tenant_id not in self._tenants:
            raise ToolError(
                f"tenant `{tenant_id}` may not use the AWS account of this server",
                code="States.Permissions",
                help="name it under `aws_tenants` of `[workflow]` in remit.toml",
            )

    def client(self, service: str) -> Any:
        """The client of a service, made once."""
        import boto3
        from botocore.config import Config

        with self._lock:  # sessions of boto3 are not for several threads
            if service not in self._clients:
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 1},
                    read_timeout=LAMBDA_TIMEOUT_S + 10,
                    max_pool_connections=64,
                )
                self._clients[service] = boto3.Session().client(
                    service, region_name=self._region, endpoint_url=self._endpoint or None, config=config
                )
            return self._clients[service]

    async def run(self, call: Callable[[], Any]) -> Any:
        """Run blocking code in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def ask(self, action: str, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """One call of an integration's service. Raises ToolError under the name that Step Functions gives the error."""
        service = "stepfunctions" if action.startswith("states:") else action.partition(":")[0]

        def do() -> dict[str, Any]:
            client = self.client(service)
            answer: dict[str, Any] = getattr(client, operation)(**given)
            return answer

        answer: dict[str, Any] = await self.run(lambda: _named(action, self.client(service), do))
        return answer


def integrations(aws: Aws) -> list[Tool]:
    """The tools."""
    plain = _Plain(aws)
    functions, executions = _Functions(aws), _Executions(aws)
    calls: dict[str, tuple[Effect, Call, Reconcile | None]] = {
        "lambda:invoke": ("plain", functions.invoke, None),
        "sqs:sendMessage": ("plain", plain.send, None),
        "sns:publish": ("plain", plain.publish, None),
        "events:putEvents": ("plain", plain.put_events, None),
        "dynamodb:getItem": ("read", plain.items("dynamodb:getItem", "get_item"), None),
        "dynamodb:putItem": ("plain", plain.items("dynamodb:putItem", "put_item"), None),
        "dynamodb:updateItem": ("plain", plain.items("dynamodb:updateItem", "update_item"), None),
        "dynamodb:deleteItem": ("plain", plain.items("dynamodb:deleteItem", "delete_item"), None),
        "states:startExecution": ("lookup", executions.start, executions.started),
    }
    return [
        Integration(spec(action, effect, outward=True), _allowed(aws, call), reconcile)
        for action, (effect, call, reconcile) in calls.items()
    ]


def _allowed(aws: Aws, call: Call) -> Call:
    async def checked(given: dict[str, Any], context: ToolContext) -> Any:
        aws.check(context.tenant_id)
        return await call(given, context)

    return checked


class SdkTools(dict[str, Tool]):
    """Every action of every service that boto3 knows, as a tool made when it is first asked for."""

    def __init__(self, aws: Aws) -> None:
        super().__init__()
        self._aws = aws

    def __missing__(self, name: str) -> Tool:
        found = sdk_action(name)
        if found is None:
            raise KeyError(name)
        return self.setdefault(name, self._tool(*found))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and sdk_action(name) is not None

    def _tool(self, service: str, action: str) -> Tool:
        async def call(given: dict[str, Any], context: ToolContext) -> Any:
            return await self._aws.run(functools.partial(call_sdk, self._aws.client, service, action, given))

        return Integration(sdk_spec(service, action), _allowed(self._aws, call))


def _named(action: str, client: Any, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a call answers, or its error under the name of Step Functions; what leaves the outcome unknown is raised as it is."""
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        EndpointResolutionError,
        NoCredentialsError,
        ParamValidationError,
    )

    try:
        return call()
    except ClientError as error:
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        name = exception_name(client, told)
        if status >= 500 and not (action == "lambda:invoke" and name):
            # The service failed in the midst of it: nobody knows whether it happened. Lambda says that it did not.
            raise
        raise failure(action, name, str(told.get("Message", ""))) from error
    except (ParamValidationError, EndpointResolutionError) as error:
        raise failure(action, "", str(error)) from error
    except (EndpointConnectionError, ConnectTimeoutError, NoCredentialsError) as error:
        raise failure(action, "SdkClientException", str(error)) from error


class _Plain:
    """Messages, events and items: sent as they are, with JSON values as text where AWS wants text."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def send(self, given: dict[str, Any], context: ToolContext) -> Any:
        """SendMessage. A FIFO queue gets the idempotency key, so that a message sent again within five minutes is one."""
        given = {**given, "MessageBody": as_text(given["MessageBody"])}
        if given["QueueUrl"].endswith(".fifo"):
            given.setdefault("MessageDeduplicationId", context.idempotency_key)
        return from_sdk(
            await self._aws.ask("sqs:sendMessage", "send_message", sent("sqs:sendMessage", given))
        )

    async def publish(self, given: dict[str, Any], context: ToolContext) -> Any:
        """Publish, likewise."""
        given = {**given, "Message": as_text(given["Message"])}
        if given.get("TopicArn", "").endswith(".fifo"):
            given.setdefault("MessageDeduplicationId", context.idempotency_key)
        return from_sdk(await self._aws.ask("sns:publish", "publish", sent("sns:publish", given)))

    async def put_events(self, given: dict[str, Any], context: ToolContext) -> Any:
        """PutEvents. One entry that EventBridge does not take fails the task."""
        run = f"remit:run:{context.run_id}"
        entries = [
            {**e, "Detail": as_text(e["Detail"]), "Resources": [*e.get("Resources", ()), run]}
            for e in given["Entries"]
        ]
        answer = await self._aws.ask("events:putEvents", "put_events", {**given, "Entries": entries})
        if answer.get("FailedEntryCount"):
            raise failure("events:putEvents", "FailedEntry", as_text(answer["Entries"]))
        return from_sdk(answer)

    def items(self, action: str, operation: str) -> Call:
        """An operation on an item."""

        async def call(given: dict[str, Any], context: ToolContext) -> Any:
            del context
            return received(from_sdk(await self._aws.ask(action, operation, sent(action, given))))

        return call


class _Functions:
    """AWS Lambda."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def invoke(self, given: dict[str, Any], context: ToolContext) -> Any:
        """Invoke. The error of a function is the state's error, under the name of its class."""
        del context
        given = dict(given)
        if "Payload" in given:
            given["Payload"] = msgspec.json.encode(given["Payload"])
        answer = await self._aws.ask("lambda:invoke", "invoke", given)
        payload = _decoded(await self._aws.run(answer["Payload"].read)) if "Payload" in answer else None
        if "FunctionError" in answer:
            told = payload if isinstance(payload, dict) else {}
            raise ToolError(as_text(payload), code=str(told.get("errorType") or _FUNCTION_ERROR))
        kept = {k: v for k, v in answer.items() if k not in ("Payload", "LogResult")}
        return from_sdk({**kept, "Payload": payload})


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data) if data else None
    except msgspec.DecodeError:
        return data.decode("utf-8", "replace")


class _Executions:
    """AWS Step Functions. The name of an execution is what makes starting it twice one start (standard workflows)."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    async def start(self, given: dict[str, Any], context: ToolContext) -> Any:
        """StartExecution."""
        asked = {("traceHeader" if k == "TraceHeader" else k[0].lower() + k[1:]): v for k, v in given.items()}
        asked["input"] = as_text(given.get("Input", {}))
        asked["name"] = self._name(given, context)
        answer = await self._aws.ask("states:startExecution", "start_execution", asked)
        return received(from_sdk(_capitalised(answer)), millis=True)

    async def started(self, given: dict[str, Any], context: ToolContext) -> Found:
        """Look for the execution under its name. Raises DeniedError for an express one, which has no such record."""
        machine, name = given["StateMachineArn"], self._name(given, context)
        if ":stateMachine:" not in machine:
            raise DeniedError(f"`{machine[:150]}` is no ARN of a state machine", code="E696")
        arn = machine.replace(":stateMachine:", ":execution:", 1) + f":{name}"
        try:
            found = await self._aws.ask("states:startExecution", "describe_execution", {"executionArn": arn})
        except ToolError as error:
            if error.code == "StepFunctions.ExecutionDoesNotExistException":
                return Found(False)
            raise
        if "Name" in given and found.get("input") != as_text(given.get("Input", {})):
            return Found(False)  # somebody else's, of the same name
        kept = {k: v for k, v in found.items() if k in ("executionArn", "startDate", "ResponseMetadata")}
        return Found(True, received(from_sdk(_capitalised(kept)), millis=True))

    def _name(self, given: Mapping[str, Any], context: ToolContext) -> str:
        return str(given.get("Name") or id_of(context.idempotency_key))


def _capitalised(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {k[0].upper() + k[1:]: v for k, v in answer.items()}
