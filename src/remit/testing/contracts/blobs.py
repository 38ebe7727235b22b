"""What every store of blobs keeps. Subclass `BlobsContract`, give it the fixtures `blobs` and `overwrite`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from remit.core.codec import digest
from remit.core.errors import NotFoundError, StoreError
from remit.ports.blobs import Blobs

ABSENT = "sha256:" + "0" * 64


class BlobsContract:
    """The contract of `ports.blobs.Blobs`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def blobs(self) -> Blobs:
        """An empty store of blobs."""
        raise NotImplementedError("override the fixture `blobs`")

    @pytest.fixture
    def overwrite(self) -> Callable[[str, bytes], None]:
        """Puts other bytes in the place of a blob, behind the back of the store."""
        raise NotImplementedError("override the fixture `overwrite`")

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4096], ids=["none", "one", "a mebibyte"])
    async def test_what_was_put_is_got_by_its_digest(self, blobs: Blobs, data: bytes) -> None:
        """The name is the SHA-256 of the bytes, and the bytes come back as they were."""
        name = await blobs.put(data)
        assert name == digest(data)
        assert await blobs.get(name) == data

    async def test_the_same_bytes_are_one_blob(self, blobs: Blobs) -> None:
        """Storing them again, by many at once too, changes nothing and fails nobody."""
        names = await asyncio.gather(*(blobs.put(b"the same") for _ in range(8)))
        assert set(names) == {await blobs.put(b"the same")}
        assert await blobs.get(names[0]) == b"the same"

    @pytest.mark.parametrize("name", [ABSENT, "sha256:abc", "", "../../etc/passwd", "sha256:" + "/" * 64])
    async def test_what_was_never_put_is_not_found(self, blobs: Blobs, name: str) -> None:
        """Nor is anything that is no digest, and no path out of the store."""
        await blobs.put(b"something else")
        with pytest.raises(NotFoundError):
            await blobs.get(name)

    async def test_what_was_deleted_is_gone(self, blobs: Blobs) -> None:
        """Deleting it again, or what never was, is no error; another blob stays, and the same bytes may come back."""
        gone, kept = await blobs.put(b"goes"), await blobs.put(b"stays")
        for name in (gone, gone, ABSENT):
            await blobs.delete(name)
        with pytest.raises(NotFoundError):
            await blobs.get(gone)
        assert await blobs.get(kept) == b"stays"
        assert await blobs.get(await blobs.put(b"goes")) == b"goes"

    async def test_damage_is_told(self, blobs: Blobs, overwrite: Callable[[str, bytes], None]) -> None:
        """Bytes that do not fit the digest are never handed out."""
        name = await blobs.put(b"as it was")
        overwrite(name, b"as it is now")
        with pytest.raises(StoreError) as raised:
            await blobs.get(name)
        assert raised.value.code == "E807"
