"""The console: its files and the API under one address of CloudFront."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3
from constructs import Construct

from remit.functions.front import STAGE, VIEWER
from remit.server.console import EMBEDDED, HEADERS
from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.door import PATHS, Door
from remit_deploy.constructs.shared import Shared

SAY_WHO = f"""\
function handler(event) {{
    var request = event.request;
    request.headers['{VIEWER}'] = {{ value: event.viewer.ip }};
    return request;
}}
"""
"""What CloudFront runs on each request for the API: behind it, all have CloudFront's addresses."""

CROSS_ORIGIN = {"cross-origin-resource-policy": "cross-origin"}


class Console(Construct):
    """A distribution over TLS: `PATHS` go to the API by its door, all else are files of the bucket, which it alone may read.

    One address, so that a session's cookie is of the page's own origin and no other origin has to be allowed.
    """

    def __init__(self, scope: Construct, id: str, shared: Shared, bucket: s3.Bucket) -> None:
        super().__init__(scope, id)
        self._shared, config = shared, shared.config
        self.door = Door(self, "Door", shared)
        api = self._api()
        files = origins.S3BucketOrigin.with_origin_access_control(bucket)
        headers = self._headers_of_files("Headers", "console", HEADERS)
        embedded = self._headers_of_files("Embedded", "console-embedded", {**HEADERS, **CROSS_ORIGIN})
        certificate = None
        if config.console_certificate:
            certificate = certificates.Certificate.from_certificate_arn(
                self, "Certificate", config.console_certificate
            )
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=shared.names.of("console"),
            default_root_object="index.html",
            domain_names=[config.console_domain] if config.console_domain else None,
            certificate=certificate,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            default_behavior=_files(files, headers),
            additional_behaviors={
                "assets/*": _files(files, headers, for_ever=True),
                **{name: _files(files, embedded) for name in sorted(EMBEDDED)},
                **{pattern: api for path in PATHS for pattern in (path, f"{path}/*")},
            },
        )
        self._argue(own_certificate=certificate is not None)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        domain = self._shared.config.console_domain or self.distribution.distribution_domain_name
        return f"https://{domain}"

    def _api(self) -> cloudfront.BehaviorOptions:
        """Every method and header, never kept, with the key of the door."""
        say_who = cloudfront.Function(
            self,
            "SayWho",
            function_name=self._shared.names.of("console"),
            comment="Say the API who asks",
            code=cloudfront.FunctionCode.from_inline(SAY_WHO),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                self.door.domain,
                origin_path=f"/{STAGE}",
                custom_headers={"x-api-key": self.door.key},
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                read_timeout=Duration.seconds(30),  # API Gateway waits 29 for a function
            ),
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            # the host is API Gateway's own, by which it knows its API
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            response_headers_policy=self._headers_of_answers(),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            function_associations=[
                cloudfront.FunctionAssociation(
                    function=say_who, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
                )
            ],
        )

    def _argue(self, *, own_certificate: bool) -> None:
        argued(
            self.distribution,
            "who may come in is Remit's to say; firewall and log are at the API's door, and the files hold nothing of anybody",
            nag=["CFR1", "CFR2", "CFR3", "CFR7"],
            checkov=[
                "CKV_AWS_68",
                "CKV_AWS_86",
                "CKV_AWS_305",
                "CKV_AWS_310",
                "CKV_AWS_374",
                "CKV2_AWS_47",
            ],
        )
        if not own_certificate:
            argued(
                self.distribution,
                "CloudFront's own certificate goes with older TLS too; with `console_certificate` it is 1.2 at least",
                nag=["CFR4"],
                checkov=["CKV_AWS_174"],
            )

    def _headers_of_files(
        self, id: str, part: str, headers: Mapping[str, str]
    ) -> cloudfront.ResponseHeadersPolicy:
        """What Remit's own server says of the files. CloudFront has fields of its own for some of it."""
        rest = dict(headers)
        policy, referrer = rest.pop("content-security-policy"), rest.pop("referrer-policy")
        return cloudfront.ResponseHeadersPolicy(
            self,
            id,
            response_headers_policy_name=self._shared.names.of(part),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(
                **_secure(),
                content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
                    content_security_policy=policy, override=True
                ),
                frame_options=cloudfront.ResponseHeadersFrameOptions(
                    frame_option=cloudfront.HeadersFrameOption.DENY, override=True
                ),
                referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
                    referrer_policy=cloudfront.HeadersReferrerPolicy[referrer.upper().replace("-", "_")],
                    override=True,
                ),
            ),
            custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
                custom_headers=[
                    cloudfront.ResponseCustomHeader(header=name, value=value, override=True)
                    for name, value in rest.items()
                ]
            ),
        )

    def _headers_of_answers(self) -> cloudfront.ResponseHeadersPolicy:
        """The API says all else itself, of each answer its own."""
        return cloudfront.ResponseHeadersPolicy(
            self,
            "ApiHeaders",
            response_headers_policy_name=self._shared.names.of("console-api"),
            security_headers_behavior=cloudfront.ResponseSecurityHeadersBehavior(**_secure()),
        )


def _files(
    bucket: cloudfront.IOrigin, headers: cloudfront.ResponseHeadersPolicy, *, for_ever: bool = False
) -> cloudfront.BehaviorOptions:
    """Files are asked for anew each time, but for those whose names say what is in them."""
    kept = cloudfront.CachePolicy.CACHING_OPTIMIZED if for_ever else cloudfront.CachePolicy.CACHING_DISABLED
    return cloudfront.BehaviorOptions(
        origin=bucket,
        cache_policy=kept,
        response_headers_policy=headers,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    )


def _secure() -> dict[str, Any]:
    """By TLS alone, and of the kind that it says."""
    return {
        "strict_transport_security": cloudfront.ResponseHeadersStrictTransportSecurity(
            access_control_max_age=Duration.days(365), include_subdomains=False, override=True
        ),
        "content_type_options": cloudfront.ResponseHeadersContentTypeOptions(override=True),
    }
