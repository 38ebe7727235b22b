"""What a distributed Map asks of a store of objects: named bytes in buckets, as Amazon S3 has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from msgspec import Struct

PAGE = 1000
"""The most objects that one page of a listing holds, as in S3."""


class ObjectInfo(Struct, frozen=True):
    """What a listing says about an object. `size` in bytes, `modified_ts` Unix milliseconds, `etag` with its quotes."""

    key: str
    size: int
    etag: str
    modified_ts: int
    storage_class: str = "STANDARD"


Row = dict[str, Any]
Rows = list[Row]
"""Rows of a table, as JSON values by column."""


class Objects(Protocol):
    """The objects that one tenant may read and write. Every adapter passes `remit.testing.contracts.objects`.

    Every verb raises NotFoundError E690 (no such bucket or object), InputError E691 (a name that cannot be one),
    DeniedError E692 (not this tenant's), or StoreError E693 (the store did not do it).
    """

    async def get(
        self, bucket: str, key: str, *, start: int = 0, length: int | None = None, version: str = ""
    ) -> bytes:
        """An object's bytes from `start` on, at most `length`; a range past the end is empty. `version`: an older one."""

    def stream(self, bucket: str, key: str, *, version: str = "") -> AsyncIterator[bytes]:
        """An object's bytes, piece by piece, in order."""

    async def put(self, bucket: str, key: str, data: bytes, *, media_type: str = "") -> str:
        """Write an object whole and return its entity tag. Readers see the old bytes or the new ones, never a part."""

    async def list(
        self, bucket: str, prefix: str = "", *, after: str = "", limit: int = PAGE
    ) -> list[ObjectInfo]:
        """Objects whose key starts with `prefix` and comes after `after`, in order of their UTF-8 keys, at most `limit`."""

    async def rows(self, bucket: str, key: str, *, limit: int | None = None, version: str = "") -> Rows:
        """The rows of a Parquet object, at most `limit`. Raises InputError E694 when it is none."""

    async def unpack(self, data: bytes) -> bytes:
        """Bytes compressed with Zstandard, unpacked. Raises InputError E694."""


class ObjectStore(Protocol):
    """A store of objects, and each tenant's part of it."""

    def of(self, tenant_id: str) -> Objects:
        """What this tenant sees."""
