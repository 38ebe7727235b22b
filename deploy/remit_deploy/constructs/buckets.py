"""The buckets of a deployment: private, encrypted, versioned, over TLS only."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, RemovalPolicy, Tags
from aws_cdk import aws_s3 as s3
from constructs import Construct

from remit_deploy.constructs.arguing import argued
from remit_deploy.constructs.shared import Shared


class Buckets(Construct):
    """`artifacts`, `audit` (with object lock), `config`, `tools`, `logs`, and `console` when it is asked for."""

    def __init__(self, scope: Construct, id: str, shared: Shared) -> None:
        super().__init__(scope, id)
        self._shared = shared
        retention = shared.config.retention
        self.logs = self._bucket(
            "logs",
            encryption=s3.BucketEncryption.S3_MANAGED,  # what S3 delivers its access logs to
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(retention.access_logs),
                    noncurrent_version_expiration=Duration.days(1),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        argued(self.logs, "it holds the access logs of the others", nag=["S1"], checkov=["CKV_AWS_18"])
        self.artifacts = self._data("artifacts")
        self.audit = self._data(
            "audit",
            object_lock_enabled=True,
            object_lock_default_retention=_lock(retention.audit_mode, retention.audit),
            removal_policy=RemovalPolicy.RETAIN,
        )
        self.config = self._data("config")
        self.tools = self._data("tools")
        self.console = self._pages() if shared.config.console else None

    def _pages(self) -> s3.Bucket:
        made = self._data(
            "console",
            encryption=s3.BucketEncryption.S3_MANAGED,
            removal_policy=RemovalPolicy.DESTROY,  # copies of what comes with Remit
        )
        if self._shared.config.console_files:
            Tags.of(made).add("remit:console", self._shared.config.console_files)
        return made

    def _data(self, kind: str, **more: Any) -> s3.Bucket:
        retention = self._shared.config.retention
        rule = s3.LifecycleRule(
            noncurrent_version_expiration=Duration.days(retention.versions),
            abort_incomplete_multipart_upload_after=Duration.days(7),
        )
        given = {"encryption": s3.BucketEncryption.KMS, "lifecycle_rules": [rule], **more}
        logged = {"server_access_logs_bucket": self.logs, "server_access_logs_prefix": f"{kind}/"}
        return self._bucket(kind, **logged, **given)

    def _bucket(self, kind: str, **given: Any) -> s3.Bucket:
        if given["encryption"] is s3.BucketEncryption.KMS:
            given |= {"encryption_key": self._shared.key, "bucket_key_enabled": True}
        return s3.Bucket(
            self,
            kind.capitalize(),
            bucket_name=self._shared.filled(self._shared.names.bucket(kind)),
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            **{"removal_policy": self._shared.removal, **given},
        )


def _lock(mode: str, days: int) -> s3.ObjectLockRetention:
    made = s3.ObjectLockRetention.compliance if mode == "COMPLIANCE" else s3.ObjectLockRetention.governance
    return made(Duration.days(days))
