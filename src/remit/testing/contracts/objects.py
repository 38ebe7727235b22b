"""What every store of objects keeps. Subclass `ObjectsContract`, give it the fixtures `objects` and `bucket`."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from remit.core.errors import InputError, NotFoundError
from remit.ports.objects import Objects


class ObjectsContract:
    """The contract of `ports.objects.Objects`."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def objects(self) -> Objects:
        """A store of objects."""
        raise NotImplementedError("override the fixture `objects`")

    @pytest.fixture
    def bucket(self) -> str:
        """An empty bucket that objects can be put in."""
        raise NotImplementedError("override the fixture `bucket`")

    async def test_what_was_put_is_got(self, objects: Objects, bucket: str) -> None:
        """Bytes come back as they were, also none at all, and under a key with spaces and accents."""
        for key, data in {"a.bin": bytes(range(256)), "empty": b"", "d é/x y+z.txt": b"x"}.items():
            etag = await objects.put(bucket, key, data)
            assert await objects.get(bucket, key) == data
            assert etag.startswith('"')
            assert etag.endswith('"')

    async def test_putting_again_replaces(self, objects: Objects, bucket: str) -> None:
        """The last bytes count, and the same bytes have the same entity tag."""
        first = await objects.put(bucket, "k", b"one")
        assert await objects.put(bucket, "k", b"two") != first
        assert await objects.get(bucket, "k") == b"two"
        assert await objects.put(bucket, "k", b"one") == first

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 4, b"3456"),
            (8, 100, b"89"),
            (0, 0, b""),
            (10, 5, b""),
            (99, None, b""),
        ],
    )
    async def test_a_range_is_read(
        self, objects: Objects, bucket: str, start: int, length: int | None, expected: bytes
    ) -> None:
        """From `start` on, at most `length` bytes; past the end there is nothing."""
        await objects.put(bucket, "k", b"0123456789")
        assert await objects.get(bucket, "k", start=start, length=length) == expected

    async def test_a_stream_is_the_whole_in_order(self, objects: Objects, bucket: str) -> None:
        """The pieces together are the object."""
        data = bytes(i % 251 for i in range(3_000_000))
        await objects.put(bucket, "large", data)
        assert b"".join([piece async for piece in objects.stream(bucket, "large")]) == data

    async def test_a_listing_is_by_prefix_in_order_of_bytes(self, objects: Objects, bucket: str) -> None:
        """Keys come in order of their UTF-8, whatever folders they would be in."""
        keys = ["a/1", "a/10", "a/2", "a.b", "a", "b/1", "é", "z"]
        for key in [k for k in keys if k != "a"]:
            await objects.put(bucket, key, key.encode())
        found = await objects.list(bucket)
        assert [i.key for i in found] == sorted((k for k in keys if k != "a"), key=str.encode)
        assert [i.key for i in await objects.list(bucket, "a/")] == ["a/1", "a/10", "a/2"]
        assert [i.key for i in await objects.list(bucket, "a/1")] == ["a/1", "a/10"]
        assert await objects.list(bucket, "nothing/") == []
        assert found[0].size == len(found[0].key.encode())
        assert found[0].modified_ts > 1_600_000_000_000

    async def test_a_listing_goes_on_after_a_key(self, objects: Objects, bucket: str) -> None:
        """Pages by `after` and `limit` are the whole listing, once."""
        for n in range(7):
            await objects.put(bucket, f"p/{n}", b"")
        seen: list[str] = []
        while page := await objects.list(bucket, "p/", after=seen[-1] if seen else "", limit=3):
            seen += [i.key for i in page]
        assert seen == [f"p/{n}" for n in range(7)]

    async def test_the_entity_tag_of_a_listing_is_that_of_the_put(
        self, objects: Objects, bucket: str
    ) -> None:
        """Both say the same, so that a reader can tell whether it changed."""
        etag = await objects.put(bucket, "k", b"x")
        assert [i.etag for i in await objects.list(bucket)] == [etag]

    async def test_what_is_not_there_is_told(self, objects: Objects, bucket: str) -> None:
        """A missing object, a missing bucket: E690."""
        await objects.put(bucket, "k", b"x")
        with pytest.raises(NotFoundError, match="nothing-here") as raised:
            await objects.get(bucket, "nothing-here")
        assert raised.value.code == "E690"
        with pytest.raises(NotFoundError) as raised:
            await objects.list("no-such-bucket-anywhere")
        assert raised.value.code == "E690"
        with pytest.raises(NotFoundError):
            _ = [piece async for piece in objects.stream(bucket, "nothing-here")]

    @pytest.mark.parametrize("bucket_name", ["", "A", "..", "a/b", "x" * 64, "UPPER", "-start"])
    async def test_a_bucket_has_a_name_of_s3(self, objects: Objects, bucket_name: str) -> None:
        """Any other name is refused: E691."""
        with pytest.raises(InputError) as raised:
            await objects.get(bucket_name, "k")
        assert raised.value.code == "E691"

    @pytest.mark.parametrize("key", ["", "x" * 1025])
    async def test_a_key_has_1_to_1024_bytes(self, objects: Objects, bucket: str, key: str) -> None:
        """Any other key is refused: E691."""
        with pytest.raises(InputError) as raised:
            await objects.put(bucket, key, b"")
        assert raised.value.code == "E691"

    async def test_parquet_is_read_as_rows(self, objects: Objects, bucket: str, tmp_path: Path) -> None:
        """Rows are JSON values: numbers, text, lists, objects, times as ISO 8601."""
        await objects.put(bucket, "t.parquet", parquet(tmp_path))
        rows = await objects.rows(bucket, "t.parquet")
        assert rows[0] == {
            "id": 0,
            "name": "n0",
            "at": "2026-01-02 03:04:05",
            "tags": [1, 2],
            "more": {"k": "v"},
            "none": None,
            "odd": None,
        }
        assert [r["id"] for r in rows] == [0, 1, 2]
        assert [r["id"] for r in await objects.rows(bucket, "t.parquet", limit=2)] == [0, 1]

    async def test_what_is_no_parquet_is_told(self, objects: Objects, bucket: str) -> None:
        """E694."""
        await objects.put(bucket, "t.parquet", b"no parquet")
        with pytest.raises(InputError) as raised:
            await objects.rows(bucket, "t.parquet")
        assert raised.value.code == "E694"

    async def test_zstandard_is_unpacked(self, objects: Objects) -> None:
        """Every byte comes as it was: blank lines and line ends of another system too."""
        text = 'id,name\r\n\r\n1,"a\r\nb"\n\n{"x": [1, "y"]}\nNULL \té no end'.encode()
        assert await objects.unpack(zstandard(text)) == text

    async def test_what_is_no_zstandard_is_told(self, objects: Objects) -> None:
        """E694, and no crash."""
        with pytest.raises(InputError) as raised:
            await objects.unpack(gzip.compress(b"x"))
        assert raised.value.code == "E694"

    async def test_writers_at_once_leave_one_whole_object(self, objects: Objects, bucket: str) -> None:
        """Whoever reads in between sees one of them, never a mixture."""
        versions = {bytes([n]) * 200_000 for n in range(8)}
        await objects.put(bucket, "k", next(iter(versions)))

        async def read() -> bytes:
            return await objects.get(bucket, "k")

        done = await asyncio.gather(
            *(objects.put(bucket, "k", v) for v in versions), *(read() for _ in range(8))
        )
        assert {d for d in done if isinstance(d, bytes)} <= versions
        assert await objects.get(bucket, "k") in versions


def parquet(folder: Path) -> bytes:
    """A small Parquet file with a value of each kind."""
    path = folder / "made.parquet"
    _duck(
        "COPY (SELECT i::INTEGER AS id, 'n' || i AS name, TIMESTAMP '2026-01-02 03:04:05' AS at, [1, 2] AS tags,"
        f" {{'k': 'v'}} AS more, NULL::INTEGER AS none, 'nan'::DOUBLE AS odd FROM range(3) t(i)) TO '{path}' (FORMAT parquet)"
    )
    return path.read_bytes()


def zstandard(text: bytes) -> bytes:
    """Bytes, compressed with Zstandard."""
    import importlib

    compressed: bytes = importlib.import_module("zstandard").ZstdCompressor().compress(text)
    return compressed


def _duck(query: str) -> None:
    import importlib

    with importlib.import_module("duckdb").connect() as connection:
        connection.execute(query)
