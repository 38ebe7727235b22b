"""How a deployment is: its stack, its release, alarms that are on, and queues with their dead letters."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit_deploy.aws import refused
from remit_deploy.deployment import RELEASE, REVISION, Deployment


class Alarm(Struct, frozen=True):
    """An alarm that is on, and since when it says why."""

    name: str
    reason: str


class Queue(Struct, frozen=True):
    """A queue: messages that wait, and that are being worked on."""

    name: str
    waiting: int
    in_hand: int

    @property
    def is_dead(self) -> bool:
        """Whether it holds what could not be handled."""
        return self.name.removesuffix(".fifo").endswith("-dead")


class Status(Struct, frozen=True):
    """A deployment at a glance. `drifted` are resources that somebody changed by hand, when it was asked for."""

    deployment: str
    stack: str
    changed: str
    release: str
    revision: str
    functions: int
    alarms: tuple[Alarm, ...]
    queues: tuple[Queue, ...]
    drifted: tuple[str, ...] | None = None

    @property
    def dead(self) -> int:
        """Messages that could not be handled."""
        return sum(queue.waiting for queue in self.queues if queue.is_dead)

    @property
    def healthy(self) -> bool:
        """Whether nothing asks for a person."""
        return self.stack.endswith("_COMPLETE") and not self.alarms and not self.dead and not self.drifted


def status_of(deployment: Deployment, *, drift: bool = False) -> Status:
    """How it is now. Raises ConfigError E873 when it is not deployed."""
    outputs = deployment.running()
    found = deployment.stack.describe()
    resources = deployment.stack.resources()
    queues = [where for kind, where in resources.values() if kind == "AWS::SQS::Queue"]
    when = found.get("LastUpdatedTime") or found.get("CreationTime")
    return Status(
        deployment.name,
        str(found["StackStatus"]),
        when.isoformat(timespec="seconds") if when else "",
        outputs.get(RELEASE, ""),
        outputs.get(REVISION, ""),
        sum(kind == "AWS::Lambda::Function" for kind, _ in resources.values()),
        tuple(_alarms(deployment)),
        tuple(sorted((_queue(deployment, url) for url in queues), key=lambda q: q.name)),
        _drifted(deployment) if drift else None,
    )


def _alarms(deployment: Deployment) -> list[Alarm]:
    client = deployment.account.client("cloudwatch")
    with refused("read the alarms", action="cloudwatch:DescribeAlarms"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{deployment.name}-", StateValue="ALARM"
        )
        found = [alarm for page in pages for alarm in page.get("MetricAlarms", [])]
    return [Alarm(a["AlarmName"], a.get("StateReason", "")) for a in found]


def _queue(deployment: Deployment, url: str) -> Queue:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    with refused(f"look at queue `{url}`", action="sqs:GetQueueAttributes"):
        found: dict[str, Any] = deployment.account.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=names
        )
    waiting, in_hand = (int(found.get("Attributes", {}).get(name, 0)) for name in names)
    return Queue(url.rsplit("/", 1)[-1], waiting, in_hand)


def _drifted(deployment: Deployment) -> tuple[str, ...]:
    client = deployment.account.client("cloudformation")
    with refused("compare the stack with what is there", action="cloudformation:DetectStackDrift"):
        id = client.detect_stack_drift(StackName=deployment.name)["StackDriftDetectionId"]
        for _ in deployment.stack.waiting("drift is detected"):
            state = client.describe_stack_drift_detection_status(StackDriftDetectionId=id)
            if state["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
        found = client.describe_stack_resource_drifts(
            StackName=deployment.name, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )["StackResourceDrifts"]
    return tuple(f"{d['PhysicalResourceId']} is {d['StackResourceDriftStatus'].lower()}" for d in found)
