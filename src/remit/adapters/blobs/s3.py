"""Blobs in Amazon S3, each under its digest."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remit.core import aws
from remit.core.codec import digest as digest_bytes
from remit.core.errors import NotFoundError, StoreError

THREADS = 16
ATTEMPTS = 4
"""How often a blob is put while somebody else is putting the same one."""


class S3Blobs:
    """One object per blob under `prefix`, written once, encrypted with `kms_key` or as is the default of the bucket.

    `clients(service)` is a boto3 client. S3 checks the digest of what it is given, and `get` that of what it gives.
    """

    def __init__(
        self, clients: Callable[..., Any], bucket: str, prefix: str = "", *, kms_key: str = ""
    ) -> None:
        self._clients = clients
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key, "BucketKeyEnabled": True}
            if kms_key
            else {}
        )
        self._threads = ThreadPoolExecutor(THREADS, "remit-blobs")

    async def put(self, data: bytes) -> str:
        """Store and return the digest. Raises StoreError E658, ConfigError E656 or E657."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._put, data)

    async def get(self, digest: str) -> bytes:
        """The bytes, checked. Raises NotFoundError, StoreError, ConfigError."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._get, digest)

    async def delete(self, digest: str) -> None:
        """Delete the bytes; in a bucket with versions, older ones stay as long as its rules keep them. Raises as `put`."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._delete, digest)

    def _key(self, digest: str) -> str:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or set(name) - set("0123456789abcdef"):
            raise NotFoundError(f"`{digest[:100]}` is no content digest")
        return f"{self._prefix}{name[:2]}/{name}"

    def _put(self, data: bytes) -> str:
        digest = digest_bytes(data)
        checksum = base64.b64encode(bytes.fromhex(digest.removeprefix("sha256:"))).decode()
        for again in range(ATTEMPTS):
            try:
                self._clients("s3").put_object(
                    Bucket=self._bucket,
                    Key=self._key(digest),
                    Body=data,
                    ChecksumSHA256=checksum,
                    IfNoneMatch="*",
                    **self._encryption,
                )
                break
            except Exception as error:
                code = aws.code_of(error)
                if code == "PreconditionFailed":  # the same bytes are there already
                    break
                if code != "ConditionalRequestConflict" or again + 1 == ATTEMPTS:
                    raise aws.failure(error, "s3:PutObject", f"bucket `{self._bucket}`") from error
        return digest

    def _get(self, digest: str) -> bytes:
        try:
            answer = self._clients("s3").get_object(Bucket=self._bucket, Key=self._key(digest))
            data: bytes = answer["Body"].read()
        except NotFoundError:
            raise
        except Exception as error:
            if aws.code_of(error) == "NoSuchKey":
                raise NotFoundError(f"blob `{digest}` does not exist") from error
            raise aws.failure(error, "s3:GetObject", f"bucket `{self._bucket}`") from error
        if digest_bytes(data) != digest:
            raise StoreError(f"blob `{digest}` is damaged", code="E807", help="restore it from a backup")
        return data

    def _delete(self, digest: str) -> None:
        try:
            self._clients("s3").delete_object(Bucket=self._bucket, Key=self._key(digest))
        except NotFoundError:
            raise
        except Exception as error:
            raise aws.failure(error, "s3:DeleteObject", f"bucket `{self._bucket}`") from error
