"""Blobs as files named by their digest."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from remit.core.codec import digest as digest_bytes
from remit.core.errors import NotFoundError, StoreError


class FileBlobs:
    """One file per blob under `root`, written to a temporary name, synced and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, data: bytes) -> str:
        """Store and return the digest. Raises StoreError."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, digest: str) -> bytes:
        """The bytes, checked. Raises NotFoundError, StoreError."""
        return await asyncio.to_thread(self._get, digest)

    async def delete(self, digest: str) -> None:
        """Delete the bytes. Raises StoreError."""
        await asyncio.to_thread(self._delete, digest)

    def _path(self, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        if len(name) != 64 or not name.isalnum():
            raise NotFoundError(f"`{digest}` is no content digest")
        return self._root / name[:2] / name

    def _put(self, data: bytes) -> str:
        digest = digest_bytes(data)
        path = self._path(digest)
        if path.exists():
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise StoreError(f"blob `{digest}` cannot be written: {error}", code="E806") from error
        return digest

    def _get(self, digest: str) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"blob `{digest}` does not exist") from error
        if digest_bytes(data) != digest:
            raise StoreError(f"blob `{digest}` is damaged", code="E807", help="restore it from a backup")
        return data

    def _delete(self, digest: str) -> None:
        try:
            self._path(digest).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"blob `{digest}` cannot be deleted: {error}", code="E806") from error
