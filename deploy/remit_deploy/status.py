"""How a deployment is: its stack, its release, alarms that are on, and queues with their dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from remit_deploy import console, releases
from remit_deploy.aws import refused
from remit_deploy.deployment import CONSOLE_BUCKET, RELEASE, REVISION, Deployment


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
    """A deployment at a glance. `drifted` are resources that somebody changed by hand, when it was asked for.

    `uncompared` is then what could not be compared, and may have been changed.
    """

    deployment: str
    stack: str
    changed: str
    release: str
    revision: str
    functions: int
    alarms: tuple[Alarm, ...]
    queues: tuple[Queue, ...]
    drifted: tuple[str, ...] | None = None
    uncompared: tuple[str, ...] = ()

    @property
    def dead(self) -> int:
        """Messages that could not be handled."""
        return sum(queue.waiting for queue in self.queues if queue.is_dead)

    @property
    def healthy(self) -> bool:
        """Whether nothing asks for a person."""
        asks = (self.alarms, self.dead, self.drifted, self.uncompared)
        return self.stack.endswith("_COMPLETE") and not any(asks)


def status_of(deployment: Deployment, *, drift: bool = False) -> Status:
    """How it is now. Raises ConfigError E873 when it is not deployed."""
    outputs = deployment.running()
    found = deployment.stack.describe()
    resources = deployment.stack.resources()
    queues = [where for kind, where in resources.values() if kind == "AWS::SQS::Queue"]
    when = found.get("LastUpdatedTime") or found.get("CreationTime")
    drifted, uncompared = _drifted(deployment) if drift else (None, ())
    return Status(
        deployment.name,
        str(found["StackStatus"]),
        when.isoformat(timespec="seconds") if when else "",
        outputs.get(RELEASE, ""),
        outputs.get(REVISION, ""),
        sum(kind == "AWS::Lambda::Function" for kind, _ in resources.values()),
        tuple(_alarms(deployment)),
        tuple(sorted((_queue(deployment, url) for url in queues), key=lambda q: q.name)),
        drifted,
        uncompared,
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


def _drifted(deployment: Deployment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was changed by hand, and what could not be compared."""
    client = deployment.account.client("cloudformation")
    with refused("compare the stack with what is there", action="cloudformation:DetectStackDrift"):
        id = client.detect_stack_drift(StackName=deployment.name)["StackDriftDetectionId"]
        for _ in deployment.stack.waiting("drift is detected"):
            state = client.describe_stack_drift_detection_status(StackDriftDetectionId=id)
            if state["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
        found = list(_drifts(client, deployment.name))
    unknown = [d for d in found if d["StackResourceDriftStatus"] == "UNKNOWN"]
    uncompared = [f"{_name(d)}: {d.get('DriftStatusReason', 'no reason given')}" for d in unknown]
    if state["DetectionStatus"] == "DETECTION_FAILED" and not uncompared:
        uncompared.append(state.get("DetectionStatusReason", "CloudFormation does not say why"))
    changed = [_changed(d) for d in found if d not in unknown]
    return (*changed, *_pages(deployment)), tuple(uncompared)


def _drifts(client: Any, stack: str) -> Iterator[dict[str, Any]]:
    """What CloudFormation says of each resource that is not as deployed, or of which it does not know."""
    given = {"StackName": stack, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED", "UNKNOWN"]}
    while True:
        page = client.describe_stack_resource_drifts(**given)
        yield from page["StackResourceDrifts"]
        if not page.get("NextToken"):
            return
        given["NextToken"] = page["NextToken"]


def _changed(drift: dict[str, Any]) -> str:
    paths = ", ".join(d["PropertyPath"].strip("/") for d in drift.get("PropertyDifferences", ()))
    said = f"{_name(drift)} is {drift['StackResourceDriftStatus'].lower()}"
    return f"{said}: {paths}" if paths else said


def _name(drift: dict[str, Any]) -> str:
    return str(drift.get("PhysicalResourceId") or drift["LogicalResourceId"])


def _pages(deployment: Deployment) -> list[str]:
    """Files of the console that are not those of the release."""
    outputs = deployment.running()
    if CONSOLE_BUCKET not in outputs:
        return []
    release = releases.load(deployment.bucket, outputs.get(RELEASE, ""), deployment.name)
    files = console.kept(deployment.bucket, release.console)
    found = console.compared(deployment.account, deployment.pages, files)
    strange = [f"file {name} of the console is none of the release" for name in found.remove]
    return [*(f"file {name} of the console is not that of the release" for name in found.send), *strange]
