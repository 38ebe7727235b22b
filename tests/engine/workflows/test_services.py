"""What a workflow of Step Functions calls, and what its distributed Maps read and write, in an app without AWS."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remit.bootstrap import App, open_app
from remit.core.errors import ConfigError
from remit.core.task import Actor, Result, Task
from remit.sdk import Pack, ToolError, agent, tool
from remit.settings import Settings, WorkflowSettings, load
from remit.testing import app_for_tests
from remit.testing.workflows import Named

Document = dict[str, Any]
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"
TABLES = WorkflowSettings(tables={"orders": ("id",)})


def task(resource: str, parameters: Any, **fields: Any) -> Document:
    """A Task in JSONPath; it ends unless it says where to go."""
    ends = {} if "Next" in fields else {"End": True}
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::{resource}",
        "Parameters": parameters,
        **ends,
        **fields,
    }


def machine(start: str, /, **states: Any) -> Document:
    """A document whose first state is `start`."""
    return {"StartAt": start, "States": states}


@contextlib.asynccontextmanager
async def running(document: Document, *others: Named, **settings: Any) -> AsyncIterator[App]:
    """An app with this document as workflow `flow`."""
    pack = Pack(
        "p",
        tools=settings.pop("tools", []),
        agents=settings.pop("agents", []),
        workflows=[Named("flow", document), *others],
    )
    async with app_for_tests(packs=[pack], **settings) as app:
        yield app


async def run(app: App, input: Any = None, task_id: str = "t1") -> Result:
    """Run the workflow to its end."""
    return await app.run(Task(task_id, "flow", input=input, actor_context=Actor("alice")))


async def output(app: App, input: Any = None) -> Any:
    """What the workflow answers. It succeeds."""
    result = await run(app, input)
    assert result.status == "success", result.problem
    return result.result_payload


async def test_items_are_written_read_and_guarded() -> None:
    """Put, update, get; a condition that fails is caught by the name that Step Functions gives it."""
    key = {"id": {"S.$": "$.id"}}
    document = machine(
        "Put",
        Put=task(
            "dynamodb:putItem",
            {
                "TableName": "orders",
                "Item": {**key, "n": {"N": "1"}},
                "ConditionExpression": "attribute_not_exists(id)",
            },
            ResultPath=None,
            Next="Add",
            Catch=[
                {
                    "ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"],
                    "ResultPath": "$.why",
                    "Next": "There",
                }
            ],
        ),
        Add=task(
            "dynamodb:updateItem",
            {
                "TableName": "orders",
                "Key": key,
                "UpdateExpression": "SET n = n + :d",
                "ExpressionAttributeValues": {":d": {"N": "4"}},
            },
            ResultPath=None,
            Next="Get",
        ),
        Get=task("dynamodb:getItem", {"TableName": "orders", "Key": key}, OutputPath="$.Item"),
        There={"Type": "Pass", "OutputPath": "$.why.Error", "End": True},
    )
    async with running(document, workflow=TABLES) as app:
        assert await output(app, {"id": "a"}) == {"id": {"S": "a"}, "n": {"N": "5"}}
        again = await run(app, {"id": "a"}, "t2")
        assert again.result_payload == "DynamoDB.ConditionalCheckFailedException"


async def test_messages_become_events_of_the_workflows_actor() -> None:
    """On the bus, under the types of their queues, topics and sources; sent by whom the run is for."""
    document = machine(
        "Send",
        Send=task("sqs:sendMessage", {"QueueUrl": QUEUE, "MessageBody.$": "$"}, ResultPath=None, Next="Tell"),
        Tell=task(
            "sns:publish", {"TopicArn": "arn:aws:sns:::news", "Message": "hi"}, ResultPath=None, Next="Put"
        ),
        Put=task(
            "events:putEvents", {"Entries": [{"Source": "shop", "DetailType": "order.paid", "Detail.$": "$"}]}
        ),
    )
    async with running(document) as app:
        assert (await output(app, {"a": 1}))["FailedEntryCount"] == 0
        found = {e.event.type: e.event for e in (await app.bus.events("local")).items}
    assert json.loads(found["aws.sqs.jobs"].data["body"]) == {"a": 1}
    assert found["aws.sns.news"].data["Message"] == "hi"
    assert (found["order.paid"].source, found["order.paid"].data) == ("shop", {"a": 1})
    for name in ("aws.sqs.jobs", "aws.sns.news", "order.paid"):
        assert found[name].extensions["actorid"] == "alice"


async def test_a_function_is_the_tool_or_agent_of_its_name() -> None:
    """By `lambda:invoke` with the shape of its answer, or by the function's ARN; unknown ones are told."""

    @tool
    def price(sku: str) -> dict[str, int]:
        """Price of a thing."""
        if sku == "none":
            raise ToolError("none left", code="OutOfStock")
        return {"cents": 5}

    @agent
    def writer(input: Any) -> Any:
        """Writes."""
        return {"wrote": input}

    arn = "arn:aws:lambda:eu-central-1:123456789012:function:"
    invoke = {"FunctionName": f"{arn}price:$LATEST", "Payload.$": "$"}
    nowhere = {"FunctionName": "nowhere", "Payload": {}}
    document = machine(
        "Price",
        Price=task(
            "lambda:invoke",
            invoke,
            ResultSelector={"cents.$": "$.Payload.cents", "status.$": "$.StatusCode"},
            Next="Write",
            Catch=[{"ErrorEquals": ["OutOfStock"], "ResultPath": None, "Next": "Nowhere"}],
        ),
        Write={"Type": "Task", "Resource": f"{arn}writer", "End": True},
        Nowhere=task(
            "lambda:invoke",
            nowhere,
            Catch=[{"ErrorEquals": ["Lambda.ResourceNotFoundException"], "Next": "Told"}],
        ),
        Told={"Type": "Pass", "Result": "told", "End": True},
    )
    async with running(document, tools=[price], agents=[writer]) as app:
        assert await output(app, {"sku": "x"}) == {"wrote": {"cents": 5, "status": 200}}
        assert (await run(app, {"sku": "none"}, "t2")).result_payload == "told"


async def test_executions_are_runs() -> None:
    """`states:startExecution` starts a run of the workflow of that name and goes on at once."""
    inner = machine("A", A={"Type": "Pass", "Parameters": {"doubled.$": "$.n"}, "End": True})
    start = {
        "StateMachineArn": "arn:aws:states:eu-central-1:123456789012:stateMachine:inner",
        "Input": {"n": 2},
    }
    document = machine("Start", Start=task("states:startExecution", start))
    async with running(document, Named("inner", inner)) as app:
        started = await output(app)
        run_id = started["ExecutionArn"].removeprefix("remit:run:")
        await app.worker.run_until_idle(run_id)
        result = await app.runs.result(run_id, "local")
    assert result is not None
    assert result.result_payload == {"doubled": 2}


def mapped(reader: Document, **fields: Any) -> Document:
    """A distributed Map that hands each item on."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        **machine("One", One={"Type": "Pass", "End": True}),
    }
    return machine(
        "Map", Map={"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "End": True, **fields}
    )


async def test_a_distributed_map_runs_over_a_file(tmp_path: Path) -> None:
    """Rows of a CSV in the user's folder, in batches; the results and their manifest lie there too."""
    (tmp_path / "in.csv").write_text("sku,n\na,1\nb,2\nc,3\n")
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
        "Parameters": {"Bucket": "file:", "Key.$": "$.file"},
    }
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "file:", "Prefix": "out"},
        "WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSON"},
    }
    document = mapped(reader, ItemBatcher={"MaxItemsPerBatch": 2}, ResultWriter=writer)
    async with running(document, workflow=WorkflowSettings(files=str(tmp_path))) as app:
        details = (await output(app, {"file": "in.csv"}))["ResultWriterDetails"]
    manifest = json.loads((tmp_path / details["Key"]).read_text())
    (good,) = manifest["ResultFiles"]["SUCCEEDED"]
    assert json.loads((tmp_path / good["Key"]).read_text()) == [
        {"Items": [{"sku": "a", "n": "1"}, {"sku": "b", "n": "2"}]},
        {"Items": [{"sku": "c", "n": "3"}]},
    ]


async def test_a_file_that_is_not_open_fails_the_reader() -> None:
    """Without a configured folder the Map fails by the reader's name, and says which setting opens one."""
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": {"Bucket": "file:", "Key": "x.json"},
    }
    async with running(mapped(reader)) as app:
        result = await run(app)
    assert result.status == "failure"
    assert result.result_payload["Error"] == "States.ItemReaderFailed"


# settings


def test_settings_of_workflows_are_read(tmp_path: Path) -> None:
    """From `[workflow]` of remit.toml; a folder is beside it, and S3 goes with AWS."""
    text = (
        '[workflow]\nfiles = "data"\naws_tenants = ["acme"]\n[workflow.tables]\norders = ["id", "line:N"]\n'
    )
    (tmp_path / "remit.toml").write_text(text)
    found = load({}, directory=tmp_path).workflow
    assert found.files == str(tmp_path / "data")
    assert found.tables == {"orders": ("id", "line:N")}
    assert (found.services, found.objects, found.aws_tenants) == ("local", "local", ("acme",))
    found = load({"REMIT_AWS_SERVICES": "1"}, directory=tmp_path).workflow
    assert (found.services, found.objects) == ("aws", "s3")
    (tmp_path / "remit.toml").write_text('[workflow]\nservices = "aws"\nobjects = "local"\n')
    found = load({}, directory=tmp_path).workflow
    assert (found.services, found.objects) == ("aws", "local")


def test_a_mistake_in_the_settings_is_told(tmp_path: Path) -> None:
    """By its name."""
    (tmp_path / "remit.toml").write_text('[workflow]\nservice = "aws"\n')
    with pytest.raises(ConfigError, match="service"):
        load({}, directory=tmp_path)


def test_an_app_on_aws_offers_every_call_of_the_sdk(tmp_path: Path) -> None:
    """Nothing is asked of AWS until a workflow calls it."""
    settings = Settings(
        home=tmp_path, store="memory:", workflow=WorkflowSettings(services="aws", objects="s3")
    )
    app = open_app(settings)
    assert app.catalogue.tools["aws_sdk_s3_listBuckets"].spec.effect == "read"
    assert "aws_sdk_s3_listBuckets" in app.catalogue.tools
    assert app.catalogue.tools["aws_sqs_sendMessage"].spec.effect == "plain"
    assert app.catalogue.tools.get("aws_nothing") is None
