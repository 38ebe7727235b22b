"""Reading a CloudFormation template as a person would: names instead of references, paths instead of logical ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PSEUDO = {
    "AWS::AccountId": "ACCOUNT",
    "AWS::Region": "REGION",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "STACK",
    "AWS::NoValue": "",
}
NAMES = (
    "TableName", "QueueName", "BucketName", "FunctionName", "RoleName", "TopicName", "StateMachineName", "LogGroupName",
    "AlarmName", "DashboardName", "AliasName", "PolicyName", "Name",
)  # fmt: skip

ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:REGION:ACCOUNT:table/{}",
    "AWS::DynamoDB::GlobalTable": "dynamodb:REGION:ACCOUNT:table/{}",
    "AWS::SQS::Queue": "sqs:REGION:ACCOUNT:{}",
    "AWS::S3::Bucket": "s3:::{}",
    "AWS::Lambda::Function": "lambda:REGION:ACCOUNT:function:{}",
    "AWS::SNS::Topic": "sns:REGION:ACCOUNT:{}",
    "AWS::StepFunctions::StateMachine": "states:REGION:ACCOUNT:stateMachine:{}",
    "AWS::Events::EventBus": "events:REGION:ACCOUNT:event-bus/{}",
    "AWS::Events::Rule": "events:REGION:ACCOUNT:rule/{}",
    "AWS::KMS::Key": "kms:REGION:ACCOUNT:key/{}",
    "AWS::IAM::Role": "iam::ACCOUNT:role/{}",
    "AWS::SecretsManager::Secret": "secretsmanager:REGION:ACCOUNT:secret:{}",
    "AWS::Logs::LogGroup": "logs:REGION:ACCOUNT:log-group:{}",
    "AWS::Bedrock::Guardrail": "bedrock:REGION:ACCOUNT:guardrail/{}",
}


class Reading:
    """A template, with its references readable."""

    def __init__(self, template: Mapping[str, Any]) -> None:
        self.resources: Mapping[str, Mapping[str, Any]] = template.get("Resources", {})

    def path(self, id: str) -> str:
        """Where a resource is in our template: `agents/researcher/Queue`."""
        said = self.resources.get(id, {}).get("Metadata", {}).get("aws:cdk:path", "")
        parts = [part for part in said.split("/")[1:] if part not in ("Resource", "Default")]
        return "/".join(parts) or id

    def name(self, id: str) -> str:
        """What a resource is called in AWS as far as the template says, else its path."""
        properties = self.resources.get(id, {}).get("Properties", {})
        for key in NAMES:
            if key in properties and (text := self.text(properties[key])):
                return text
        return self.path(id)

    def text(self, value: Any) -> str:
        """A value with its references resolved into names."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and len(value) == 1:
            (function, given), *_ = value.items()
            return self._function(function, given)
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    def _function(self, function: str, given: Any) -> str:
        if function == "Ref":
            return PSEUDO.get(given) if given in PSEUDO else self.name(given)  # type: ignore[return-value]
        if function == "Fn::Join":
            return str(given[0]).join(self.text(part) for part in given[1])
        if function == "Fn::GetAtt":
            id, attribute = given if isinstance(given, list) else given.split(".", 1)
            return self.arn(id) if attribute in ("Arn", "TopicArn", "GuardrailArn") else self.name(id)
        if function == "Fn::Sub":
            return self._substituted(given)
        if function == "Fn::Select":
            return self.text(given[1])
        return function

    def _substituted(self, given: Any) -> str:
        text, own = (given, {}) if isinstance(given, str) else given
        for id in (*PSEUDO, *self.resources, *own):
            if f"${{{id}}}" in text:
                said = self.text(own[id]) if id in own else self._function("Ref", id)
                text = text.replace(f"${{{id}}}", said)
        return str(text)

    def arn(self, id: str) -> str:
        """The ARN of a resource, as far as the template says."""
        kind = self.resources.get(id, {}).get("Type", "")
        return f"arn:aws:{ARNS[kind].format(self.name(id))}" if kind in ARNS else self.name(id)
