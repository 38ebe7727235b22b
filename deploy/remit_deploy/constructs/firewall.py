"""The firewall before a REST API: AWS's managed rules, and a limit by address."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_apigateway as gateway
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.shared import Shared

REPUTATION = "AWSManagedRulesAmazonIpReputationList"
"""It goes by the address of the connection, which behind CloudFront is CloudFront's."""

MANAGED = ("AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet")
SECRET = ("authorization", "x-api-key", "cookie", "x-remit-csrf")
"""Headers that prove who asks. They are kept from the log, and requests are not sampled, where nothing could be."""

COUNTED = (
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "GenericRFI_BODY",
    "GenericLFI_BODY",
    "EC2MetaDataSSRF_BODY",
)
"""Rules that only count: a body is what people write to an agent, long, with code and addresses in it, and is never run."""


class Firewall(Construct):
    """A web ACL on a stage, with a log. Behind CloudFront, `viewer` is the header in which that says who asked."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        shared: Shared,
        stage: gateway.Stage,
        delivery: logs.CfnResourcePolicy,
        part: str = "",
        viewer: str = "",
    ) -> None:
        super().__init__(scope, id)
        name = shared.names.of(part) if part else shared.names.deployment
        throttling = shared.config.throttling
        limit = _limit_behind(throttling.per_viewer, viewer) if viewer else _limit(throttling.per_address)
        managed = MANAGED if viewer else (REPUTATION, *MANAGED)
        acl = waf.CfnWebACL(
            self,
            "Acl",
            name=name,
            scope="REGIONAL",
            default_action={"allow": {}},
            visibility_config=_seen(name),
            rules=[
                limit,
                *(_managed(at + 1, rules) for at, rules in enumerate(managed)),
            ],
        )
        waf.CfnWebACLAssociation(self, "On", resource_arn=stage.stage_arn, web_acl_arn=acl.attr_arn)
        group: logs.LogGroup = log_group(self, "Log", shared, f"aws-waf-logs-{name}")
        logging = waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[group.log_group_arn],
            redacted_fields=[{"singleHeader": {"Name": header}} for header in SECRET],
        )
        logging.node.add_dependency(delivery)


def _limit(most: int) -> dict[str, Any]:
    return _rate_rule({"limit": most, "aggregateKeyType": "IP"})


def _limit_behind(most: int, header: str) -> dict[str, Any]:
    """What comes without the header did not come by CloudFront, and has no key of this API: it is refused anyway."""
    by = {"headerName": header, "fallbackBehavior": "MATCH"}
    return _rate_rule({"limit": most, "aggregateKeyType": "FORWARDED_IP", "forwardedIpConfig": by})


def _rate_rule(statement: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "by-address",
        "priority": 0,
        "action": {"block": {}},
        "statement": {"rateBasedStatement": statement},
        "visibilityConfig": _seen("by-address"),
    }


def _managed(priority: int, rules: str) -> dict[str, Any]:
    group: dict[str, Any] = {"vendorName": "AWS", "name": rules}
    if rules == "AWSManagedRulesCommonRuleSet":
        group["ruleActionOverrides"] = [{"name": name, "actionToUse": {"count": {}}} for name in COUNTED]
    return {
        "name": rules,
        "priority": priority,
        "overrideAction": {"none": {}},
        "statement": {"managedRuleGroupStatement": group},
        "visibilityConfig": _seen(rules),
    }


def _seen(name: str) -> dict[str, Any]:
    return {"cloudWatchMetricsEnabled": True, "metricName": name, "sampledRequestsEnabled": False}
