"""An archive in a bucket of Amazon S3 with versions and object lock: what was written there stays, whoever writes again.

Without `lock` the bucket's own default retention holds, which is what `remit deploy` sets.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from remit.adapters.archive.lines import (
    check_follow,
    distinct,
    entries_of,
    folder_of,
    lines_of,
    name_of,
    taken,
)
from remit.core import aws
from remit.ports.clock import Clock
from remit.ports.store import Entry

Lock = Literal["", "GOVERNANCE", "COMPLIANCE"]
THREADS = 8
ATTEMPTS = 4


class S3Archive:
    """One object per portion of entries, written once, encrypted with `kms_key` or as is the default of the bucket.

    `days`: how long `lock` keeps anybody from removing it.

    Reading looks at every version of every object, so neither a deletion nor a later version hides what was kept.
    """

    def __init__(
        self,
        clients: Callable[..., Any],
        clock: Clock,
        bucket: str,
        prefix: str = "",
        *,
        kms_key: str = "",
        lock: Lock = "",
        days: int = 0,
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._lock: Lock = lock
        self._days = days
        self._encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key, "BucketKeyEnabled": True}
            if kms_key
            else {}
        )
        self._threads = ThreadPoolExecutor(THREADS, "remit-archive")

    async def put(self, tenant_id: str, run_id: str, entries: Sequence[Entry]) -> None:
        """Write one object; one that is there already must hold the same bytes. Raises also ConfigError E656 and E657."""
        if not entries:
            return
        check_follow(entries)
        key = f"{self._prefix}{folder_of(tenant_id, run_id)}/{name_of(entries)}"
        await self._in_thread(self._put, key, lines_of(entries))

    async def read(self, tenant_id: str, run_id: str) -> list[Entry]:
        """What every version of the run's objects holds. Raises also ConfigError."""
        objects = await self._in_thread(self._versions, f"{self._prefix}{folder_of(tenant_id, run_id)}/")
        read = [self._in_thread(self._get, key, version) for key, version in objects]
        found = zip(objects, await asyncio.gather(*read), strict=True)
        return distinct(entry for (key, _), data in found for entry in entries_of(data, key))

    async def _in_thread(self, call: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *given)

    def _put(self, key: str, data: bytes) -> None:
        given: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": key,
            "Body": data,
            "ContentType": "application/x-ndjson",
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
            "IfNoneMatch": "*",
            **self._encryption,
            **self._retention(),
        }
        for again in range(ATTEMPTS):
            try:
                self._clients("s3").put_object(**given)
                return
            except Exception as error:
                code = aws.code_of(error)
                if code == "PreconditionFailed":
                    break
                if code != "ConditionalRequestConflict" or again + 1 == ATTEMPTS:
                    raise aws.failure(error, "s3:PutObject", f"bucket `{self._bucket}`") from error
        if self._get(key) != data:
            raise taken(key)

    def _retention(self) -> dict[str, Any]:
        if not self._lock:
            return {}
        until = datetime.fromtimestamp(self._clock.now() / 1000, UTC) + timedelta(days=self._days)
        return {"ObjectLockMode": self._lock, "ObjectLockRetainUntilDate": until}

    def _get(self, key: str, version: str = "") -> bytes:
        given = {"Bucket": self._bucket, "Key": key}
        try:
            answer = self._clients("s3").get_object(**given, **({"VersionId": version} if version else {}))
            data: bytes = answer["Body"].read()
            return data
        except Exception as error:
            raise aws.failure(error, "s3:GetObject", f"bucket `{self._bucket}`") from error

    def _versions(self, folder: str) -> list[tuple[str, str]]:
        """Key and version of every object below a folder; marks of deletion are not objects."""
        found: list[tuple[str, str]] = []
        given: dict[str, Any] = {"Bucket": self._bucket, "Prefix": folder}
        while True:
            try:
                page = self._clients("s3").list_object_versions(**given)
            except Exception as error:
                raise aws.failure(error, "s3:ListBucketVersions", f"bucket `{self._bucket}`") from error
            found += [(v["Key"], v["VersionId"]) for v in page.get("Versions", ())]
            if not page.get("IsTruncated"):
                return found
            given |= {
                "KeyMarker": page["NextKeyMarker"],
                "VersionIdMarker": page["NextVersionIdMarker"],
            }
