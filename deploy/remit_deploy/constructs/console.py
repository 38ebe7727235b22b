"""The console as static files: a private bucket behind CloudFront."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.shared import Shared


class Console(Construct):
    """A distribution over TLS, which alone may read the bucket. Upload the files; the API's `cors_origins` must name its address."""

    def __init__(self, scope: Construct, id: str, shared: Shared, bucket: s3.Bucket) -> None:
        super().__init__(scope, id)
        headers = cloudfront.ResponseHeadersPolicy(
            self,
            "Headers",
            response_headers_policy_name=shared.names.of("console"),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy.NO_REFERRER, override=True
                ),
                strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
                    access_control_max_age=Duration.days(365), include_subdomains=True, override=True
                ),
            ),
        )
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"The console of {shared.names.deployment}",
            default_root_object="index.html",
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                response_headers_policy=headers,
            ),
        )
        argued(
            self.distribution,
            "it serves static files that hold nothing of anybody; whom they may talk to is the API's to decide",
            nag=["CFR1", "CFR2", "CFR3", "CFR4", "CFR7"],
            checkov=[
                "CKV_AWS_68",
                "CKV_AWS_86",
                "CKV_AWS_174",
                "CKV_AWS_305",
                "CKV_AWS_310",
                "CKV_AWS_374",
                "CKV2_AWS_47",
            ],
        )
