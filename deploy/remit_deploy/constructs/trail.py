"""CloudTrail: who called which API of AWS, and who read or wrote the audit bucket."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_iam as iam
from constructs import Construct

from remit_deploy.constructs.buckets import Buckets
from remit_deploy.constructs.logs import log_group
from remit_deploy.constructs.shared import Shared


class Trail(Construct):
    """A trail of this account in the logs bucket, its files signed, and object-level events of the audit bucket."""

    def __init__(self, scope: Construct, id: str, shared: Shared, buckets: Buckets) -> None:
        super().__init__(scope, id)
        arn = f"arn:{Aws.PARTITION}:cloudtrail:{Aws.REGION}:{Aws.ACCOUNT_ID}:trail/{shared.names.deployment}"
        shared.key.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"],
                resources=["*"],
                principals=[iam.ServicePrincipal("cloudtrail.amazonaws.com")],
                conditions={"StringEquals": {"aws:SourceArn": arn}},
            )
        )
        trail = cloudtrail.Trail(
            self,
            "Trail",
            trail_name=shared.names.deployment,
            bucket=buckets.logs,
            s3_key_prefix="cloudtrail",
            encryption_key=shared.key,
            enable_file_validation=True,
            is_multi_region_trail=True,
            include_global_service_events=True,
            send_to_cloud_watch_logs=True,
            cloud_watch_log_group=log_group(self, "Log", shared, shared.names.log_group("cloudtrail")),
        )
        trail.add_s3_event_selector([cloudtrail.S3EventSelector(bucket=buckets.audit)])
