"""Objects in Amazon S3, through boto3 in threads of its own."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from remit.adapters.objects.names import check_bucket
from remit.adapters.objects.packed import parquet_rows, unpacked
from remit.core.errors import ConfigError, DeniedError, InputError, NotFoundError, StoreError
from remit.core.extras import how_to_install
from remit.ports.objects import PAGE, ObjectInfo, Rows

T = TypeVar("T")
CHUNK = 1024 * 1024
_MISSING = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "404", "NotFound"})
_REFUSED = frozenset(
    {"AccessDenied", "AllAccessDisabled", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
)


class S3ObjectStore:
    """Buckets of one AWS account. `tenants`: who may use it; the account's own policies decide about buckets."""

    def __init__(self, *, region: str, endpoint_url: str = "", tenants: frozenset[str]) -> None:
        """Raises ConfigError E695 without boto3."""
        if importlib.util.find_spec("boto3") is None:
            raise ConfigError("objects in S3 need the extra `aws`", code="E695", help=how_to_install("aws"))
        self._region = region
        self._endpoint = endpoint_url
        self._objects = S3Objects(region=region, endpoint_url=endpoint_url)
        self._tenants = tenants

    def of(self, tenant_id: str) -> S3Objects:
        """What this tenant sees: nothing, if it may not use the account."""
        if tenant_id in self._tenants:
            return self._objects
        return S3Objects(region=self._region, endpoint_url=self._endpoint, refused=tenant_id)


class S3Objects:
    """The buckets that the credentials reach. `refused`: a tenant that may not use them, so that every verb says so."""

    def __init__(self, *, region: str, endpoint_url: str = "", refused: str = "") -> None:
        self._region = region
        self._endpoint = endpoint_url
        self._refused = refused
        self._threads = ThreadPoolExecutor(16, "remit-s3")

    @functools.cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        style = {"addressing_style": "path"} if self._endpoint else {}
        return boto3.Session().client(
            "s3",
            region_name=self._region,
            endpoint_url=self._endpoint or None,
            config=Config(s3=style, retries={"mode": "standard", "total_max_attempts": 4}),
        )

    async def get(
        self, bucket: str, key: str, *, start: int = 0, length: int | None = None, version: str = ""
    ) -> bytes:
        """A range, asked for as such."""
        if length == 0:
            return b""
        given = self._named(bucket, key, version)
        if start or length is not None:
            given["Range"] = f"bytes={start}-" + ("" if length is None else str(start + length - 1))
        try:
            data: bytes = await self._do(lambda: self._client.get_object(**given)["Body"].read(), bucket, key)
        except _PastTheEnd:
            return b""
        return data

    async def stream(self, bucket: str, key: str, *, version: str = "") -> AsyncIterator[bytes]:
        """The body, a mebibyte at a time."""
        given = self._named(bucket, key, version)
        body = await self._do(lambda: self._client.get_object(**given)["Body"], bucket, key)
        try:
            while data := await self._do(lambda: body.read(CHUNK), bucket, key):
                yield data
        finally:
            body.close()

    async def put(self, bucket: str, key: str, data: bytes, *, media_type: str = "") -> str:
        """One PutObject: whole or not at all."""
        given: dict[str, Any] = {**self._named(bucket, key, ""), "Body": data}
        if media_type:
            given["ContentType"] = media_type
        answer = await self._do(lambda: self._client.put_object(**given), bucket, key)
        etag: str = answer["ETag"]
        return etag

    async def list(
        self, bucket: str, prefix: str = "", *, after: str = "", limit: int = PAGE
    ) -> list[ObjectInfo]:
        """ListObjectsV2, as many pages as `limit` needs."""
        found: list[ObjectInfo] = []
        while len(found) < limit:
            given = {
                "Bucket": check_bucket(bucket),
                "Prefix": prefix,
                "MaxKeys": min(PAGE, limit - len(found)),
            }
            if after:
                given["StartAfter"] = after
            page = await self._do(functools.partial(self._page, given), bucket, prefix)
            found += [_info(entry) for entry in page.get("Contents", ())]
            if not page.get("IsTruncated"):
                break
            after = found[-1].key
        return found

    async def rows(self, bucket: str, key: str, *, limit: int | None = None, version: str = "") -> Rows:
        """Rows of a Parquet object, which is copied to a temporary file first."""
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            async for data in self.stream(bucket, key, version=version):
                file.write(data)
            file.flush()
            return await asyncio.to_thread(parquet_rows, Path(file.name), limit)

    async def unpack(self, data: bytes) -> bytes:
        """Through a temporary file."""
        return await asyncio.to_thread(unpacked, data)

    def _named(self, bucket: str, key: str, version: str) -> dict[str, Any]:
        if not key or len(key.encode()) > 1024:
            raise InputError(
                f"`{key[:150]}` is no key of an object", code="E691", help="use 1 to 1024 bytes of UTF-8"
            )
        named = {"Bucket": check_bucket(bucket), "Key": key}
        return {**named, "VersionId": version} if version else named

    def _page(self, given: dict[str, Any]) -> dict[str, Any]:
        page: dict[str, Any] = self._client.list_objects_v2(**given)
        return page

    async def _do(self, call: Callable[[], T], bucket: str, key: str) -> T:
        if self._refused:
            raise DeniedError(
                f"tenant `{self._refused}` may not use the AWS account of this server",
                code="E692",
                help="name it under `aws_tenants` of `[workflow]` in remit.toml",
            )
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, functools.partial(_translated, call, f"{bucket}/{key[:300]}")
        )


class _PastTheEnd(Exception):
    """The range starts at or after the object's end."""


def _translated(call: Callable[[], T], name: str) -> T:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in ("InvalidRange", "416"):
            raise _PastTheEnd from error
        raise _failure(code, name, error) from error
    except (BotoCoreError, OSError) as error:
        raise StoreError(f"object `{name}` cannot be reached in S3: {error}", code="E693") from error


def _failure(code: str, name: str, error: Exception) -> Exception:
    if code in _MISSING:
        return NotFoundError(
            f"object `{name}` does not exist in S3 ({code})", code="E690", help="check bucket, key and region"
        )
    if code in _REFUSED:
        return DeniedError(
            f"S3 refuses `{name}` ({code})",
            code="E692",
            help="let the role of this process read and write the bucket",
        )
    return StoreError(f"S3 failed on `{name}`: {error}", code="E693")


def _info(entry: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        entry["Key"],
        entry["Size"],
        entry["ETag"],
        round(entry["LastModified"].timestamp() * 1000),
        entry.get("StorageClass", "STANDARD"),
    )
