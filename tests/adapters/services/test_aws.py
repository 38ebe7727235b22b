"""The integrations on AWS: the contract on an emulator over real sockets, and what only AWS has.

Start the emulator with `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from remit.adapters.services.aws import Aws, SdkTools, integrations
from remit.core.errors import ToolError
from remit.ports.agents import Tool
from remit.ports.services import tool_name
from remit.testing.contracts.services import LINES, ORDERS, Delivered, ServicesContract, context

URL = os.environ.get("REMIT_TEST_MINISTACK", "")
REGION = "us-east-1"
ROLE = "arn:aws:iam::{account}:role/any"
pytestmark = pytest.mark.service

Clients = Callable[[str], Any]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> str:
    """An account of its own in the emulator: its number is the access key."""
    if not URL:
        reason = 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    number = f"{secrets.randbelow(9 * 10**11) + 10**11:012d}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", number)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return number


@pytest.fixture
def clients(account: str) -> Clients:
    """Clients of that account, for the test's own use."""
    boto3 = pytest.importorskip("boto3")
    return lambda service: boto3.Session().client(service, endpoint_url=URL, region_name=REGION)


@pytest.fixture
def aws(account: str) -> Aws:
    """The account as the tools reach it."""
    return Aws(region=REGION, endpoint_url=URL, tenants=frozenset({"local"}))


def make_queue(clients: Clients, name: str) -> tuple[str, str, Delivered]:
    """A queue: its URL, its ARN, and the bodies that came there."""
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    async def delivered() -> list[Any]:
        found: list[Any] = []
        while True:
            given = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0 if found else 2}
            got = (await asyncio.to_thread(sqs.receive_message, **given)).get("Messages", [])
            if not got:
                return found
            for message in got:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += [message["Body"] for message in got]

    return url, arn, delivered


class TestAws(ServicesContract):
    """The contract."""

    @pytest.fixture
    def tools(self, aws: Aws, clients: Clients) -> Mapping[str, Tool]:
        dynamodb = clients("dynamodb")
        for name, keys in ((ORDERS, ["id:S"]), (LINES, ["customer:S", "line:N"])):
            parts = [key.split(":") for key in keys]
            dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in parts],
                KeySchema=[
                    {"AttributeName": n, "KeyType": kind}
                    for (n, _), kind in zip(parts, ("HASH", "RANGE"), strict=False)
                ],
            )
        return {tool.spec.name: tool for tool in integrations(aws)}

    @pytest.fixture
    def queue(self, clients: Clients) -> tuple[str, Delivered]:
        url, _, delivered = make_queue(clients, "jobs")
        return url, delivered

    @pytest.fixture
    def topic(self, clients: Clients) -> tuple[str, Delivered]:
        _, queue_arn, bodies = make_queue(clients, "news-inbox")
        sns = clients("sns")
        arn = sns.create_topic(Name="news")["TopicArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)

        async def delivered() -> list[Any]:
            return [json.loads(body) for body in await bodies()]

        return arn, delivered

    @pytest.fixture
    def events(self, clients: Clients) -> Delivered:
        _, queue_arn, bodies = make_queue(clients, "events-inbox")
        rules = clients("events")
        rules.put_rule(Name="all", EventPattern='{"source": ["shop"]}')
        rules.put_targets(Rule="all", Targets=[{"Id": "q", "Arn": queue_arn}])

        async def delivered() -> list[Any]:
            got = [json.loads(body) for body in await bodies()]
            return [[e["source"], e["detail-type"], e["detail"]] for e in got]

        return delivered

    @pytest.fixture
    def machine(self, clients: Clients, account: str) -> tuple[str, Delivered]:
        states = clients("stepfunctions")
        document = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
        arn = states.create_state_machine(
            name="target", definition=json.dumps(document), roleArn=ROLE.format(account=account)
        )["stateMachineArn"]

        async def inputs() -> list[Any]:
            found = states.list_executions(stateMachineArn=arn)["executions"]
            told = [states.describe_execution(executionArn=e["executionArn"]) for e in found]
            return [json.loads(t["input"]) for t in told]

        return arn, inputs


@pytest.fixture
def tools(aws: Aws) -> Mapping[str, Tool]:
    """The integrations by name."""
    return {tool.spec.name: tool for tool in integrations(aws)}


HANDLER = """
class OutOfStock(Exception):
    pass

def main(event, context):
    if event == "fail":
        raise OutOfStock("none left")
    return {"got": event}
"""


@pytest.fixture
def function(clients: Clients, account: str) -> str:
    """A function that answers what it got, and fails when told to."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", HANDLER)
    clients("lambda").create_function(
        FunctionName="echo",
        Runtime="python3.12",
        Role=ROLE.format(account=account),
        Handler="f.main",
        Code={"ZipFile": packed.getvalue()},
    )
    return "echo"


async def test_a_function_is_invoked(tools: Mapping[str, Tool], function: str) -> None:
    """The answer has its payload as JSON, version and status."""
    given = {"FunctionName": function, "Payload": {"a": [1]}}
    answer = await tools["aws_lambda_invoke"].call(given, context())
    assert answer["Payload"] == {"got": {"a": [1]}}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["SdkHttpMetadata"]["HttpStatusCode"] == 200


async def test_a_functions_error_is_the_states(tools: Mapping[str, Tool], function: str) -> None:
    """The cause is what the function said, as JSON."""
    with pytest.raises(ToolError) as raised:
        await tools["aws_lambda_invoke"].call({"FunctionName": function, "Payload": "fail"}, context())
    told = json.loads(raised.value.message)
    assert told["errorMessage"] == "none left"
    # What the emulator says of the class, it says as the function's runtime would.
    assert raised.value.code == told["errorType"]


async def test_a_queue_that_is_not_there_is_told(tools: Mapping[str, Tool], clients: Clients) -> None:
    """SQS.QueueDoesNotExistException, as the SDK for Java names it."""
    url, _, _ = make_queue(clients, "jobs")
    with pytest.raises(ToolError) as raised:
        await tools["aws_sqs_sendMessage"].call({"QueueUrl": url + "-not", "MessageBody": "x"}, context())
    assert raised.value.code == "SQS.QueueDoesNotExistException"


async def test_a_topic_that_is_not_there_is_told(tools: Mapping[str, Tool], account: str) -> None:
    """SNS.NotFoundException."""
    given = {"TopicArn": f"arn:aws:sns:{REGION}:{account}:none", "Message": "x"}
    with pytest.raises(ToolError) as raised:
        await tools["aws_sns_publish"].call(given, context())
    assert raised.value.code == "SNS.NotFoundException"


async def test_a_fifo_queue_takes_a_call_once(tools: Mapping[str, Tool], clients: Clients) -> None:
    """The idempotency key is the deduplication id where none is given."""
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    given = {"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"}
    for key in ("a" * 40, "a" * 40, "b" * 40):
        await tools["aws_sqs_sendMessage"].call(given, context(key))
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert got["Attributes"]["ApproximateNumberOfMessages"] == "2"


async def test_only_named_tenants_reach_the_account(tools: Mapping[str, Tool], aws: Aws) -> None:
    """Of any tool, and before anything is sent."""
    every = [*tools.values(), SdkTools(aws)["aws_sdk_sqs_listQueues"]]
    for tool in every:
        with pytest.raises(ToolError, match="`other`") as raised:
            await tool.call({}, context(tenant="other"))
        assert raised.value.code == "States.Permissions"


def test_effects_are_honest(tools: Mapping[str, Tool]) -> None:
    """What AWS cannot do once under a key is `plain`, so that a person is asked when its outcome is not known."""
    effects = {name: tool.spec.effect for name, tool in tools.items()}
    assert effects.pop("aws_dynamodb_getItem") == "read"
    assert effects.pop("aws_states_startExecution") == "lookup"
    assert set(effects.values()) == {"plain"}


async def test_an_endpoint_that_is_not_there_is_told(account: str) -> None:
    """Nothing was sent, so the state's Retry may try again: SdkClientException."""
    nowhere = Aws(region=REGION, endpoint_url="http://127.0.0.1:9", tenants=frozenset({"local"}))
    tool = {t.spec.name: t for t in integrations(nowhere)}["aws_sqs_sendMessage"]
    given = {"QueueUrl": "http://127.0.0.1:9/1/q", "MessageBody": "x"}
    with pytest.raises(ToolError) as raised:
        await tool.call(given, context())
    assert raised.value.code == "SQS.SdkClientException"


# any call of the SDK


@pytest.fixture
def sdk(aws: Aws) -> Mapping[str, Tool]:
    """Every call."""
    return SdkTools(aws)


async def test_any_call_of_the_sdk_is_a_tool(sdk: Mapping[str, Tool], clients: Clients) -> None:
    """Parameters and answers are in PascalCase, times in ISO 8601, bodies as text."""
    bucket = f"remit-{secrets.token_hex(6)}"
    clients("s3").create_bucket(Bucket=bucket)
    put = sdk[tool_name("aws-sdk:s3:putObject")]
    await put.call({"Bucket": bucket, "Key": "k", "Body": {"a": 1}}, context())
    got = await sdk[tool_name("aws-sdk:s3:getObject")].call({"Bucket": bucket, "Key": "k"}, context())
    assert got["Body"] == '{"a":1}'
    assert got["LastModified"].endswith("Z")
    assert "ResponseMetadata" not in got


async def test_members_in_camel_case_are_in_pascal_case(
    sdk: Mapping[str, Tool], clients: Clients, account: str
) -> None:
    """Step Functions' own API has names like `stateMachineArn`: they are given and come as `StateMachineArn`."""
    document = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    given = {"Name": "m", "Definition": document, "RoleArn": ROLE.format(account=account)}
    made = await sdk[tool_name("aws-sdk:sfn:createStateMachine")].call(given, context())
    listed = await sdk[tool_name("aws-sdk:sfn:listStateMachines")].call({}, context())
    assert [m["StateMachineArn"] for m in listed["StateMachines"]] == [made["StateMachineArn"]]


async def test_the_sdks_errors_have_its_names(sdk: Mapping[str, Tool]) -> None:
    """`DynamoDb.` and not `DynamoDB.`: the SDK for Java writes it so."""
    given = {"TableName": "none", "Key": {"id": {"S": "1"}}}
    with pytest.raises(ToolError) as raised:
        await sdk[tool_name("aws-sdk:dynamodb:getItem")].call(given, context())
    assert raised.value.code == "DynamoDb.ResourceNotFoundException"


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("aws-sdk:nosuch:getItem", {}),
        ("aws-sdk:dynamodb:noSuch", {}),
        ("aws-sdk:dynamodb:getItem", {}),
        ("aws-sdk:dynamodb:getItem", {"TableName": 1, "Key": {}}),
    ],
)
async def test_a_call_that_does_not_exist_is_told(
    sdk: Mapping[str, Tool], action: str, given: dict[str, Any]
) -> None:
    """No service, no action, no parameters of that name: States.Runtime."""
    with pytest.raises(ToolError) as raised:
        await sdk[tool_name(action)].call(given, context())
    assert raised.value.code == "States.Runtime"


@pytest.mark.parametrize(
    ("action", "risk", "effect"),
    [
        ("aws-sdk:s3:getObject", "L0", "read"),
        ("aws-sdk:ec2:describeInstances", "L0", "read"),
        ("aws-sdk:s3:deleteBucket", "L2", "plain"),
        ("aws-sdk:sqs:receiveMessage", "L2", "plain"),
        ("aws-sdk:foo:gettingStarted", "L2", "plain"),
        ("aws-sdk:secretsmanager:getSecretValue", "L3", "read"),
        ("aws-sdk:secretsmanager:GETSECRETVALUE", "L3", "plain"),
        ("aws-sdk:ssm:getParameter", "L3", "read"),
    ],
)
def test_risk_is_by_what_a_call_does(sdk: Mapping[str, Tool], action: str, risk: str, effect: str) -> None:
    """Reading is L0, handing out secrets L3 whatever the case of its name, anything else L2."""
    spec = sdk[tool_name(action)].spec
    assert (spec.risk, spec.effect) == (risk, effect)


def test_only_names_of_calls_are_calls(sdk: Mapping[str, Tool]) -> None:
    """Among the tools, it offers nothing else."""
    assert tool_name("aws-sdk:s3:getObject") in sdk
    assert "aws_sqs_sendMessage" not in sdk
    with pytest.raises(KeyError):
        sdk["aws_sqs_sendMessage"]
