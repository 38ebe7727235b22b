"""Runs of a deployment on AWS's own queues: told of by a stream, taken from SQS, advanced, and what fails given up.

The queues are those of an emulator over real sockets: `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.adapters import emulator

from remit.adapters.aws.session import Session
from remit.adapters.driving.names import dead_queue, run_queue
from remit.adapters.store.dynamodb import heads
from remit.core.task import Result, Task
from remit.functions import advance, container, react, tick
from remit.functions.container import shared
from remit.ports.store import RunHead

REGION = "us-east-1"
POISONED = 5

Event = dict[str, Any]


class Queues:
    """The run queues of the deployment as Lambda polls them."""

    def __init__(self, clients: Session, name: str) -> None:
        self._sqs = clients("sqs")
        self.name = name
        for agent in ("echo", "charger", "default"):
            dead = self._sqs.create_queue(QueueName=dead_queue(self.name, agent))["QueueUrl"]
            arn = self._sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
            policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": str(POISONED)}
            self._sqs.create_queue(
                QueueName=run_queue(self.name, agent), Attributes={"RedrivePolicy": json.dumps(policy)}
            )

    def poll(self, agent: str) -> list[Event]:
        """Records of one batch."""
        url = self._url(run_queue(self.name, agent))
        answer = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        return [self._record(agent, each) for each in answer.get("Messages", ())]

    def serve(self, agent: str, context: Any) -> list[str]:
        """Do as Lambda does with one batch: call the handler, delete what it served. What was not served."""
        records = self.poll(agent)
        if not records:
            return []
        answer = advance.handler({"Records": records}, context)
        failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        url = self._url(run_queue(self.name, agent))
        for record in records:
            if record["messageId"] not in failed:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return failed

    def show_at_once(self, record: Event) -> None:
        """Let the message be seen again now."""
        url = self._url(record["eventSourceARN"].rpartition(":")[2])
        self._sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
        )

    def count(self, name: str) -> tuple[int, int]:
        """Messages that wait and that are delayed or held."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        ]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url(name), AttributeNames=names)
        waiting, delayed, held = (int(answer["Attributes"][each]) for each in names)
        return waiting, delayed + held

    def _url(self, name: str) -> str:
        url: str = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return url

    def _record(self, agent: str, message: Event) -> Event:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:{REGION}:000000000000:{run_queue(self.name, agent)}",
            "awsRegion": REGION,
        }


@pytest.fixture
def queues(home: Path, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """A deployment in an account of its own: its queues on the emulator, its store in a file."""
    clients = emulator.emulated(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.URL)
    monkeypatch.setenv("AWS_REGION", REGION)
    name = f"remit-{secrets.token_hex(4)}"
    monkeypatch.setenv("REMIT_DEPLOYMENT", name)
    container.shared.cache_clear()
    return Queues(clients, name)


def submit(agent: str, task_id: str = "t1", given: Any = "x") -> str:
    """Start a run, as the API does."""
    return shared().run(lambda app: app.runs.submit(Task(task_id, agent, input=given)))


def result(run_id: str) -> Result | None:
    """How the run stands."""
    return shared().run(lambda app: app.runs.result(run_id, "local"))


def streamed(head: RunHead | None, number: int = 1) -> Event:
    """The record of a stream that says that a head was written."""
    assert head is not None
    image = heads.item(heads.Head(head, rev="r", since=head.created_ts))
    as_json = json.loads(json.dumps(image, default=lambda raw: base64.b64encode(raw).decode()))
    return {
        "eventName": "INSERT",
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:000000000000:table/remit-run_head/stream/x",
        "dynamodb": {"NewImage": as_json, "SequenceNumber": str(number)},
    }


@pytest.mark.service
def test_from_the_stream_through_the_queue_to_the_result(queues: Queues, aws: ModuleType) -> None:
    """Submitted, told of by the stream, taken from the queue of its agent, ended, and nothing left behind."""
    run_id = submit("echo", given="hello")
    head = shared().run(lambda app: app.store.head(run_id))
    assert react.handler({"Records": [streamed(head)]}, aws.Context()) == {"batchItemFailures": []}
    assert queues.serve("echo", aws.Context()) == []
    ended = result(run_id)
    assert ended is not None
    assert ended.result_payload == {"said": "hello"}
    assert queues.count(run_queue(queues.name, "echo")) == (0, 0)


@pytest.mark.service
def test_a_tick_finds_what_nobody_told_of(queues: Queues, aws: ModuleType, home: Path) -> None:
    """A hint that was lost: the next minute tells of the run, of one with no queue of its own through the default one."""
    first, second = submit("charger", given="r"), submit("sloth", "t2")
    assert tick.handler({}, aws.Context())["hinted"] == 2
    assert queues.serve("charger", aws.Context()) == []
    assert queues.serve("default", aws.Context()) == []
    assert [ended.status for run in (first, second) if (ended := result(run))] == ["success", "success"]
    assert (home / "charged").read_text().split() == ["r-0", "r-1", "r-2"]


@pytest.mark.service
def test_a_run_is_never_told_of_by_two_messages(queues: Queues, aws: ModuleType) -> None:
    """A loser leaves the run to its holder, and a function that runs out of time to the stream: one message in all."""
    run_id, queue = submit("echo"), run_queue(queues.name, "echo")
    lease = shared().run(lambda app: app.store.lease(run_id, "somebody", ttl_ms=600_000))
    held = shared().run(lambda app: app.store.head(run_id))
    react.handler({"Records": [streamed(held)]}, aws.Context())
    assert queues.count(queue) == (0, 0)  # somebody holds it, so that nobody is told
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context())) == []
    assert queues.count(queue) == (0, 0)
    shared().run(lambda app: app.store.release(lease))
    free = streamed(shared().run(lambda app: app.store.head(run_id)))
    free["dynamodb"]["OldImage"] = streamed(held)["dynamodb"]["NewImage"]
    react.handler({"Records": [free]}, aws.Context())
    assert queues.count(queue) == (1, 0)


@pytest.mark.service
def test_a_function_that_runs_out_of_time_sends_nothing_itself(
    queues: Queues, aws: ModuleType, home: Path
) -> None:
    """Giving the run back is what the stream tells of."""
    (home / "hold").touch()
    run_id = submit("sloth")
    assert aws.failed(advance.handler(aws.hint(run_id), aws.Context(5.1))) == []
    assert queues.count(run_queue(queues.name, "default")) == (0, 0)
    head = shared().run(lambda app: app.store.head(run_id))
    assert head is not None
    assert (head.status, head.owner) == ("ready", "")


@pytest.mark.service
def test_a_poisoned_run_is_set_aside_and_its_message_given_up(
    queues: Queues, aws: ModuleType, home: Path
) -> None:
    """Every delivery fails, later each time; with the last one the run waits for an operator."""
    run_id = submit("echo")
    tick.handler({}, aws.Context())
    with closing(sqlite3.connect(home / "remit.db")) as database, database:
        database.execute("UPDATE events SET body = x'00'")
    for _ in range(POISONED):
        (record,) = queues.poll("echo")
        failed = advance.handler({"Records": [record]}, aws.Context())
        assert aws.failed(failed) == [record["messageId"]]
        assert queues.count(run_queue(queues.name, "echo")) == (0, 1)
        queues.show_at_once(record)
    assert queues.poll("echo") == []
    assert queues.count(dead_queue(queues.name, "echo")) == (1, 0)
    row = shared().run(lambda app: app.store.get("agent_run", (run_id,)))
    assert row is not None
    assert row["waiting_on"][0].startswith("operator: [E808]")
    assert tick.handler({}, aws.Context())["hinted"] == 0
