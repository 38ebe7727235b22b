"""Events of a deployment on AWS's own queues: published, delivered by the function, started as runs; and those from outside.

The queues are those of an emulator over real sockets: `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.adapters import emulator
from tests.adapters.bus.deployed import Deployed

from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent
from remit.functions import container, deliver, inbound, tick
from remit.functions.container import shared

pytestmark = pytest.mark.service

Event = dict[str, Any]


class Site(Deployed):
    """A deployment whose queues are polled as Lambda does."""

    def serve(self, part: str, handler: Any, context: Any) -> list[str]:
        """Hand one batch to the handler, delete what it served; the bodies that were not."""
        sqs, name = self.clients("sqs"), f"{self.name}-{part}"
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{emulator.REGION}:000000000000:{name}",
            }
            for message in found.get("Messages", ())
        ]
        failed = [f["itemIdentifier"] for f in handler({"Records": records}, context)["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in failed:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])
        return [record["body"] for record in records if record["messageId"] in failed]

    def send(self, part: str, body: Any) -> None:
        """Put a message into a queue."""
        sqs = self.clients("sqs")
        url = sqs.get_queue_url(QueueName=f"{self.name}-{part}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A deployment in an account of its own: its queues on the emulator, its store in a file."""
    made = Site(emulator.emulated(monkeypatch))
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.URL)
    monkeypatch.setenv("AWS_REGION", emulator.REGION)
    monkeypatch.setenv("REMIT_DEPLOYMENT", made.name)
    monkeypatch.setenv("REMIT_BUS", "aws")
    container.shared.cache_clear()
    return made


def publish(*orders: int) -> None:
    """Publish events as somebody of the tenant does."""

    async def work(app: App) -> None:
        events = [CloudEvent(f"e{n}", "shop", "order.placed", {"order": n}) for n in orders]
        await app.bus.publish("local", events)

    shared().run(work)


async def worked_off(app: App) -> list[str]:
    """Advance what is due; the results of the packer."""
    await app.worker.run_until_idle()
    return [item["status"] for item in (await app.runs.list("local", agent="packer")).items]


def test_a_published_event_starts_its_run(site: Site, aws: ModuleType, home: Path) -> None:
    """Its turn comes through the queue, the function delivers it, and the run is there once, however often the turn comes."""
    publish(1, 2)
    for _ in range(3):
        assert site.serve("deliveries.fifo", deliver.handler, aws.Context()) == []
    assert shared().run(worked_off) == ["success", "success"]
    assert sorted((home / "packed").read_text().split()) == ["1", "2"]


def test_a_turn_that_was_lost_is_found_by_the_tick(site: Site, aws: ModuleType, home: Path) -> None:
    """The queue is emptied behind the bus's back; a tick sends the turn again once it counts as missed."""
    publish(1)
    sqs = site.clients("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{site.name}-deliveries.fifo")["QueueUrl"])
    assert tick.handler({}, aws.Context())["delivered"] == 0

    async def later(app: App) -> int:
        return await app.bus.tick(grace_ms=0)  # type: ignore[attr-defined,no-any-return]

    assert shared().run(later) >= 1
    assert site.serve("deliveries.fifo", deliver.handler, aws.Context()) == []
    assert shared().run(worked_off) == ["success"]


def test_an_event_from_outside_comes_in(site: Site, aws: ModuleType, home: Path) -> None:
    """What a rule of EventBridge sends is published for the tenant that the rule names; what is no event is given up."""
    outside = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "order.placed",
        "source": "com.shop",
        "account": "111122223333",
        "time": "2026-11-21T18:43:48Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"order": 7},
    }
    site.send("inbound", {"tenant_id": "local", "event": outside})
    site.send("inbound", "no event at all")
    failed = site.serve("inbound", inbound.handler, aws.Context())
    assert failed == ["no event at all"]
    assert site.serve("deliveries.fifo", deliver.handler, aws.Context()) == []
    assert shared().run(worked_off) == ["success"]
    assert (home / "packed").read_text().split() == ["7"]


def test_a_message_that_is_no_turn_is_given_up(site: Site, aws: ModuleType) -> None:
    """It comes again until the queue puts it aside; the others of its batch are served."""
    sqs = site.clients("sqs")
    url = sqs.get_queue_url(QueueName=f"{site.name}-deliveries.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="x", MessageDeduplicationId="x")
    assert site.serve("deliveries.fifo", deliver.handler, aws.Context()) == ["{}"]
