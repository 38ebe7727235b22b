"""The bucket of a deployment's code and templates. It is made when it is first needed: no account has to be bootstrapped."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from remit.core.aws import code_of
from remit_deploy.aws import Account, refused
from remit_deploy.packaging.zipped import zip_directory
from remit_deploy.synthesis import Assembly, Asset

FIRST_REGION = "us-east-1"
"""The one region that buckets are made in without naming it."""


class AssetsBucket:
    """`NAME-assets-ACCOUNT-REGION`: private, encrypted, versioned. Keys follow from content, so nothing is overwritten."""

    def __init__(self, account: Account, deployment: str) -> None:
        self._account = account
        self.name = f"{deployment}-assets-{account.id}-{account.place.region}"

    @property
    def _s3(self) -> Any:
        return self._account.client("s3")

    def exists(self, key: str = "") -> bool:
        """Whether the bucket is there and ours, or an object in it."""
        from botocore.exceptions import ClientError

        owner = {"ExpectedBucketOwner": self._account.id}
        with refused(f"look into bucket `{self.name}`", action="s3:ListBucket"):
            try:
                if key:
                    self._s3.head_object(Bucket=self.name, Key=key, **owner)
                else:
                    self._s3.head_bucket(Bucket=self.name, **owner)
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchBucket", "NoSuchKey"):
                    return False
                raise
        return True

    def make(self) -> None:
        """Make it unless it is there."""
        if self.exists():
            return
        region = self._account.place.region
        placed = (
            {} if region == FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        with refused(f"make bucket `{self.name}`", action="s3:CreateBucket"):
            self._s3.create_bucket(Bucket=self.name, **placed)
            self._s3.put_public_access_block(
                Bucket=self.name, PublicAccessBlockConfiguration=dict.fromkeys(closed, True)
            )
            self._s3.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def upload(self, assembly: Assembly) -> str:
        """Send what is not there yet; the URL of the template."""
        for asset in assembly.assets:
            if not self.exists(asset.key):
                self._send(asset)
        return self.put_template(assembly.body)

    def put_template(self, body: bytes) -> str:
        """Send a template; its URL."""
        key = f"templates/{hashlib.sha256(body).hexdigest()}.json"
        self.put(key, body)
        endpoint = self._account.place.endpoint
        if endpoint:
            return f"{endpoint}/{self.name}/{key}"
        return f"https://{self.name}.s3.{self._account.place.region}.amazonaws.com/{key}"

    def put(self, key: str, body: bytes) -> None:
        """Send some bytes."""
        with refused(f"write `s3://{self.name}/{key}`", action="s3:PutObject"):
            self._s3.put_object(Bucket=self.name, Key=key, Body=body, ServerSideEncryption="AES256")

    def get(self, key: str) -> bytes:
        """What is under a key."""
        with refused(f"read `s3://{self.name}/{key}`", action="s3:GetObject"):
            return bytes(self._s3.get_object(Bucket=self.name, Key=key)["Body"].read())

    def _send(self, asset: Asset) -> None:
        with refused(f"write `s3://{self.name}/{asset.key}`", action="s3:PutObject"):
            if asset.source.is_file():
                self._s3.upload_file(str(asset.source), self.name, asset.key)
                return
            with tempfile.TemporaryDirectory() as folder:
                packed = Path(folder) / "asset.zip"
                zip_directory(asset.source, packed, level=1 if self._account.place.is_emulator else 6)
                self._s3.upload_file(str(packed), self.name, asset.key)


def empty(account: Account, bucket: str) -> int:
    """Delete all versions of all objects of a bucket, but for those that a lock keeps; how many it keeps."""
    s3, locked = account.client("s3"), 0
    with refused(f"empty bucket `{bucket}`", action="s3:DeleteObjectVersion"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
            for start in range(0, len(keys), 1000):
                part = {"Objects": keys[start : start + 1000], "Quiet": True}
                locked += len(s3.delete_objects(Bucket=bucket, Delete=part).get("Errors", []))
    return locked


def delete(account: Account, bucket: str) -> None:
    """Empty a bucket and delete it."""
    empty(account, bucket)
    with refused(f"delete bucket `{bucket}`", action="s3:DeleteBucket"):
        account.client("s3").delete_bucket(Bucket=bucket)
