"""Applying, changing and destroying a deployment on the emulator, over its real API."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.deploy.conftest import small_synthesis

from remit.core.errors import ConfigError, InputError, StoreError
from remit_deploy import access, assets, destroying, logs, releases
from remit_deploy.aws import Account, Place
from remit_deploy.deployment import RELEASE, DeployError, Deployment, Prepared
from remit_deploy.environments import Source
from remit_deploy.packaging.zipped import zip_directory
from remit_deploy.stacks import StackEvent
from remit_deploy.status import status_of

pytestmark = pytest.mark.service

Make = Callable[..., Prepared]


def nobody(event: StackEvent) -> None:
    """Nobody watches."""


def applied(deployment: Deployment, prepared: Prepared, source: Source) -> dict[str, str]:
    """Plan and apply."""
    return deployment.apply(deployment.plan(prepared, source), nobody)


def asked(deployment: Deployment, **event: Any) -> Any:
    """What the deployed function answers."""
    client = deployment.account.client("lambda")
    answer = client.invoke(FunctionName=f"{deployment.name}-agent-greeter", Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def test_a_first_deployment_runs_its_code_and_the_next_one_changes_it(
    deployment: Deployment, source: Source, prepared: Make
) -> None:
    """Applying makes the bucket, sends the code and makes all resources, telling each; applying a new release runs it."""
    seen: list[StackEvent] = []
    first = prepared(1)
    planned = deployment.plan(first, source)
    assert planned.plan.fresh
    assert planned.plan.count("add") == len(first.assembly.template["Resources"])
    assert deployment.apply(planned, seen.append)[RELEASE] == first.release.id
    assert asked(deployment) == {"answer": 1}
    assert {event.resource for event in seen} >= set(first.assembly.template["Resources"])

    second = deployment.plan(prepared(2), source)
    assert [(c.kind, c.path) for c in second.plan.changes] == [("change", "Functions/greeter")]
    assert second.running == first.release.id
    deployment.apply(second, nobody)
    assert asked(deployment) == {"answer": 2}


def test_the_same_again_changes_nothing(deployment: Deployment, source: Source, prepared: Make) -> None:
    """A plan of what runs already is empty, and looking at it leaves no trace in the stack."""
    applied(deployment, prepared(1), source)
    again = deployment.plan(prepared(1), source)
    assert again.plan.nothing
    assert again.change_set is None
    assert applied(deployment, prepared(1), source)[RELEASE] == again.running


def test_a_plan_that_is_not_applied_leaves_nothing_behind(
    deployment: Deployment, source: Source, prepared: Make
) -> None:
    """A plan that is settled has no change set left, and the stack is what it was."""
    applied(deployment, prepared(1), source)
    deployment.settle(deployment.plan(prepared(2), source))
    client = deployment.account.client("cloudformation")
    sets = client.list_change_sets(StackName=deployment.name)["Summaries"]
    assert [s for s in sets if s["ExecutionStatus"] == "AVAILABLE"] == []
    assert asked(deployment) == {"answer": 1}


def test_a_failure_names_the_resource_its_place_and_what_to_do(
    deployment: Deployment, source: Source, prepared: Make
) -> None:
    """A name that is taken fails the deployment, which is taken back; the error says where in our template, why, and what to do."""
    buckets, name = deployment.account.client("s3"), f"{deployment.name}-taken"
    buckets.create_bucket(Bucket=name)
    taken = {
        "Type": "AWS::S3::Bucket",
        "Metadata": {"aws:cdk:path": f"{deployment.name}/Buckets/taken/Resource"},
        "Properties": {"BucketName": name},
    }
    with pytest.raises(DeployError) as raised:
        applied(deployment, prepared(1, more={"Taken": taken}), source)
    assert raised.value.code == "E867"
    assert raised.value.failures[0].path == "Buckets/taken"
    assert "already exists" in raised.value.failures[0].cause
    assert "something else has this name" in raised.value.help

    buckets.delete_bucket(Bucket=name)
    applied(deployment, prepared(1), source)
    assert asked(deployment) == {"answer": 1}, "after a failed first deployment, the next one starts anew"


def test_a_failed_change_keeps_what_ran(deployment: Deployment, source: Source, prepared: Make) -> None:
    """A change that fails is rolled back: the release before it still answers."""
    applied(deployment, prepared(1), source)
    broken = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": f"{deployment.name}-b", "DelaySeconds": 99_999},
    }
    with pytest.raises((DeployError, ConfigError)):
        applied(deployment, prepared(2, more={"Broken": broken}), source)
    assert asked(deployment) == {"answer": 1}


def test_the_status_says_what_needs_a_person(deployment: Deployment, source: Source, prepared: Make) -> None:
    """A dead letter makes a deployment unhealthy, and the status names the queue."""
    applied(deployment, prepared(1), source)
    found = status_of(deployment)
    assert found.healthy
    assert found.functions == 1
    queues = deployment.account.client("sqs")
    url = queues.get_queue_url(QueueName=f"{deployment.name}-run-greeter-dead")["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="poison")
    found = status_of(deployment)
    assert not found.healthy
    assert found.dead == 1
    assert [q.name for q in found.queues if q.waiting] == [f"{deployment.name}-run-greeter-dead"]


def test_logs_are_found_by_agent_and_by_run(deployment: Deployment, source: Source, prepared: Make) -> None:
    """Lines of the functions come by time; a filter finds those of one run; an unknown agent is an error that names the known."""
    applied(deployment, prepared(1), source)
    asked(deployment, run_id="run_a")
    asked(deployment, run_id="run_b")
    lines = logs.read(deployment, logs.Wanted(agent="greeter"), 0)
    assert [line.data["run_id"] for line in lines if line.data.get("message") == "asked"] == [
        "run_a",
        "run_b",
    ]
    found = logs.read(deployment, logs.Wanted(run="run_b"), 0)
    assert [line.data["run_id"] for line in found] == ["run_b"]
    with pytest.raises(InputError, match="no function") as raised:
        logs.read(deployment, logs.Wanted(agent="other"), 0)
    assert "greeter" in raised.value.help


def test_following_logs_tells_each_line_once(deployment: Deployment, source: Source, prepared: Make) -> None:
    """`-f` goes on with what comes later, and repeats nothing though it asks again for the last seconds."""
    applied(deployment, prepared(1), source)
    asked(deployment, run_id="run_a")
    rounds: list[float] = []

    def rest(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            asked(deployment, run_id="run_b")

    lines = logs.follow(deployment, logs.Wanted(words="asked"), 0, rest=rest)
    told = [line.data["run_id"] for line in itertools.islice(lines, 2)]
    assert told == ["run_a", "run_b"]


def test_destroying_leaves_nothing(deployment: Deployment, source: Source, prepared: Make) -> None:
    """After destroying nothing in the account is named after the deployment, its code's bucket included."""
    applied(deployment, prepared(1), source)
    bucket = f"{deployment.name}-artifacts-000000000000-us-east-1"
    deployment.account.client("s3").put_object(Bucket=bucket, Key="a", Body=b"data")
    doomed = destroying.look(deployment)
    assert doomed.filled == (bucket,)
    assert doomed.lost["tables"] == [f"{deployment.name}-agent_run"]
    done = destroying.destroy(deployment, delete_data=True, seen=nobody)
    assert done.kept == {}
    assert done.left == ()
    with pytest.raises(ConfigError, match="is not deployed") as raised:
        deployment.running()
    assert raised.value.code == "E873"


def test_what_is_to_be_kept_is_named(deployment: Deployment, source: Source, prepared: Make) -> None:
    """A bucket that the template retains outlives the stack, and is found afterwards by its name."""
    applied(deployment, prepared(1, kept=True), source)
    bucket = f"{deployment.name}-artifacts-000000000000-us-east-1"
    assert destroying.look(deployment).kept == {"buckets": [bucket]}
    done = destroying.destroy(deployment, delete_data=False, seen=nobody)
    assert done.left == (f"bucket {bucket}",)
    assets.delete(deployment.account, bucket)


def test_a_release_is_kept_with_its_code(
    deployment: Deployment, source: Source, prepared: Make, tmp_path: Any
) -> None:
    """What was deployed can be unpacked again, byte for byte, and run as before; code that was changed in the bucket is refused."""
    script = tmp_path / "bundle-1" / "run.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    first = prepared(1)
    applied(deployment, first, source)
    found = releases.load(deployment.bucket, first.release.id, deployment.name)
    assert found == first.release
    releases.unpack(deployment.bucket, found, tmp_path / "again")
    for name in ("bundle-1", "again"):
        zip_directory(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "bundle-1.zip").read_bytes()
    assert os.access(tmp_path / "again" / "run.sh", os.X_OK)

    second = prepared(2)
    applied(deployment, second, source)
    deployment.bucket.put(first.release.asset, deployment.bucket.get(second.release.asset))
    with pytest.raises(ConfigError, match="is not what was deployed") as raised:
        releases.unpack(deployment.bucket, found, tmp_path / "forged")
    assert raised.value.code == "E871"


def test_a_release_is_promoted_as_it_is(deployment: Deployment, prepared: Make, tmp_path: Path) -> None:
    """What runs in one environment runs in the next byte for byte, under that one's names, and stays there when the first goes on."""
    source = Source(tmp_path, {"project": deployment.config.project})
    first = prepared(1)
    applied(deployment, first, source)
    config = replace(deployment.config, environment="stage")
    stage = Deployment(config, deployment.place, tmp_path, small_synthesis)
    taken = stage.take_over(source, deployment)
    assert (taken.release.id, taken.release.bundle) == (first.release.id, first.release.bundle)
    assert applied(stage, taken, source)[RELEASE] == first.release.id
    applied(deployment, prepared(2), source)
    assert asked(deployment) == {"answer": 2}
    assert asked(stage) == {"answer": 1}
    assert stage.plan(taken, source).plan.nothing


def test_an_environment_that_is_not_there_is_an_error_with_the_next_command(deployment: Deployment) -> None:
    """Asking for outputs, status or logs of what was never deployed says how to deploy it."""
    for asked_for in (access.outputs, status_of):
        with pytest.raises(ConfigError, match="is not deployed") as raised:
            asked_for(deployment)
        assert "remit deploy apply" in raised.value.help


def test_nobody_at_the_address_is_no_traceback() -> None:
    """An emulator that does not answer is an error that says what could not be done."""
    with pytest.raises(StoreError, match="could not ask AWS who you are") as raised:
        _ = Account(Place("us-east-1", endpoint="http://127.0.0.1:9")).id
    assert raised.value.code == "E876"
