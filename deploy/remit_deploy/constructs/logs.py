"""Where things log: encrypted, and for as long as the configuration says."""

from __future__ import annotations

import json

from aws_cdk import aws_logs as logs
from constructs import Construct

from remit_deploy.constructs.shared import Shared
from remit_deploy.names import ACCOUNT, PARTITION, REGION


def log_group(scope: Construct, id: str, shared: Shared, name: str) -> logs.LogGroup:
    """A log group of the deployment."""
    return logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        retention=_days(shared.config.retention.logs),
        encryption_key=shared.key,
        removal_policy=shared.removal,
    )


def let_deliver(scope: Construct, shared: Shared) -> logs.CfnResourcePolicy:
    """Let AWS deliver what the firewall and state machines log."""
    names = shared.names
    prefix = f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "delivery.logs.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [
            f"{prefix}/remit/{names.deployment}/*:*",
            f"{prefix}aws-waf-logs-{names.deployment}:*",
            f"{prefix}aws-waf-logs-{names.of('console')}:*",
        ],
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return logs.CfnResourcePolicy(
        scope, "Delivery", policy_name=names.of("delivery"), policy_document=shared.filled(document)
    )


def _days(number: int) -> logs.RetentionDays:
    """CloudWatch's retention that is closest from above."""
    fitting = [
        (1, "ONE_DAY"), (3, "THREE_DAYS"), (5, "FIVE_DAYS"), (7, "ONE_WEEK"), (14, "TWO_WEEKS"), (30, "ONE_MONTH"),
        (60, "TWO_MONTHS"), (90, "THREE_MONTHS"), (120, "FOUR_MONTHS"), (150, "FIVE_MONTHS"), (180, "SIX_MONTHS"),
        (365, "ONE_YEAR"), (400, "THIRTEEN_MONTHS"), (545, "EIGHTEEN_MONTHS"), (731, "TWO_YEARS"), (1827, "FIVE_YEARS"),
        (3653, "TEN_YEARS"),
    ]  # fmt: skip
    return logs.RetentionDays[next((name for most, name in fitting if number <= most), "INFINITE")]
