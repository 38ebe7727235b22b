"""What the tests of deploying share: an emulator, and small deployments on it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from remit_deploy.aws import EMULATOR_REGION, Place
from remit_deploy.config import DeployConfig
from remit_deploy.deployment import RELEASE, Deployment, Prepared
from remit_deploy.environments import Source
from remit_deploy.packaging.bundle import content_hash
from remit_deploy.releases import Release, definitions_of, release_id
from remit_deploy.synthesis import Assembly, Asset

HANDLER = """
def handler(event, context):
    print('{"level": "INFO", "message": "asked", "run_id": "%s"}' % event.get("run_id", ""))
    return {"answer": ANSWER}
"""


@pytest.fixture
def endpoint() -> str:
    """The emulator of CI."""
    url = os.environ.get("REMIT_TEST_MINISTACK", "")
    if not url:
        reason = 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return url


@pytest.fixture
def deployment(endpoint: str, tmp_path: Path) -> Deployment:
    """A deployment of a name of its own, not made yet."""
    config = DeployConfig(project=f"t{secrets.token_hex(4)}", for_emulator=True, region=EMULATOR_REGION)
    return Deployment(config, Place(EMULATOR_REGION, endpoint=endpoint), tmp_path, small_synthesis)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A project that says nothing about its deployment."""
    return Source(tmp_path, {})


@pytest.fixture
def prepared(deployment: Deployment, tmp_path: Path) -> Callable[..., Prepared]:
    """Makes what is to be deployed: a function that answers with a number, a queue, a table, a bucket, and more."""

    def make(answer: int = 1, *, more: dict[str, Any] | None = None, kept: bool = False) -> Prepared:
        where = tmp_path / f"bundle-{answer}"
        where.mkdir(exist_ok=True)
        (where / "index.py").write_text(f"ANSWER = {answer}\n{HANDLER}")
        bundle, definitions = content_hash(where), definitions_of(deployment.config)
        id = release_id(bundle, definitions)
        template = small_template(deployment.name, f"{bundle}.zip", kept=kept)
        template["Resources"] |= more or {}
        template["Outputs"][RELEASE] = {"Value": id}
        release = Release(id, bundle, definitions, f"{bundle}.zip")
        assembly = Assembly(template, (Asset(where, release.asset),))
        return Prepared(replace(deployment.config, bundle=str(where)), release, assembly)

    return make


def small_synthesis(config: DeployConfig, where: Path, outputs: Mapping[str, str]) -> Assembly:
    """The small template around a bundle that is there."""
    bundle = Path(config.bundle)
    key = f"{content_hash(bundle)}.zip"
    template = small_template(config.deployment, key)
    template["Outputs"] |= {name: {"Value": value} for name, value in outputs.items()}
    return Assembly(template, (Asset(bundle, key),))


def small_template(name: str, code: str, *, kept: bool = False) -> dict[str, Any]:
    """A template with one of most things, named and laid out as the real one."""

    def resource(type: str, path: str, **properties: Any) -> dict[str, Any]:
        metadata = {"aws:cdk:path": f"{name}/{path}/Resource"}
        policy = "Retain" if kept and type == "AWS::S3::Bucket" else "Delete"
        return {"Type": type, "Properties": properties, "Metadata": metadata, "DeletionPolicy": policy}

    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    may_send = {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
    }
    by_tls: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    by_tls |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    code_at = {
        "S3Bucket": {"Fn::Sub": f"{name}-assets-${{AWS::AccountId}}-${{AWS::Region}}"},
        "S3Key": code,
    }
    return {
        "Resources": {
            "Queue": resource("AWS::SQS::Queue", "Queues/run", QueueName=f"{name}-run-greeter"),
            "Dead": resource("AWS::SQS::Queue", "Queues/dead", QueueName=f"{name}-run-greeter-dead"),
            "Policy": resource(
                "AWS::SQS::QueuePolicy",
                "Queues/policy",
                Queues=[{"Ref": "Queue"}],
                PolicyDocument={"Version": "2012-10-17", "Statement": [by_tls]},
            ),
            "Table": resource(
                "AWS::DynamoDB::Table",
                "Tables/run",
                TableName=f"{name}-agent_run",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            ),
            "Bucket": resource(
                "AWS::S3::Bucket",
                "Buckets/artifacts",
                BucketName={"Fn::Sub": f"{name}-artifacts-${{AWS::AccountId}}-${{AWS::Region}}"},
                VersioningConfiguration={"Status": "Enabled"},
            ),
            "Role": resource(
                "AWS::IAM::Role",
                "Functions/greeter-role",
                RoleName=f"{name}-greeter",
                AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
                Policies=[
                    {
                        "PolicyName": "own",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": [may_send]},
                    }
                ],
            ),
            "Log": resource(
                "AWS::Logs::LogGroup", "Functions/greeter-log", LogGroupName=f"/remit/{name}/agent-greeter"
            ),
            "Function": resource(
                "AWS::Lambda::Function",
                "Functions/greeter",
                FunctionName=f"{name}-agent-greeter",
                Handler="index.handler",
                Runtime="python3.13",
                Role={"Fn::GetAtt": ["Role", "Arn"]},
                Code=code_at,
                LoggingConfig={"LogGroup": {"Ref": "Log"}, "LogFormat": "JSON"},
            ),
        },
        "Outputs": {"QueueUrl": {"Value": {"Ref": "Queue"}}},
    }
