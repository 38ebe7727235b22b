"""The emulator: started once, found again, patched only where it is as expected, stopped without a trace."""

from __future__ import annotations

import io
import json
import os
import secrets
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from remit.core.errors import ConfigError
from remit_deploy.aws import Account, Place
from remit_deploy.emulator import launcher, running
from remit_deploy.emulator.running import Emulator, Options, Running


def free_port() -> int:
    """A port that nothing listens on, from below those that connections going out are given."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)):
                return port


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator that is stopped in any case."""
    made = Emulator(tmp_path / "emulator")
    yield made
    made.stop()


def account(found: Running) -> Account:
    """The emulator's root."""
    return Account(Place("us-east-1", endpoint=found.endpoint))


def test_a_source_that_is_not_as_expected_is_not_patched() -> None:
    """Where the text to replace is missing, or there twice, the launcher refuses to start."""
    patch = launcher.PATCHES[0]
    assert launcher.patched(patch.module, f"a {patch.old} b", [patch]) == f"a {patch.new} b"
    for source in ("something else", patch.old * 2):
        with pytest.raises(SystemExit, match="is not as expected"):
            launcher.patched(patch.module, source, [patch])


def test_a_module_without_patches_is_left_alone() -> None:
    """Only modules that are named are touched."""
    assert launcher.patched("ministack.other", "text") == "text"
    assert launcher.Finder().find_spec("json", None) is None


def test_its_functions_inherit_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The emulator's environment is made, not inherited: a key of this machine is not in it."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of this machine")
    found = running.environment(tmp_path, Options(port=1, models="http://127.0.0.1:2"))
    assert "of this machine" not in found.values()
    assert found["BIND_HOST"] == "127.0.0.1"
    assert found["AUTH"] == "true"
    assert found["MINISTACK_BEDROCK_PROXY_URL"] == "http://127.0.0.1:2"


def test_a_stale_process_id_is_nobody(tmp_path: Path) -> None:
    """A process that has the id of an emulator of long ago is neither taken for it nor stopped."""
    emulator = Emulator(tmp_path / "emulator")
    (tmp_path / "emulator").mkdir()
    stale = Running(os.getpid(), Options(port=free_port()))
    (tmp_path / "emulator" / "emulator.json").write_bytes(msgspec.json.encode(stale))
    assert emulator.status() is None
    assert not emulator.stop()


@pytest.mark.service
@pytest.mark.slow
def test_it_starts_once_answers_and_leaves_nothing(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start takes the first one, in a narrow terminal too; other options are refused; stopping removes its data and frees its port."""
    monkeypatch.setenv("COLUMNS", "20")
    options = Options(port=free_port(), iam=False)
    first = emulator.start(options)
    assert emulator.start(options) == first
    assert account(first).id == "000000000000"
    with pytest.raises(ConfigError, match="other options") as raised:
        emulator.start(Options(port=options.port, iam=True))
    assert raised.value.code == "E870"
    other = Emulator(tmp_path / "other")
    with pytest.raises(ConfigError, match="in use"):
        other.start(options)
    assert emulator.stop()
    assert emulator.status() is None
    assert not (tmp_path / "emulator").exists()
    assert not running.answers(first.endpoint)


@pytest.mark.service
@pytest.mark.slow
def test_a_role_needs_the_right_to_its_model(emulator: Emulator) -> None:
    """`bedrock:InvokeModel` on one model lets a role converse with it, by profile or directly, and with no other."""
    root = account(emulator.start(Options(port=free_port())))
    allowed = [
        "arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.amazon.nova-lite-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    ]
    client = as_role(root, {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": allowed})
    hello = [{"role": "user", "content": [{"text": "hello"}]}]
    for model in ("us.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"):
        assert client("bedrock-runtime").converse(modelId=model, messages=hello)["output"]
    for model in ("us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"):
        with pytest.raises(Exception, match="AccessDenied"):
            client("bedrock-runtime").converse(modelId=model, messages=hello)
    with pytest.raises(Exception, match="AccessDenied"):
        client("bedrock-runtime").converse_stream(modelId="amazon.nova-lite-v1:0", messages=hello)


@pytest.mark.service
@pytest.mark.slow
def test_who_may_send_may_send_a_batch(emulator: Emulator) -> None:
    """`sqs:SendMessage` on a queue allows a batch to it, and none to another queue."""
    root = account(emulator.start(Options(port=free_port())))
    own, other = (root.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("own", "other"))
    arn = "arn:aws:sqs:us-east-1:000000000000:own"
    queues = as_role(root, {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn})("sqs")
    batch = [{"Id": "1", "MessageBody": "x"}]
    assert queues.send_message_batch(QueueUrl=own, Entries=batch)["Successful"]
    with pytest.raises(Exception, match="AccessDenied"):
        queues.send_message_batch(QueueUrl=other, Entries=batch)
    with pytest.raises(Exception, match="AccessDenied"):
        queues.receive_message(QueueUrl=own)


@pytest.mark.service
@pytest.mark.slow
def test_a_locked_bucket_of_a_template_is_locked(emulator: Emulator) -> None:
    """Object lock that a template asks for holds: a version cannot be deleted."""
    root = account(emulator.start(Options(port=free_port(), iam=False)))
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {"BucketName": "locked", "ObjectLockEnabled": True, "ObjectLockConfiguration": lock},
    }
    root.client("cloudformation").create_stack(
        StackName="s", TemplateBody=json.dumps({"Resources": {"B": bucket}})
    )
    root.client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName="s", WaiterConfig={"Delay": 1}
    )
    s3 = root.client("s3")
    version = s3.put_object(Bucket="locked", Key="a", Body=b"x")["VersionId"]
    with pytest.raises(Exception, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key="a", VersionId=version)


@pytest.mark.service
@pytest.mark.slow
def test_functions_with_the_same_code_share_it(emulator: Emulator, tmp_path: Path) -> None:
    """Their code is unpacked once; each function still has a place and a process of its own."""
    functions = account(emulator.start(Options(port=free_port(), iam=False))).client("lambda")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as code:
        code.writestr("index.py", "import os\n\n\ndef handler(event, context):\n    return os.getpid()\n")
    answers = set()
    for name in ("a", "b"):
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": packed.getvalue()},
        )
        answers.add(functions.invoke(FunctionName=name)["Payload"].read())
    assert len(answers) == 2
    assert len(list((tmp_path / "emulator" / "tmp").glob("code-*"))) == 1


@pytest.mark.service
@pytest.mark.slow
def test_errors_and_parallel_states_are_those_of_step_functions(emulator: Emulator) -> None:
    """A function's error has the name of its exception, so that Catch finds it; Parallel and Succeed have their JSONata."""
    root = account(emulator.start(Options(port=free_port(), iam=False, wait_scale=0)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as code:
        code.writestr(
            "index.py",
            "class Fatal(Exception):\n    pass\n\n\ndef handler(event, context):\n    raise Fatal('no')\n",
        )
    arn = root.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]
    catch = {"ErrorEquals": ["Fatal"], "Output": "caught", "Next": "After"}
    branch = {
        "StartAt": "Call",
        "States": {
            "Call": {"Type": "Task", "Resource": arn, "Catch": [catch], "End": True},
            "After": {"Type": "Pass", "End": True},
        },
    }
    both = {
        "Type": "Parallel",
        "Arguments": {"n": 1},
        "Branches": [branch],
        "Output": "{% $states.result[0] %}",
        "Next": "Done",
    }
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Both",
        "States": {"Both": both, "Done": {"Type": "Succeed", "Output": {"said": "{% $states.input %}"}}},
    }
    client = root.client("stepfunctions")
    made = client.create_state_machine(
        name="m", definition=json.dumps(machine), roleArn="arn:aws:iam::000000000000:role/any"
    )["stateMachineArn"]
    run = client.start_execution(stateMachineArn=made)["executionArn"]
    until = time.monotonic() + 30
    while (found := client.describe_execution(executionArn=run))["status"] == "RUNNING":
        assert time.monotonic() < until
    assert (found["status"], json.loads(found["output"])) == ("SUCCEEDED", {"said": "caught"})


def as_role(root: Account, statement: dict[str, Any]) -> Any:
    """Clients of a role that may do only this."""
    iam, document = root.client("iam"), {"Version": "2012-10-17", "Statement": [statement]}
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document))
    keys = root.client("sts").assume_role(RoleArn="arn:aws:iam::000000000000:role/r", RoleSessionName="test")[
        "Credentials"
    ]

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=root.place.endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    return client
