"""`remit deploy status --drift`: what somebody changed by hand is told, and so is what could not be compared."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.deploy.test_apply import Make, applied

from remit_deploy.deployment import Deployment
from remit_deploy.environments import Source
from remit_deploy.status import status_of

pytestmark = pytest.mark.service


def test_what_was_changed_by_hand_is_told(deployment: Deployment, source: Source, prepared: Make) -> None:
    """Nothing drifted just after deploying; then each changed property is named."""
    applied(deployment, prepared(1), source)
    found = status_of(deployment, drift=True)
    assert (found.drifted, found.uncompared, found.healthy) == ((), (), True)
    function, role = f"{deployment.name}-agent-greeter", f"{deployment.name}-greeter"
    client = deployment.account.client
    client("lambda").update_function_configuration(FunctionName=function, Handler="other.handler")
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    client("iam").update_assume_role_policy(RoleName=role, PolicyDocument=document)
    found = status_of(deployment, drift=True)
    assert found.drifted is not None
    assert [said.partition("/")[0] for said in sorted(found.drifted)] == [
        f"{function} is modified: Handler",
        f"{role} is modified: AssumeRolePolicyDocument",
    ]
    assert not found.healthy
    assert status_of(deployment).healthy, "it is looked for only when it is asked for"


def test_all_that_is_gone_is_told(deployment: Deployment, source: Source, prepared: Make) -> None:
    """CloudFormation gives a hundred at a time, and the rest is asked for."""
    name = deployment.name
    more = {f"L{n}": log_group(f"/remit/{name}/more-{n}") for n in range(101)}
    applied(deployment, prepared(1, more=more), source)
    client = deployment.account.client("logs")
    for n in range(101):
        client.delete_log_group(logGroupName=f"/remit/{name}/more-{n}")
    drifted = status_of(deployment, drift=True).drifted
    assert drifted is not None
    assert sorted(drifted) == sorted(f"/remit/{name}/more-{n} is deleted" for n in range(101))


def log_group(name: str) -> dict[str, Any]:
    """A log group of a template."""
    return {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}, "DeletionPolicy": "Delete"}


def test_what_could_not_be_compared_needs_a_person(
    deployment: Deployment, source: Source, prepared: Make
) -> None:
    """A detection that failed is not taken for one that found nothing."""
    applied(deployment, prepared(1), source)

    def fail(response_dict: dict[str, Any], **_: Any) -> None:
        """The emulator compares whatever it knows: its answer is changed on the way."""
        reason = b"DETECTION_FAILED</DetectionStatus><DetectionStatusReason>no right to read</DetectionStatusReason>"
        body = response_dict["body"].replace(b"DETECTION_COMPLETE</DetectionStatus>", reason)
        assert body != response_dict["body"]
        response_dict["body"] = body

    events = deployment.account.client("cloudformation").meta.events
    events.register("before-parse.cloudformation.DescribeStackDriftDetectionStatus", fail)
    found = status_of(deployment, drift=True)
    assert (found.drifted, found.uncompared, found.healthy) == ((), ("no right to read",), False)
