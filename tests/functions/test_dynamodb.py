"""A whole deployment on the emulator: DynamoDB's own streams into the functions, queues, events, and the archive.

Start the emulator with `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.adapters import emulator
from tests.adapters.bus.deployed import Deployed

from remit.adapters.driving.names import dead_queue, run_queue
from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent
from remit.core.task import Task
from remit.functions import advance, audit, container, deliver, react
from remit.functions.container import shared

pytestmark = pytest.mark.service

Event = dict[str, Any]


class Cloud(Deployed):
    """A deployment whose streams and queues are polled as Lambda does."""

    def __init__(self, clients: Any) -> None:
        super().__init__(clients)
        for agent in ("charger", "default"):
            for name in (dead_queue(self.name, agent), run_queue(self.name, agent)):
                clients("sqs").create_queue(QueueName=name)
        self.archive = f"{self.name}-audit"
        clients("s3").create_bucket(Bucket=self.archive)
        self._read: dict[str, str] = {}

    def stream(self, table: str) -> list[Event]:
        """The records of a table's stream that were not read before, as Lambda hands them over."""
        arn = self.clients("dynamodb").describe_table(TableName=f"{self.name}-{table}")["Table"][
            "LatestStreamArn"
        ]
        streams = self.clients("dynamodbstreams")
        found: list[Event] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            given = {"StreamArn": arn, "ShardId": shard["ShardId"]}
            start = streams.get_shard_iterator(**given, ShardIteratorType="TRIM_HORIZON")
            found += streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
        last = self._read.get(table, "")
        fresh = [r for r in found if r["dynamodb"]["SequenceNumber"] > last]
        if fresh:
            self._read[table] = fresh[-1]["dynamodb"]["SequenceNumber"]
        return [{**lambda_form(record), "eventSourceARN": arn} for record in fresh]

    def queue_records(self, name: str) -> list[Event]:
        """One batch of a queue, taken out of it."""
        sqs = self.clients("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        for message in found.get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSourceARN": f"arn:aws:sqs:{emulator.REGION}:000000000000:{name}",
            }
            for message in found.get("Messages", ())
        ]


def lambda_form(record: Event) -> Event:
    """A record of the API as Lambda's JSON has it: bytes are base64, times are numbers."""

    def plain(value: Any) -> Any:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()

    made: Event = json.loads(json.dumps(record, default=plain))
    return made


@pytest.fixture
def cloud(home: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A deployment in an account of its own."""
    made = Cloud(emulator.emulated(monkeypatch))
    for name, value in {
        "AWS_ENDPOINT_URL": emulator.URL,
        "AWS_REGION": emulator.REGION,
        "REMIT_DEPLOYMENT": made.name,
        "REMIT_STORE": f"dynamodb://{made.name}",
        "REMIT_BUS": "aws",
        "REMIT_ARCHIVE": f"s3://{made.archive}/journals",
    }.items():
        monkeypatch.setenv(name, value)
    container.shared.cache_clear()
    return made


def react_to(cloud: Cloud, aws: ModuleType) -> None:
    """Hand both streams to the function."""
    for table in ("run_head", "bus_ready"):
        records = cloud.stream(table)
        if records:
            assert react.handler({"Records": records}, aws.Context()) == {"batchItemFailures": []}


def test_from_the_table_to_the_archive(cloud: Cloud, aws: ModuleType, home: Path) -> None:
    """A run is told of by the stream of its head, advanced by its message, and archived by the stream of its journal."""
    run_id = shared().run(lambda app: app.runs.submit(Task("t1", "charger", input="r")))
    react_to(cloud, aws)
    (message,) = cloud.queue_records(run_queue(cloud.name, "charger"))
    assert json.loads(message["body"]) == {"run_id": run_id}
    assert advance.handler({"Records": [message]}, aws.Context()) == {"batchItemFailures": []}
    react_to(cloud, aws)
    assert cloud.queue_records(run_queue(cloud.name, "charger")) == []  # what ended is not told of

    records = cloud.stream("journal")
    for batch in (records, records[1:], records):  # handed over more than once
        assert audit.handler({"Records": batch}, aws.Context()) == {"batchItemFailures": []}
    report = shared().run(lambda app: app.archiving.verify(run_id, "local"))
    assert (report.ok, report.archived) == (True, report.events)
    assert (home / "charged").read_text().split() == ["r-0", "r-1", "r-2"]


def test_an_event_is_delivered_without_a_tick(cloud: Cloud, aws: ModuleType, home: Path) -> None:
    """The stream of ready events says whose turn it is, also when whoever published could not."""

    async def publish_and_die(app: App) -> None:
        app.bus.publisher.published = lambda writes: None  # killed between the commit and the message
        await app.bus.publish("local", [CloudEvent("e1", "shop", "order.placed", {"order": 9})])

    shared().run(publish_and_die)
    react_to(cloud, aws)
    turns = cloud.queue_records(f"{cloud.name}-deliveries.fifo")
    assert turns != []
    for _ in range(2):
        assert deliver.handler({"Records": turns}, aws.Context()) == {"batchItemFailures": []}
    react_to(cloud, aws)
    messages = cloud.queue_records(run_queue(cloud.name, "default"))
    assert advance.handler({"Records": messages}, aws.Context()) == {"batchItemFailures": []}
    assert (home / "packed").read_text().split() == ["9"]
