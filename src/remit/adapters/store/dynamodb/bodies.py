"""Bodies: contents by digest, and whatever else may be larger than an item.

A body is compressed where that helps, and lies in one item of the table `content`; over `INLINE` bytes it lies in the blob
store, or without one in as many items as it takes. It is written before what speaks of it: alone it harms nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from remit.adapters.store.dynamodb.calls import Calls, Unknown
from remit.adapters.store.dynamodb.reading import get_many
from remit.adapters.store.dynamodb.values import Attributes, Value, binary, number, read, text
from remit.adapters.store.packing import pack, unpack
from remit.core import codec
from remit.core.errors import InputError, StoreError
from remit.ports.blobs import Blobs

INLINE = 350 * 1024
"""Bytes of a body in an item; DynamoDB takes 400 KB with names and all."""

STOWED = ("packed", "body", "content")
"""The attributes by which an item has a body."""

MOST_PARTS = 100
KNOWN = 4096


class Body(Struct, frozen=True):
    """A body as it is stored: `packed` 1 for zlib."""

    digest: str
    packed: int
    data: bytes

    @property
    def inline(self) -> bool:
        """Whether it fits into one item."""
        return len(self.data) <= INLINE

    def attributes(self, *, inline: bool = True) -> Attributes:
        """The body in an item, under whatever key; a large one, or not `inline`, by reference to the table `content`."""
        if inline and self.inline:
            return {"packed": number(self.packed), "body": binary(self.data)}
        return {"content": text(self.digest)}


def packed(contents: Mapping[str, bytes]) -> list[Body]:
    """The bodies of these contents."""
    rows = pack(contents)
    return [Body(digest, row.packed, row.body) for digest, row in zip(contents, rows, strict=True)]


def packed_one(data: bytes) -> Body:
    """The body of bytes that have no name yet."""
    (body,) = packed({codec.digest(data): data})
    return body


def packed_in(item: Mapping[str, Value]) -> bytes | None:
    """The body that lies in an item itself."""
    return unpack(read(item["packed"]), read(item["body"])) if "body" in item else None


class Bodies:
    """The table `content`. Remembers which digests it has stored, since contents are never removed."""

    def __init__(self, calls: Calls, table: str, blobs: Blobs | None) -> None:
        self._calls = calls
        self._table = table
        self._blobs = blobs
        self._known: dict[str, None] = {}

    def fresh(self, bodies: Iterable[Body]) -> list[Body]:
        """Those that this process has not stored yet."""
        return [body for body in bodies if body.digest not in self._known]

    def stored(self, bodies: Iterable[Body]) -> None:
        """Remember that these are there."""
        for body in bodies:
            self._known[body.digest] = None
        while len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    def item(self, body: Body) -> Attributes:
        """The item of a body that fits into one."""
        return {"digest": text(body.digest), **body.attributes()}

    async def write(self, bodies: Sequence[Body]) -> None:
        """Store bodies of any size, so that they are there when this returns."""
        try:
            await asyncio.gather(*(self._write(body) for body in bodies))
        except Unknown as error:
            raise StoreError(
                "contents were not stored, and nothing that speaks of them", code="E651"
            ) from error
        self.stored(bodies)

    async def read(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The bodies that exist among these."""
        keys = [{"digest": text(digest)} for digest in dict.fromkeys(digests)]
        found = await get_many(self._calls, {self._table: keys})
        items = {str(read(item["digest"])): item for item in found[self._table]}
        bodies = await asyncio.gather(*(self._whole(digest, item) for digest, item in items.items()))
        return dict(zip(items, bodies, strict=True))

    async def of(self, item: Mapping[str, Value]) -> bytes:
        """The body of an item, wherever it lies. Raises StoreError E655 when it is not where it must be."""
        inline = packed_in(item)
        if inline is not None:
            return inline
        digest = str(read(item["content"]))
        found = await self.read([digest])
        if digest not in found:
            raise StoreError(f"the content `{digest}` is not there", code="E655", help="restore a backup")
        return found[digest]

    async def _write(self, body: Body) -> None:
        if body.inline:
            await self._put(self.item(body))
        elif self._blobs is not None:
            blob = await self._blobs.put(unpack(body.packed, body.data))
            await self._put({"digest": text(body.digest), "blob": text(blob)})
        else:
            await self._write_parts(body)

    async def _write_parts(self, body: Body) -> None:
        parts = [body.data[start : start + INLINE] for start in range(0, len(body.data), INLINE)]
        if len(parts) > MOST_PARTS:
            raise InputError(
                f"a body of {len(body.data)} bytes is more than DynamoDB is asked to hold",
                code="E653",
                help="give the store a place for large bodies: REMIT_BLOBS=s3://bucket/prefix",
            )
        for place, part in enumerate(parts):
            await self._put({"digest": text(f"{body.digest}/{place}"), "body": binary(part)})
        whole = {"packed": number(body.packed), "parts": number(len(parts))}
        await self._put({"digest": text(body.digest), **whole})

    async def _put(self, item: Attributes) -> None:
        await self._calls("put_item", {"TableName": self._table, "Item": item})

    async def _whole(self, digest: str, item: Mapping[str, Value]) -> bytes:
        inline = packed_in(item)
        if inline is not None:
            return inline
        if "blob" in item:
            return await self._blob(str(read(item["blob"])))
        names = [f"{digest}/{place}" for place in range(read(item["parts"]))]
        found = await get_many(self._calls, {self._table: [{"digest": text(name)} for name in names]})
        parts = {read(part["digest"]): read(part["body"]) for part in found[self._table]}
        if len(parts) != len(names):
            raise StoreError(f"a part of `{digest}` is not there", code="E655", help="restore a backup")
        return unpack(read(item["packed"]), b"".join(parts[name] for name in names))

    async def _blob(self, digest: str) -> bytes:
        if self._blobs is None:
            raise StoreError(
                f"the blob `{digest}` lies in a blob store that this process was not given",
                code="E655",
                help="set REMIT_BLOBS as it was when it was written",
            )
        return await self._blobs.get(digest)
