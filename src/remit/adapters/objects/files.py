"""Objects as files: `ROOT/BUCKET/KEY`, and the user's own files under one configured folder."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from remit.adapters.objects.names import check_bucket, check_key
from remit.adapters.objects.packed import parquet_rows, unpacked
from remit.core.errors import DeniedError, InputError, NotFoundError, StoreError
from remit.core.naming import LOCAL
from remit.ports.objects import PAGE, ObjectInfo, Rows

FILE = "file:"
"""A bucket of this name, or one that starts so, is the configured folder or one inside it."""
CHUNK = 1024 * 1024
Infos = list[ObjectInfo]
_TEMPORARY = ".remit-tmp-"
_unique = itertools.count()


class FileObjectStore:
    """Buckets are folders of `root`; tenant `acme` has its own under `root/@acme`.

    `files`: a folder whose files tenant `local` reaches as bucket `file:`, or None.
    """

    def __init__(self, root: Path, files: Path | None = None) -> None:
        self._root = root
        self._files = files

    def of(self, tenant_id: str) -> FileObjects:
        """What this tenant sees."""
        if tenant_id == LOCAL:
            return FileObjects(self._root, self._files)
        return FileObjects(self._root / f"@{tenant_id}", None)


class FileObjects:
    """The buckets under one folder. A key's slashes are folders, so no object may be named like a folder of another."""

    def __init__(self, root: Path, files: Path | None) -> None:
        self._root = root
        self._files = files

    async def get(
        self, bucket: str, key: str, *, start: int = 0, length: int | None = None, version: str = ""
    ) -> bytes:
        """A range of a file."""
        return await asyncio.to_thread(self._get, bucket, key, start, length, version)

    async def stream(self, bucket: str, key: str, *, version: str = "") -> AsyncIterator[bytes]:
        """A file, a mebibyte at a time."""
        path = self._existing(bucket, key, version)
        with _reading(bucket, key):
            file = await asyncio.to_thread(path.open, "rb")
        with file:
            while data := await asyncio.to_thread(file.read, CHUNK):
                yield data

    async def put(self, bucket: str, key: str, data: bytes, *, media_type: str = "") -> str:
        """Write beside, sync, rename."""
        del media_type
        return await asyncio.to_thread(self._put, bucket, key, data)

    async def list(
        self, bucket: str, prefix: str = "", *, after: str = "", limit: int = PAGE
    ) -> list[ObjectInfo]:
        """Files whose path starts with the prefix."""
        return await asyncio.to_thread(self._list, bucket, prefix, after, limit)

    async def rows(self, bucket: str, key: str, *, limit: int | None = None, version: str = "") -> Rows:
        """Rows of a Parquet file."""
        path = self._existing(bucket, key, version)
        return await asyncio.to_thread(parquet_rows, path, limit)

    async def unpack(self, data: bytes) -> bytes:
        """Through a temporary file."""
        return await asyncio.to_thread(unpacked, data)

    def _get(self, bucket: str, key: str, start: int, length: int | None, version: str) -> bytes:
        path = self._existing(bucket, key, version)
        with _reading(bucket, key), path.open("rb") as file:
            file.seek(start)
            return file.read() if length is None else file.read(length)

    def _put(self, bucket: str, key: str, data: bytes) -> str:
        path = self._path(bucket, key)
        temporary = path.parent / f"{_TEMPORARY}{os.getpid()}-{next(_unique)}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreError(f"object `{bucket}/{key}` cannot be written: {error}", code="E693") from error
        return _etag(data)

    def _list(self, bucket: str, prefix: str, after: str, limit: int) -> Infos:
        base = self._bucket(bucket)
        if not base.is_dir():
            raise _no_bucket(bucket)
        start = base / prefix.rpartition("/")[0]
        if not start.resolve().is_relative_to(base.resolve()):
            raise InputError(f"`{prefix[:150]}` is no prefix of keys", code="E691", help="leave out `..`")
        found = (
            (path.relative_to(base).as_posix(), path)
            for path in start.rglob("*")
            if path.is_file() and not path.name.startswith(_TEMPORARY) and _inside(path, base)
        )
        wanted = sorted(
            (key.encode(), key, path)
            for key, path in found
            if key.startswith(prefix) and key.encode() > after.encode()
        )
        with _reading(bucket, prefix):
            return [_info(key, path) for _, key, path in wanted[:limit]]

    def _existing(self, bucket: str, key: str, version: str) -> Path:
        if version:
            raise NotFoundError(
                f"object `{bucket}/{key}` has no version `{version[:150]}`",
                code="E690",
                help="files keep no older versions: leave out `VersionId`",
            )
        path = self._path(bucket, key)
        if path.is_file():
            return path
        if not self._bucket(bucket).is_dir():
            raise _no_bucket(bucket)
        raise NotFoundError(
            f"object `{bucket}/{key[:300]}` does not exist",
            code="E690",
            help=f"it would be the file `{path}`",
        )

    def _path(self, bucket: str, key: str) -> Path:
        base = self._bucket(bucket)
        path = base / check_key(key)
        if not _inside(path, base):
            raise InputError(
                f"`{key[:150]}` leads out of bucket `{bucket}`", code="E691", help="leave out `..` and links"
            )
        return path

    def _bucket(self, bucket: str) -> Path:
        if not bucket.startswith(FILE):
            return self._root / check_bucket(bucket)
        if self._files is None:
            raise DeniedError(
                "files of this machine are not open to workflows",
                code="E692",
                help='set `files = "FOLDER"` under `[workflow]` in remit.toml; only tenant `local` may read them',
            )
        base = self._files / bucket.removeprefix(FILE).removeprefix("//")
        if not _inside(base, self._files):
            raise DeniedError(
                f"`{bucket[:150]}` is not in the folder that is open to workflows",
                code="E692",
                help=f"name a folder inside `{self._files}`",
            )
        return base


def _inside(path: Path, base: Path) -> bool:
    """Whether a path stays in a folder, links followed."""
    return path.resolve().is_relative_to(base.resolve())


def _no_bucket(bucket: str) -> NotFoundError:
    return NotFoundError(
        f"bucket `{bucket[:150]}` does not exist", code="E690", help="writing an object makes its bucket"
    )


@contextlib.contextmanager
def _reading(bucket: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"object `{bucket}/{key}` cannot be read: {error}", code="E693") from error


def _info(key: str, path: Path) -> ObjectInfo:
    status = path.stat()
    return ObjectInfo(key, status.st_size, _file_etag(path), status.st_mtime_ns // 1_000_000)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _file_etag(path: Path) -> str:
    with path.open("rb") as file:
        return f'"{hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()}"'
