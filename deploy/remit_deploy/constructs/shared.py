"""What every construct of a deployment is given: its configuration, names, key, and topic of alarms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Aws, RemovalPolicy, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct, IConstruct

from remit_deploy.config import DeployConfig
from remit_deploy.constructs.allow import KEY, Allow
from remit_deploy.constructs.arguing import argued
from remit_deploy.names import ACCOUNT, PARTITION, REGION, Names

KEY_USERS = {
    "budgets": ("kms:Decrypt", "kms:GenerateDataKey"),
    "events": (
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ),
}
"""Services that put something into our encrypted queues, topics and archives by themselves, for this account only."""


class Shared:
    """The deployment as its constructs see it. `removal`: what becomes of data when the stack goes."""

    def __init__(self, stack: Stack, config: DeployConfig) -> None:
        self.config = config
        self.names = Names(config.deployment)
        self.removal = RemovalPolicy.RETAIN if config.kept else RemovalPolicy.DESTROY
        self.key = _key(stack, self)
        self._references = {
            PARTITION: Aws.PARTITION,
            REGION: Aws.REGION,
            ACCOUNT: Aws.ACCOUNT_ID,
            KEY: self.key.key_arn,
        }

    def stands_for(self, placeholder: str, reference: str) -> None:
        """Say what a placeholder of allowances stands for."""
        self._references[placeholder] = reference

    def filled(self, value: Any) -> Any:
        """A value with the placeholders of names and ARNs as CloudFormation's references."""
        if isinstance(value, dict):
            return {self.filled(name): self.filled(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.filled(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        for text, reference in self._references.items():
            value = value.replace(text, reference)
        return value

    def role(self, scope: Construct, id: str, service: str, allowed: tuple[Allow, ...]) -> iam.IRole:
        """A role of a service that may do this and nothing else, whatever is built on it later."""
        statements = [self.filled(one.data()) for one in allowed]
        document = iam.PolicyDocument.from_json({"Version": "2012-10-17", "Statement": statements})
        role = iam.Role(
            scope,
            id,
            assumed_by=iam.ServicePrincipal(f"{service}.amazonaws.com", conditions=_ours(service)),
            inline_policies={"own": document} if statements else None,
        )
        for one in allowed:
            found = [f"IAM5[Resource::{nag_name(resource)}]" for resource in one.wide]
            if found:
                argued(role, one.why, nag=found)
            if any(action.startswith("ec2:") for action in one.actions):
                argued(role, one.why, checkov=["CKV_AWS_111"])
        return role.without_policy_updates()


def nag_name(resource: str) -> str:
    """A resource as cdk-nag writes it in its findings."""
    for text in (PARTITION, REGION, ACCOUNT):
        resource = resource.replace(text, f"<{text[2:-1]}>")
    return resource


def tag(construct: IConstruct, config: DeployConfig) -> None:
    """The tags by which costs and resources are found."""
    own = {"remit:deployment": config.deployment, "remit:environment": config.environment}
    for name, value in {**own, **config.tags}.items():
        Tags.of(construct).add(name, value)


def _ours(service: str) -> dict[str, Any]:
    """Only for resources of this account, where the service says whose they are."""
    if service in ("lambda", "apigateway", "vpc-flow-logs"):
        return {}
    return {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}


def _key(stack: Stack, shared: Shared) -> kms.Key:
    """One key for the data of the deployment. Roles may use it only through the services that keep the data."""
    names = shared.names
    key = kms.Key(
        stack,
        "Key",
        alias=f"alias/{names.deployment}",
        description=f"Data of {names.deployment}",
        enable_key_rotation=True,
        removal_policy=shared.removal,
    )
    for service, allowed in KEY_USERS.items():
        _let(key, service, allowed, {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})
    # what Step Functions and WAF log comes by this service, which is told the group's ARN as `SourceArn`
    _let(
        key,
        "delivery.logs",
        ("kms:Decrypt", "kms:GenerateDataKey"),
        {
            "StringLike": {
                "kms:EncryptionContext:SourceArn": f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
            }
        },
    )
    # CloudWatch does not say for which account it asks; the topic's policy does
    _let(key, "cloudwatch", ("kms:Decrypt", "kms:GenerateDataKey"), {})
    firewalls = [f"aws-waf-logs-{name}" for name in (names.deployment, names.of("console"))]
    groups = [f"/remit/{names.deployment}/*", *firewalls]
    prefix = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:"
    _let(
        key,
        f"logs.{Aws.REGION}",
        (*KEY_USERS["events"], "kms:Encrypt"),
        {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": [prefix + group for group in groups]}},
    )
    return key


def _let(key: kms.Key, service: str, allowed: Iterable[str], conditions: dict[str, Any]) -> None:
    """Let a service use the key."""
    key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=list(allowed),
            resources=["*"],
            principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
            conditions=conditions,
        )
    )
