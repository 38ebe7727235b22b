"""What the AWS emulator refuses, and what a deployment to it therefore goes without. Nothing else differs."""

from __future__ import annotations

from aws_cdk import CfnResource, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

LOST: dict[str, str] = {
    "AWS::Bedrock::Guardrail": "the guardrail: models are asked without it",
    "AWS::Bedrock::GuardrailVersion": "the guardrail: models are asked without it",
    "AWS::Budgets::Budget": "the alerts at 80% and 100% of the budget",
    "AWS::CloudTrail::Trail": "the trail of who called which API of AWS",
    "AWS::EC2::FlowLog": "the log of the network",
    "AWS::EC2::SecurityGroupEgress": "rules between security groups",
    "AWS::EC2::SecurityGroupIngress": "rules between security groups",
    "AWS::Events::Archive": "the archive of events, and replay from it",
    "AWS::WAFv2::LoggingConfiguration": "the log of the firewall",
    "AWS::WAFv2::WebACLAssociation": "the firewall: nothing is filtered",
}
"""By resource type."""

MATH = "alarms that compute: on shares and on sums of metrics"


def left_out(stack: Stack) -> dict[str, str]:
    """Remove what the emulator refuses from a stack. What was removed, by logical id, and what is lost with it."""
    removed: dict[str, str] = {}
    for node in stack.node.find_all():
        lost = _lost(node) if isinstance(node, CfnResource) else ""
        scope = node.node.scope
        if lost and scope is not None:
            removed[stack.get_logical_id(node)] = lost
            scope.node.try_remove_child(node.node.id)
    return removed


def _lost(resource: CfnResource) -> str:
    if isinstance(resource, cloudwatch.CfnAlarm) and resource.metrics:
        return MATH
    return LOST.get(resource.cfn_resource_type, "")
